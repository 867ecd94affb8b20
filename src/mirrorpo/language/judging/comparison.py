"""alpaca_eval's comparison of two models' answers by a language model."""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from .alpaca_names import CONFIGURATIONS, PairwiseAnnotator, evaluate, silence
from .answers import Pair
from .endpoint import Caller
from .settings import ModelJudge
from .store import Store


class Verdicts(NamedTuple):
    """What a judge says of pairs.

    Attributes:
        preferences: how much it prefers the candidate, in [0, 1]; None without a verdict.
        reasons: why the judge refused a pair, by the pair's position.
    """

    preferences: list[float | None]
    reasons: dict[int, str]


def verdicts(
    judge: ModelJudge,
    pairs: Sequence[Pair],
    store: Store,
    report: Callable[[int, int], None] = lambda done, of: None,
) -> Verdicts:
    """What the judge says of each pair, its refusals included.

    Which answer is shown first is drawn for each instruction, as in alpaca_eval. Two equal answers
    are 0.5, without a call.

    Raises:
        ValueError: an unknown annotator configuration, or as `endpoint.Caller`.
    """
    _check_configuration(judge.annotator)
    callers: list[Caller] = []

    class Annotator(PairwiseAnnotator):
        """The stock annotator, with its calls made by `Caller`."""

        def __init__(self, *args: Any, **kwargs: Any):
            super().__init__(*args, **kwargs)
            for single in self.annotators.values():
                if single.batch_size != 1:
                    raise ValueError(
                        f"The annotator {judge.annotator} puts several pairs in one call: choose "
                        "another."
                    )
                callers.append(Caller(judge, store, _reader(single), report))
                single.fn_completions = callers[-1]

    rows = [{"instruction": pair.instruction, "generator": "model"} for pair in pairs]
    with silence():
        _, annotations = evaluate(
            model_outputs=[
                {**row, "output": pair.candidate} for row, pair in zip(rows, pairs, strict=True)
            ],
            reference_outputs=[
                {**row, "output": pair.baseline, "generator": "baseline"}
                for row, pair in zip(rows, pairs, strict=True)
            ],
            annotators_config=judge.annotator,
            name="model",
            output_path=None,
            precomputed_leaderboard=None,
            is_return_instead_of_print=True,
            is_cache_leaderboard=False,
            fn_metric="get_winrate",
            sort_by="win_rate",
            annotation_kwargs={"chunksize": None},
            Annotator=Annotator,
            caching_path=None,
        )
    found = {row["instruction"]: row["preference"] for row in annotations}
    # alpaca_eval's preferences go from 1, the baseline's, to 2.
    values = [found[pair.instruction] for pair in pairs]
    given = [None if value is None or math.isnan(value) else value - 1.0 for value in values]
    refusals = [refusal for caller in callers for refusal in caller.refusals]
    reasons = {
        number: refusal.reason
        for number, (pair, value) in enumerate(zip(pairs, given, strict=True))
        for refusal in refusals
        if value is None and all(text in refusal.prompt for text in dataclasses.astuple(pair))
    }
    return Verdicts(given, reasons)


def _reader(single: Any) -> Callable[[dict[str, Any]], bool]:
    """Whether an annotator's own parser finds a verdict in an answer."""

    def is_readable(answer: dict[str, Any]) -> bool:
        content = answer if single.completion_key == "completions_all" else answer["text"]
        try:
            (value,) = single.fn_completion_parser(content)
            return math.isfinite(value)
        except Exception:  # its parsers raise all kinds, and alpaca_eval catches them the same way
            return False

    return is_readable


def _check_configuration(name: str) -> None:
    folder = CONFIGURATIONS / name
    if not (folder / "configs.yaml").is_file() and not folder.is_file():
        raise ValueError(
            f"alpaca_eval has no annotator {name!r}: name one of its evaluators_configs, such as "
            "weighted_alpaca_eval_vllm_llama3_70b, or a folder with a configs.yaml."
        )
