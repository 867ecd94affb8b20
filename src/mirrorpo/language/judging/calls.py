"""Many calls at once, each bounded in time and size, all cancelled on Ctrl-C."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from .alpaca_names import AsyncClient, ReadTimeout, openai

MOST_BYTES = 32 * 2**20
"""Bytes of an endpoint's answer: many times what 4096 tokens with their likeliest neighbours
take."""

_LEAVE_SECONDS = 1.0
_ABOUT_THE_BODY = ("content-encoding", "content-length", "transfer-encoding")


class BoundedClient(AsyncClient):
    """An HTTP client; each try has one deadline, from connecting to the last byte.

    The time-outs of its base class are of single reads: an endpoint that drips never meets one.

    Args:
        seconds: for one try.
        settings: the settings of the base class.
    """

    def __init__(self, seconds: float, **settings: Any):
        super().__init__(**settings)
        self._seconds = seconds

    async def send(self, request: Any, **options: Any) -> Any:
        """Send a request, and read the whole answer within the time."""
        try:
            async with asyncio.timeout(self._seconds):
                response = await super().send(request, **{**options, "stream": True})
                try:
                    body = await _body(response)
                finally:
                    await response.aclose()
        except TimeoutError:
            said = f"no whole answer within {self._seconds:g} seconds"
            raise ReadTimeout(said, request=request) from None
        headers = [
            (name, value)
            for name, value in response.headers.multi_items()
            if name.lower() not in _ABOUT_THE_BODY
        ]
        return type(response)(response.status_code, headers=headers, content=body, request=request)


async def _body(response: Any) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > MOST_BYTES:
            raise openai.OpenAIError(f"its answer is longer than {MOST_BYTES // 2**20} MiB")
    return bytes(body)


class _DaemonThreads(ThreadPoolExecutor):
    """Resolves host names in daemon threads, so that they cannot delay the end of the process."""

    def submit(self, function: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        found: Future[Any] = Future()

        def work() -> None:
            try:
                found.set_result(function(*args, **named))
            except BaseException as error:
                found.set_exception(error)

        threading.Thread(target=work, daemon=True).start()
        return found


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """A coroutine's result, computed in an event loop in a thread of its own.

    So it works where a loop runs already, as in a notebook, and an interrupt in the calling thread
    cancels all of it within a second.
    """
    loop = asyncio.new_event_loop()
    loop.set_default_executor(_DaemonThreads(1))
    task = loop.create_task(work)
    ended: Future[Any] = Future()

    def run_to_the_end() -> None:
        try:
            ended.set_result(loop.run_until_complete(task))
        except BaseException as error:
            ended.set_exception(error)
        finally:
            loop.close()

    thread = threading.Thread(target=run_to_the_end, daemon=True)
    thread.start()
    try:
        return ended.result()
    except BaseException:
        if not ended.done():
            loop.call_soon_threadsafe(task.cancel)
            thread.join(_LEAVE_SECONDS)
        raise
