"""Calls to an OpenAI-compatible endpoint: retried, written down, never made twice."""

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from . import calls
from .alpaca_names import openai, prompt_to_messages
from .settings import ModelJudge
from .store import Store

# Settings of alpaca_eval's own client, which has no place here.
_ITS_OWN = (
    "model_name",
    "price_per_token",
    "client_kwargs",
    "requires_chatml",
    "is_chat",
    "is_strip",
    "num_procs",
    "batch_size",
    "n_retries",
    "sleep_time",
)
_FIRST_ANSWERS = 8
_REFUSALS_IN_A_ROW = 8
_UNREADABLE_SHARE = 0.1
# Statuses that are about what was asked, such as a text that is too long for the judge, and not
# about who asks or whether the judge is there.
_ABOUT_THE_QUESTION = (400, 413, 414, 422)
_MALFORMED = (AttributeError, IndexError, KeyError, TypeError, ValueError, RecursionError)


@dataclass(frozen=True)
class Refusal:
    """A question that the judge does not answer.

    Attributes:
        prompt: as it was asked.
        reason: the status and what the judge says, in one line.
    """

    prompt: str
    reason: str


class Caller:
    """Asks a judge; has the signature of alpaca_eval's decoders.

    What is written down is an answer with a verdict, and nothing else. A refusal depends on how
    the endpoint is set up, and an answer without a verdict may be a bad moment of the judge: the
    next command asks those again.

    Args:
        judge: where and how to call.
        store: the store of the calls made before, by this or an earlier process.
        is_readable: whether an answer holds a verdict, given as alpaca_eval's parsers see it.
        report: called with (calls answered, all calls), those in the store included; from another
            thread than the caller's.

    Attributes:
        judge: as it was given.
        at: its name and its place, as the subject of messages.
        report: as it was given.
        refusals: the questions that the judge refused. They count as without a verdict.
    """

    def __init__(
        self,
        judge: ModelJudge,
        store: Store,
        is_readable: Callable[[dict[str, Any]], bool],
        report: Callable[[int, int], None] = lambda done, of: None,
    ):
        self.judge = judge
        self.at = f"The judge {judge.model} at {judge.endpoint}"
        self._store = store
        self._is_readable = is_readable
        self.report = report
        self._key = _key(judge.api_key_variable)
        self.refusals: list[Refusal] = []

    def __call__(self, prompts: Sequence[str], **settings: Any) -> dict[str, list[Any]]:
        """Answers to all prompts, in order; a blank one where the judge refuses.

        Args:
            prompts: in alpaca_eval's chat format.
            **settings: an annotator configuration's `completions_kwargs`.

        Raises:
            ValueError: the judge is down, refuses all that it is asked, answers something else
                than a chat completion, or has no verdict in all of its first answers or in more
                than a tenth of all.
        """
        if any(settings.get(name) for name in ("tokens_to_favor", "tokens_to_avoid")):
            raise ValueError(
                f"The annotator {self.judge.annotator} favours tokens of OpenAI's tokenizer: "
                "choose another."
            )
        own = {
            "temperature": 0.7,
            "top_p": 1.0,
            **{key: value for key, value in settings.items() if key not in _ITS_OWN},
        }
        requests = [
            {"model": self.judge.model, "messages": prompt_to_messages(prompt), **own}
            for prompt in prompts
        ]
        answers: list[dict[str, Any] | None] = [self._known(request) for request in requests]
        calls.run(_Asking(self, prompts, requests, answers).all())
        given = [answer for answer in answers if answer is not None]
        self.check_verdicts(given, int(_UNREADABLE_SHARE * len(given)))
        complete = [{"text": " "} if answer is None else answer for answer in answers]
        return {
            "completions": [answer["text"] for answer in complete],
            "completions_all": complete,
            "price_per_example": [0.0] * len(complete),
            "time_per_example": [0.0] * len(complete),
        }

    def client(self) -> Any:
        """A client for one event loop."""
        judge = self.judge
        return openai.AsyncOpenAI(
            base_url=judge.endpoint,
            api_key=self._key,
            max_retries=judge.retries,
            timeout=judge.timeout,
            http_client=calls.BoundedClient(judge.timeout, timeout=judge.timeout),
        )

    def check_verdicts(self, answers: Sequence[dict[str, Any]], most: int) -> None:
        """See that the judge can judge.

        Raises:
            ValueError: more than `most` of the answers hold no verdict.
        """
        bad = [answer for answer in answers if not self._is_readable(answer)]
        if len(bad) > most:
            raise ValueError(
                f"{len(bad)} of {len(answers)} answers of the judge {self.judge.model} hold no "
                f"verdict that the annotator {self.judge.annotator} can read, such as "
                f"{bad[0]['text']!r:.60}: choose a stronger model or another annotator."
            )

    def _known(self, request: dict[str, Any]) -> dict[str, Any] | None:
        """An answer from the store, unless its line there is damaged."""
        found = self._store.get(self._question(request))
        is_whole = isinstance(found, dict) and isinstance(found.get("text"), str)
        return found if is_whole and self._is_readable(found) else None

    def _question(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"endpoint": self.judge.endpoint, "request": request}

    async def ask(self, client: Any, request: dict[str, Any]) -> dict[str, Any] | str:
        """One answer, written down if it holds a verdict; or why the judge refuses, in a line.

        Raises:
            ValueError: the judge is down, lets nobody in, or sends something else.
        """
        try:
            reply = await client.chat.completions.create(**request)
            answer = _read(reply)
        except openai.APIConnectionError as error:
            cause = error.__cause__ or error
            raise ValueError(
                f"{self.at} does not answer ({_short(str(cause))}): is it running? The same "
                "command resumes after the calls that were answered."
            ) from error
        except openai.APIStatusError as error:
            reason = f"refuses, with status {error.status_code}: {_short(error.message)}"
            if error.status_code in _ABOUT_THE_QUESTION:
                return reason
            raise ValueError(f"{self.at} {reason}") from error
        except (openai.OpenAIError, *_MALFORMED) as error:
            raise ValueError(f"{self.at} sends no chat completion: {_short(str(error))}") from error
        if self._is_readable(answer):
            self._store.add(self._question(request), answer)
        return answer


class _Asking:
    """The questions of one call of a `Caller` while they are asked."""

    def __init__(
        self,
        caller: Caller,
        prompts: Sequence[str],
        requests: Sequence[dict[str, Any]],
        answers: list[dict[str, Any] | None],
    ):
        self._caller = caller
        self._prompts = prompts
        self._requests = requests
        self._answers = answers
        self._left = [number for number, answer in enumerate(answers) if answer is None]
        self._asked = 0
        self._answered = 0
        self._refused_in_a_row = 0
        self._stopped = False

    async def all(self) -> None:
        """Ask all that is not known. After an error no question is begun; those under way end."""
        self._tell()
        if not self._left:
            return
        questions = iter(self._left)
        async with self._caller.client() as client:
            workers = [
                asyncio.create_task(self._work(client, questions))
                for _ in range(min(self._caller.judge.workers, len(self._left)))
            ]
            try:
                ended = await asyncio.gather(*workers, return_exceptions=True)
            finally:
                for worker in workers:
                    worker.cancel()
        for error in ended:
            if isinstance(error, BaseException):
                raise error

    async def _work(self, client: Any, questions: Iterator[int]) -> None:
        for number in questions:
            if self._stopped:
                return
            try:
                await self._one(client, number)
            except BaseException:
                self._stopped = True
                raise

    async def _one(self, client: Any, number: int) -> None:
        found = await self._caller.ask(client, self._requests[number])
        self._asked += 1
        self._tell()
        if isinstance(found, str):
            self._caller.refusals.append(Refusal(self._prompts[number], found))
            self._refused_in_a_row += 1
            if self._refused_in_a_row == _REFUSALS_IN_A_ROW:
                await self._see_whether_it_answers_at_all(client, found)
            return
        self._refused_in_a_row = 0
        self._answers[number] = found
        self._answered += 1
        if self._answered == _FIRST_ANSWERS:
            known = [answer for answer in self._answers if answer is not None]
            self._caller.check_verdicts(known, len(known) - 1)

    async def _see_whether_it_answers_at_all(self, client: Any, reason: str) -> None:
        """Tell whether many refusals in a row are of these questions, or of whatever is asked.

        Ask one that was answered before, else the shortest.
        """
        known = [number for number, answer in enumerate(self._answers) if answer is not None]
        sure = min(known or self._left, key=lambda number: len(self._prompts[number]))
        if isinstance(await self._caller.ask(client, self._requests[sure]), str):
            raise ValueError(f"{self._caller.at} {reason}")
        self._refused_in_a_row = 0

    def _tell(self) -> None:
        total = len(self._requests)
        self._caller.report(total - len(self._left) + self._asked, total)


def _read(reply: Any) -> dict[str, Any]:
    """What alpaca_eval reads of a chat completion, and nothing that cannot be written down."""
    choice = reply.choices[0]
    message = choice.message
    text = message.content or " "
    if message.tool_calls:
        text = message.tool_calls[0].function.arguments
    if not isinstance(text, str):
        raise TypeError(f"its content is a {type(text).__name__}")
    answer: dict[str, Any] = choice.model_dump(mode="json", warnings=False)
    usage = reply.usage.total_tokens if reply.usage else 0
    return {**answer, "text": text, "total_tokens": usage}


def _key(variable: str) -> str:
    key = (os.environ.get(variable) or "none").strip()
    if not (key.isascii() and key.isprintable()):
        raise ValueError(f"{variable} holds characters that no key has: set it again.")
    return key


def _short(text: str) -> str:
    return f"{' '.join(text.split()):.200}"
