"""A loss's rows of a leaderboard as one JSON file: written, read, and compared with new ones."""

import hashlib
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mirrorpo import bounded, files, standard_error, typed
from mirrorpo.objectives import naming
from mirrorpo.study.phases import FINAL
from mirrorpo.study.records import AgentRecord

FORMAT = 1
FILE = "submission.json"
KIND_OF_FILE = "a submission of MirrorPO"

AGREES_WITHIN = 3.0
"""Standard errors up to which two means of one cell agree, and their agents' paired differences."""

LAST_DIGITS = 1e-3
"""Share of a mean up to which another machine's arithmetic may move it."""

EQUAL, AGREES, DIFFERS = "equal", "agrees", "differs"


@dataclass(frozen=True)
class Submission:
    """The rows of one loss in one suite.

    Attributes:
        format: version of this layout.
        suite: name of the suite.
        tier: the tier of the suite's robots.
        objective: as its user named it.
        content: checksum of the objective, see `algorithms.Algorithm.checksum`.
        agents: every agent, also those of tuning, and those of the suite's anchor.
        versions: the versions of Python and of the packages that decide the numbers.
        checksum: SHA-256 of all the rest.
    """

    format: int
    suite: str
    tier: str
    objective: str
    content: str
    agents: Sequence[AgentRecord]
    versions: Mapping[str, Any]
    checksum: str = ""

    def cells(self) -> list[tuple[str, str]]:
        """Task and variant of each cell that the objective has reported agents in, in order."""
        return list(dict.fromkeys((one.task, one.variant) for one in self._final()))

    def of_cell(self, task: str, variant: str) -> list[AgentRecord]:
        """The objective's reported agents of a cell, by seed."""
        found = [one for one in self._final() if (one.task, one.variant) == (task, variant)]
        return sorted(found, key=lambda one: one.seed)

    def _final(self) -> Iterable[AgentRecord]:
        return (
            one for one in self.agents if one.phase == FINAL and one.algorithm == self.objective
        )


def write(path: Path, submission: Submission) -> Submission:
    """Write a submission with its checksum, and return it so."""
    content = asdict(submission) | {"checksum": ""}
    content["checksum"] = _digest(content)
    files.write_json(path, content)
    return read(path)


def read(path: Path) -> Submission:
    """A submission from its file, which is data: nothing that it names is run or loaded.

    Raises:
        ValueError: no such file; not a submission, or one of a newer layout; or one that was
            changed since it was written.
    """
    content = files.read_object(path, KIND_OF_FILE)
    files.check_version(path, {"format_version": content.get("format")}, FORMAT)
    try:
        rows = typed.check(content.get("agents"), Sequence[Mapping[str, Any]], "agents")
        agents = [typed.build(AgentRecord, row) for row in rows]
        found = replace(typed.build(Submission, {**content, "agents": []}), agents=agents)
    except typed.WrongTypeError as error:
        raise ValueError(f"{path} is not {KIND_OF_FILE}: {error}.") from None
    if found.checksum != _digest(content | {"checksum": ""}):
        raise ValueError(
            f"{path} was changed after it was written: its checksum is another. Ask for the file "
            "again, or measure it again with mirrorpo submit."
        )
    if not found.cells():
        raise ValueError(f"{path} has no reported agent of {found.objective!r:.60}.")
    for one in agents:
        if one.return_mean is not None and not math.isfinite(one.return_mean):
            raise ValueError(f"{path} is not {KIND_OF_FILE}: return_mean is {one.return_mean}.")
    return found


def check_cell(submission: Submission, task: str, variant: str, seeds: int) -> None:
    """See that a cell's agents can be trained again: one of each seed, all in one way.

    Raises:
        ValueError: they cannot.
    """
    agents = submission.of_cell(task, variant)
    if [one.seed for one in agents] != [*range(seeds)]:
        raise ValueError(
            f"The submission's cell {task}, {variant} must have one agent of each seed from 0 to "
            f"{seeds - 1}, and has {len(agents)} agents."
        )
    if len({one.hyperparameters for one in agents}) > 1:
        raise ValueError(
            f"The submission's cell {task}, {variant} has agents of different hyper-parameters."
        )


def refuse_another(path: Path, submission: Submission) -> None:
    """See that a submission may be written to `path`: nothing is there, or the same one.

    Raises:
        ValueError: a file that is no submission, or one of another loss, tier or suite.
    """
    if not os.path.lexists(path):
        return
    found = read(path)
    differing = [
        name
        for name in ("suite", "tier", "objective", "content")
        if getattr(found, name) != getattr(submission, name)
    ]
    if differing:
        raise ValueError(
            f"{path} is another submission ({' and '.join(differing)} differ): it is not "
            "overwritten. Choose another --out."
        )


def _digest(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Comparison:
    """One cell, as it was submitted and as it was measured again.

    Attributes:
        task: the task of the cell.
        variant: the variant of the cell.
        submitted: mean return of its agents; NaN where one diverged.
        submitted_error: standard error over agents.
        measured: the mean of those that were trained again.
        measured_error: its standard error.
        difference: mean of the agents' paired differences, measured less submitted.
        difference_error: its standard error.
        equal: number of agents whose return is the same to the last digit.
        agents: number of agents.
    """

    task: str
    variant: str
    submitted: float
    submitted_error: float
    measured: float
    measured_error: float
    difference: float
    difference_error: float
    equal: int
    agents: int

    @property
    def verdict(self) -> str:
        """`EQUAL` in all digits, `AGREES` within `AGREES_WITHIN` standard errors, or `DIFFERS`.

        The bounds follow from what was measured here: a spread that was made up widens none.
        """
        if self.equal == self.agents:
            return EQUAL
        # The same agents again vary at most as others would.
        of_others = math.sqrt(2.0) * self.measured_error
        smallest = LAST_DIGITS * abs(self.measured)
        mean = max(smallest, AGREES_WITHIN * min(self.difference_error, of_others))
        spread = max(smallest, AGREES_WITHIN * of_others)
        agrees = abs(self.difference) <= mean and self.difference_error <= spread
        return AGREES if agrees else DIFFERS


def compare(submitted: Sequence[AgentRecord], measured: Sequence[AgentRecord]) -> Comparison:
    """Agents of one cell, by seed, beside those that were trained again."""
    before, again = _returns(submitted), _returns(measured)
    draws = [one.data_draw for one in measured]
    return Comparison(
        submitted[0].task,
        submitted[0].variant,
        *standard_error.mean_and_error(before, draws),
        *standard_error.mean_and_error(again, draws),
        *standard_error.mean_and_error(np.subtract(again, before), draws),
        # NaN is a diverged agent, on both sides.
        sum(a == b or (a != a and b != b) for a, b in zip(before, again, strict=True)),
        len(before),
    )


def _returns(agents: Sequence[AgentRecord]) -> list[float]:
    return [math.nan if one.return_mean is None else one.return_mean for one in agents]


def label(text: str) -> str:
    """An objective's text without the folders of a file: they are its user's own affair."""
    named = naming.parse(text)
    short = named.name.replace("\\", "/").rpartition("/")[2]
    return short + str(text)[len(named.name) :]


def values_of(agent: AgentRecord) -> Mapping[str, float]:
    """The hyper-parameters that an agent was trained with.

    Raises:
        ValueError: its record states none.
    """
    try:
        content = bounded.parse_json(agent.hyperparameters)
        found: Mapping[str, float] = typed.check(content, Mapping[str, float], "hyperparameters")
    except ValueError as error:
        raise ValueError(f"The submission's hyper-parameters are damaged: {error}.") from None
    for name, value in found.items():
        # They become part of a text that may name a file of code.
        if not name.isidentifier() or not math.isfinite(value):
            raise ValueError(
                f"The submission's hyper-parameters are damaged: {name!r:.40} is {value!r:.40}."
            )
    return found


def agents_of(frame: pd.DataFrame, labels: Mapping[str, str]) -> list[AgentRecord]:
    """The rows of a bench's agents as records.

    Args:
        frame: see `records.to_frame`.
        labels: other names for algorithms.
    """
    names = [one.name for one in fields(AgentRecord) if one.name != "measures"]
    rows = frame[names].astype(object).where(frame[names].notna(), None).to_dict("records")
    found = [typed.build(AgentRecord, files.as_json(row)) for row in rows]
    return [replace(one, algorithm=labels.get(one.algorithm, one.algorithm)) for one in found]


def table(submission: Submission) -> pd.DataFrame:
    """One row per cell of the submitted objective: mean, standard error and number of agents."""
    rows = []
    for task, variant in submission.cells():
        agents = submission.of_cell(task, variant)
        draws = [one.data_draw for one in agents]
        mean, error = standard_error.mean_and_error(_returns(agents), draws)
        rows.append((task, variant, mean, error, len(agents)))
    return pd.DataFrame(rows, columns=["task", "variant", "mean", "standard_error", "agents"])
