"""Runs that train one at a time: robots' agents and language models, their curves and scores."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mirrorpo import bounded, files, json_lines, runs
from mirrorpo.reporting.page.folders import Folder
from mirrorpo.run_kinds import Kind
from mirrorpo.study.tables import NOT_RUN

_CURVES = ("chosen_log_prob", "rejected_log_prob", "margin", "loss")
_RESULTS = "results.json"

# Of `mirrorpo align`: a chart's caption, and the numbers of the log that it draws.
_ALIGN_CHARTS = (
    ("Loss and its terms", ("loss", "loss/sft", "loss/preference")),
    ("Weights of the terms", ("weight/sft", "weight/preference")),
    ("Margin of the log-probs", ("margin",)),
    ("Accuracy: share of pairs with a positive margin", ("accuracy",)),
    ("Log-prob per token", ("logps_per_token/chosen", "logps_per_token/rejected")),
)
_ALIGN_NAMES = {"sft": "SFT term", "preference": "preference term"}
_TEST = "eval_"


@dataclass(frozen=True)
class Chart:
    """Curves that share their axes.

    Attributes:
        caption: the caption of the chart.
        argument: what the curves go along.
        points: the points of the curves: ``name``, ``x`` and ``y``.
    """

    caption: str
    argument: str
    points: list[dict[str, Any]]


@dataclass(frozen=True)
class TrainingPart:
    """A run of `mirrorpo agents train`, `mirrorpo train` or `mirrorpo align`.

    Attributes:
        folder: the folder of the run.
        what: what was trained, in words.
        charts: the charts of the training; those without points are left out.
        results: one agent each: seed, return_mean, return_standard_error, diverged.
        on_test_pairs: what was measured on the test pairs of a language model: name and value.
        finished: whether the run has ended.
        state: how far it is, in words; shown where it has not ended.
        environment_steps: the environment steps of training; None where it has none.
        seconds: the seconds of the run; None where it is not recorded.
        lost: whether the one policy or model of the run diverged; the results say it of several.
    """

    folder: Folder
    what: str
    charts: Sequence[Chart]
    results: Sequence[Mapping[str, Any]] = ()
    on_test_pairs: Sequence[tuple[str, str]] = ()
    finished: bool = True
    state: str = ""
    environment_steps: int | None = None
    seconds: float | None = None
    lost: bool = False

    @property
    def name(self) -> str:
        """Name of the run."""
        return self.folder.name

    @property
    def agents(self) -> int:
        """Number of agents, or 1 for a language model."""
        return len(self.results) or 1

    @property
    def diverged(self) -> int:
        """How many of these diverged."""
        return sum(bool(result["diverged"]) for result in self.results) + self.lost


def read(folder: Folder) -> TrainingPart:
    """A training run, finished or not.

    Raises:
        ValueError: its files are damaged.
    """
    path = folder.path / runs.METRICS
    bounded.check_size(path, "the log of a training", bounded.LOG)
    return _READERS[folder.kind](folder, json_lines.read(path))


def _agents_train(folder: Folder, lines: list[dict[str, Any]]) -> TrainingPart:
    points = [
        {"name": "true return", "x": line["environment_steps"], "y": line["return_mean"]}
        for line in lines
        if line["return_mean"] is not None
    ]
    done = lines[-1]["environment_steps"] if lines else 0
    lost = bool(lines) and lines[-1]["return_mean"] is None
    settings = folder.settings["settings"]
    total = settings["total_steps"]
    return TrainingPart(
        folder,
        f"PPO on {folder.settings['task']}",
        _with_points(Chart("True return by environment steps", "environment steps", points)),
        # Training takes whole rollouts. It may also have met its goal: the folder does not tell.
        finished=not lost and done > total - settings["environments"] * settings["rollout_steps"],
        state=f"diverged after {done:,} steps" if lost else f"{done:,} of at most {total:,} steps",
        lost=lost,
        environment_steps=done,
        seconds=_seconds([line["seconds"] for line in lines]),
    )


def _seconds(clock: Sequence[float]) -> float:
    """What a run took, by its clock at each line of its log, which starts anew with the run."""
    before = [0.0, *clock[:-1]][: len(clock)]
    return sum(now - last if now >= last else now for last, now in zip(before, clock, strict=True))


def _train(folder: Folder, lines: list[dict[str, Any]]) -> TrainingPart:
    path = folder.path / _RESULTS
    points = [
        {"name": name.replace("_", " "), "x": line["epoch"], "y": line[name]}
        for line in lines
        if line["seed"] == lines[0]["seed"]
        for name in _CURVES
        if line[name] is not None
    ]
    return TrainingPart(
        folder,
        str(folder.settings["objective"]),
        _with_points(Chart("Training curves, the first agent's", "epoch", points)),
        results=files.read_json(path, "results") if path.is_file() else [],
        finished=path.is_file(),
        state="unfinished",
    )


def _align(folder: Folder, lines: list[dict[str, Any]]) -> TrainingPart:
    settings = folder.settings
    path = folder.path / _RESULTS
    results = files.read_json(path, "results") if path.is_file() else {}
    last = max((line["step"] for line in lines), default=0)
    lost = bool(results.get("diverged"))
    return TrainingPart(
        folder,
        f"{settings['objective']}: {settings['model_name_or_path']} on {settings['dataset_name']}",
        _with_points(
            *(
                Chart(caption, "optimiser step", _align_points(lines, names))
                for caption, names in _ALIGN_CHARTS
            )
        ),
        on_test_pairs=[
            (name, _number(results.get(_TEST + name))) for name in ("loss", "margin", "accuracy")
        ]
        if results and not lost
        else [],
        finished=path.is_file() and not lost,
        state=f"diverged from step {results['steps']} on" if lost else f"unfinished: step {last}",
        lost=lost,
    )


_READERS: Mapping[Kind, Callable[[Folder, list[dict[str, Any]]], TrainingPart]] = {
    "agents train": _agents_train,
    "train": _train,
    "align": _align,
}
KINDS = tuple(_READERS)
"""The kinds of run folders that `read` takes."""


def _align_points(lines: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[dict[str, Any]]:
    """Points of a trainer's log, on training and on test pairs."""
    points = []
    for name in names:
        last = name.split("/")[-1]
        shown = _ALIGN_NAMES.get(last, last)
        # A weight depends on progress alone, and on no pairs.
        sets = (("", ""),) if name.startswith("weight/") else (("", ""), (_TEST, ", test pairs"))
        for prefix, of in sets:
            points += [
                {"name": shown + of, "x": line["step"], "y": line[prefix + name]}
                for line in lines
                if line.get(prefix + name) is not None
            ]
    return points


def _with_points(*charts: Chart) -> list[Chart]:
    return [chart for chart in charts if chart.points]


def _number(value: float | None) -> str:
    return NOT_RUN if value is None else f"{value:.4f}"
