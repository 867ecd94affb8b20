"""Calls to an OpenAI-compatible endpoint: retried, written down, never made twice."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

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
_UNREADABLE_SHARE = 0.1


class Caller:
    """Asks a judge; has the signature of alpaca_eval's decoders.

    Args:
        judge: where and how to call.
        store: of the calls made before, by this or an earlier process.
        is_readable: whether an answer holds a verdict, given as alpaca_eval's parsers see it.
        report: called with (calls answered, all calls), those in the store included.
    """

    def __init__(
        self,
        judge: ModelJudge,
        store: Store,
        is_readable: Callable[[dict[str, Any]], bool],
        report: Callable[[int, int], None] = lambda done, of: None,
    ):
        self._judge = judge
        self._store = store
        self._is_readable = is_readable
        self._report = report
        self._client = openai.OpenAI(
            base_url=judge.endpoint,
            api_key=os.environ.get(judge.api_key_variable) or "none",
            max_retries=judge.retries,
            timeout=judge.timeout,
        )

    def __call__(self, prompts: Sequence[str], **settings: Any) -> dict[str, list[Any]]:
        """Answers to all prompts, in order.

        Args:
            prompts: in alpaca_eval's chat format.
            **settings: an annotator configuration's `completions_kwargs`.

        Raises:
            ValueError: the judge is down, refuses, answers something else than a chat completion,
                or has no verdict
                in all of its first answers or in more than a tenth of all.
        """
        if any(settings.get(name) for name in ("tokens_to_favor", "tokens_to_avoid")):
            raise ValueError(
                f"The annotator {self._judge.annotator} favours tokens of OpenAI's tokenizer: "
                "choose another."
            )
        own = {
            "temperature": 0.7,
            "top_p": 1.0,
            **{key: value for key, value in settings.items() if key not in _ITS_OWN},
        }
        requests = [
            {"model": self._judge.model, "messages": prompt_to_messages(prompt), **own}
            for prompt in prompts
        ]
        answers = [self._store.get(self._question(request)) for request in requests]
        left = [number for number, answer in enumerate(answers) if answer is None]
        self._report(len(prompts) - len(left), len(prompts))
        with ThreadPoolExecutor(self._judge.workers) as pool:
            calls = {pool.submit(self._call, requests[number]): number for number in left}
            try:
                for done, call in enumerate(as_completed(calls), 1):
                    answers[calls[call]] = call.result()
                    self._report(len(prompts) - len(left) + done, len(prompts))
                    if done == _FIRST_ANSWERS:
                        known = [answer for answer in answers if answer is not None]
                        self._check_verdicts(known, len(known) - 1)
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        self._check_verdicts(answers, int(_UNREADABLE_SHARE * len(answers)))
        return {
            "completions": [answer["text"] for answer in answers],
            "completions_all": answers,
            "price_per_example": [0.0] * len(answers),
            "time_per_example": [0.0] * len(answers),
        }

    def _check_verdicts(self, answers: Sequence[dict[str, Any]], most: int) -> None:
        bad = [answer for answer in answers if not self._is_readable(answer)]
        if len(bad) > most:
            raise ValueError(
                f"{len(bad)} of {len(answers)} answers of the judge {self._judge.model} hold no "
                f"verdict that the annotator {self._judge.annotator} can read, such as "
                f"{bad[0]['text']!r:.60}: choose a stronger model or another annotator."
            )

    def _question(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"endpoint": self._judge.endpoint, "request": request}

    def _call(self, request: dict[str, Any]) -> dict[str, Any]:
        at = f"The judge {self._judge.model} at {self._judge.endpoint}"
        try:
            reply = self._client.chat.completions.create(**request)
        except openai.APIConnectionError as error:
            cause = error.__cause__ or error
            raise ValueError(
                f"{at} does not answer ({' '.join(str(cause).split())}): is it running? The same "
                "command goes on from the calls that were answered."
            ) from error
        except openai.APIStatusError as error:
            raise ValueError(
                f"{at} refuses, with status {error.status_code}: {_short(error.message)}"
            ) from error
        except (openai.OpenAIError, ValueError) as error:
            raise ValueError(f"{at} sends no chat completion: {_short(str(error))}") from error
        choices = getattr(reply, "choices", None)
        if not choices or getattr(choices[0], "message", None) is None:
            raise ValueError(f"{at} sends no chat completion: {_short(repr(reply))}")
        message = choices[0].message
        answer = choices[0].model_dump()
        answer["text"] = message.content or " "
        if message.tool_calls:
            answer["text"] = message.tool_calls[0].function.arguments
        answer["total_tokens"] = reply.usage.total_tokens if reply.usage else 0
        self._store.add(self._question(request), answer)
        return answer


def _short(text: str) -> str:
    return f"{' '.join(text.split()):.200}"
