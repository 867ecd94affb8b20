"""Preference data with chosen faults: a pool of trajectories, and labelled pairs from it."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mirrorpo import array_files, damage, files, limits, seeds, versions
from mirrorpo.agents import agent_files, sources
from mirrorpo.preferences import blocks, validation
from mirrorpo.runtime.threads import side_by_side
from mirrorpo.simulation import tasks
from mirrorpo.simulation.evaluation import SHORT_EPISODE, check_sizes
from mirrorpo.simulation.policy import Policy
from mirrorpo.simulation.tasks import AnyTask
from mirrorpo.variants import BETTER, COPIES, WORSE, Variant, draw_pairs, parse

FORMAT = "mirrorpo-preferences"
POOL_FORMAT = "mirrorpo-pool"
FORMAT_VERSION = 1
MOST_SHORT = 0.02
"""Largest share of short trajectories that a bench accepts unasked."""


@dataclass(frozen=True)
class Trajectories:
    """Trajectories of the source agents. Steps at and after `length` hold zeros.

    Attributes:
        observations: shape (trajectories, steps, observations), float32, not normalised.
        actions: shape (trajectories, steps, actions), float32, as sampled, not clipped.
        length: valid steps, shape (trajectories,), int32.
        returns: sum of true rewards, shape (trajectories,), float32.
        agent: which agent acted, `BETTER` or `WORSE`, shape (trajectories,), int8.
        start: number of the start state, shape (trajectories,), int32.
    """

    observations: np.ndarray
    actions: np.ndarray
    length: np.ndarray
    returns: np.ndarray
    agent: np.ndarray
    start: np.ndarray

    def __len__(self) -> int:
        return len(self.length)


@dataclass(frozen=True)
class Pool:
    """For each row, two trajectories of each source agent: what all variants share.

    Attributes:
        trajectories: the trajectories of all rows.
        card: task, backend, agents, seed, versions.
        members: trajectories of each row, by agent (better, worse) and copy, shape
            (rows, 2, COPIES), int32; None where each stands in one row, in this order.
    """

    trajectories: Trajectories
    card: Mapping[str, Any]
    members: np.ndarray | None = None

    @property
    def rows(self) -> int:
        """Number of pairs."""
        return len(self.of_rows)

    @property
    def of_rows(self) -> np.ndarray:
        """Trajectories of each row, shape (rows, 2, COPIES)."""
        in_order = np.arange(len(self.trajectories), dtype=np.int32)
        return in_order.reshape(-1, 2, COPIES) if self.members is None else self.members

    def save(self, path: Path | str) -> None:
        """Write a safetensors file, and a JSON card with its checksum beside it."""
        members = {} if self.members is None else {"members": self.members}
        arrays = {**_arrays(self.trajectories), **members}
        _save(path, arrays, {"format": POOL_FORMAT, **self.card})

    @classmethod
    def load(cls, path: Path | str) -> "Pool":
        """Read what `save` wrote.

        Raises:
            ValueError: missing, truncated, foreign or changed file.
        """
        arrays, card = _load(path, POOL_FORMAT, "a pool of trajectories")
        trajectories, members = _trajectories(arrays, path), arrays.get("members")
        validation.check_members(members, trajectories.agent, path)
        return cls(trajectories, card, members)


@dataclass(frozen=True)
class PreferenceDataset:
    """Pairs of trajectories from one start state, each with a judge's label.

    Attributes:
        trajectories: what `chosen` and `rejected` index.
        chosen: index of each pair's chosen trajectory, shape (rows,), int32.
        rejected: index of each pair's rejected trajectory, shape (rows,), int32.
        card: task, backend, variant, agents, seeds, versions.
    """

    trajectories: Trajectories
    chosen: np.ndarray
    rejected: np.ndarray
    card: Mapping[str, Any] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Number of pairs."""
        return len(self.chosen)

    @property
    def flipped(self) -> np.ndarray:
        """Whether each label contradicts the true returns, shape (rows,), bool."""
        returns = self.trajectories.returns
        return returns[self.chosen] < returns[self.rejected]

    @property
    def observation_size(self) -> int:
        """Numbers of an observation."""
        return int(self.trajectories.observations.shape[-1])

    @property
    def action_size(self) -> int:
        """Numbers of an action."""
        return int(self.trajectories.actions.shape[-1])

    @property
    def choices(self) -> int | None:
        """Number of discrete actions; None for vectors of real numbers."""
        return self.card.get("choices")

    def observation_moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of all valid observations in the pairs.

        Each has the shape (observations,). A pair's trajectory counts as often as it is used.
        """
        count = 0
        total = np.zeros(self.observation_size)
        square = np.zeros(self.observation_size)
        used, times = np.unique(np.concatenate([self.chosen, self.rejected]), return_counts=True)
        for index, weight in zip(used, times, strict=True):
            steps = self.trajectories.length[index]
            x = self.trajectories.observations[index, :steps].astype(np.float64)
            count += weight * steps
            total += weight * x.sum(axis=0)
            square += weight * (x * x).sum(axis=0)
        mean = total / count
        std = np.sqrt(np.maximum(square / count - mean**2, 1e-8))
        return mean.astype(np.float32), std.astype(np.float32)

    def compact(self) -> "PreferenceDataset":
        """The same pairs over only those trajectories that they use."""
        used, position = np.unique(
            np.concatenate([self.chosen, self.rejected]), return_inverse=True
        )
        if len(used) == len(self.trajectories):
            return self
        kept = {name: array[used] for name, array in _arrays(self.trajectories).items()}
        chosen, rejected = np.split(position.astype(np.int32), 2)
        return PreferenceDataset(Trajectories(**kept), chosen, rejected, self.card)

    def save(self, path: Path | str) -> None:
        """Write a safetensors file with the trajectories that the pairs use.

        A JSON card with its checksum goes beside it.
        """
        compact = self.compact()
        _save(
            path,
            {
                **_arrays(compact.trajectories),
                "chosen": compact.chosen,
                "rejected": compact.rejected,
            },
            {"format": FORMAT, **self.card},
        )

    @classmethod
    def load(cls, path: Path | str) -> "PreferenceDataset":
        """Read what `save` wrote, and see once that all of it can be trained on.

        Raises:
            ValueError: missing, truncated, foreign or changed file, or a fault in its numbers
                (see `validation`). The message names the place.
        """
        arrays, card = _load(path, FORMAT, "a preference dataset")
        trajectories = _trajectories(arrays, path)
        for name in ("chosen", "rejected"):
            if name not in arrays:
                raise ValueError(f"{path} is not a preference dataset: it has no {name!r}.")
        validation.check_pairs(arrays["chosen"], arrays["rejected"], len(trajectories), path)
        return cls(trajectories, arrays["chosen"], arrays["rejected"], card)


def simulate(
    task: AnyTask,
    rows: int,
    seed: int,
    better: str | Path | None = None,
    worse: str | Path | None = None,
    parts: Path | None = None,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Pool:
    """Simulate the pool: from each of `rows` start states, two trajectories of each agent.

    Args:
        task: where the agents act and are scored.
        rows: number of start states, at least 1.
        seed: the seed of start states and action noise.
        better: agent's name or file; None for the task's own.
        worse: agent's name or file; None for the task's own.
        parts: folder for finished parts, which stay there; the same call resumes from them
            after a kill. A part that is damaged, or of another pool, is said and made again.
        progress: called with (parts done, number of parts).

    Raises:
        ValueError: rows below 1, a seed out of range, no such agent, or an agent of another
            robot.
    """
    limits.at_least(1, rows=rows)
    seeds.check(seed)
    own = sources.choose(task.name, better, worse, rows)
    loaded = [
        agent_files.load_source(name, option)
        for name, option in ((own.better, "--better"), (own.worse, "--worse"))
    ]
    policies = [policy for policy, _ in loaded]
    for policy in policies:
        if isinstance(policy, Policy):
            check_sizes(policy, task)
    card = {
        "format_version": FORMAT_VERSION,
        **tasks.on_card(task),
        "penalty": asdict(task.penalty) if task.penalty else None,
        **({} if task.choices is None else {"choices": task.choices}),
        "rows": rows,
        "pool_seed": seed,
        "better": loaded[BETTER][1],
        "worse": loaded[WORSE][1],
        "versions": versions.installed(),
    }
    count, places = -(-rows // blocks.ROWS_A_BLOCK), blocks.at_once(task)

    def piece_of(block: int) -> dict[str, np.ndarray]:
        piece = _load_part(parts, block, card)
        if piece is None:
            piece = blocks.simulate(policies, block, rows, seed, task, block % places)
            if parts is not None:
                array_files.save_arrays(_part(parts, block), piece, {"format": "part", "of": card})
        return piece

    pieces = []
    for piece in side_by_side(piece_of, range(count), places):
        pieces.append(piece)
        progress(len(pieces), count)
    arrays = {
        name: np.concatenate([piece[name] for piece in pieces])[: rows * 2 * COPIES]
        for name in pieces[0]
    }
    return Pool(Trajectories(**arrays), card)


def short_share(trajectories: Trajectories, episode_length: int) -> float:
    """Share of trajectories that end within `SHORT_EPISODE` steps, though they could be longer."""
    if episode_length <= SHORT_EPISODE:
        return 0.0
    return float(np.mean(trajectories.length < SHORT_EPISODE))


def refuse_short(pool: Pool) -> None:
    """Raise ValueError where many trajectories end almost at once.

    Such pairs are coin flips, and each of their few steps weighs many times as much in a mean.
    """
    share = short_share(pool.trajectories, pool.card["episode_length"])
    if share > MOST_SHORT:
        raise ValueError(
            f"{100 * share:.1f} % of the trajectories on {pool.card['task']} end within "
            f"{SHORT_EPISODE} steps (more than {100 * MOST_SHORT:g} %): look at the start states "
            "and the source agents, or pass --allow-short to use them as they are."
        )


def label(
    pool: Pool, variant: Variant | str, seed: int, rows: int | None = None
) -> PreferenceDataset:
    """A preference dataset of one variant: an indexed view of the pool with new labels.

    The judge is Bradley-Terry on the true returns (paper, eq. 2) at the variant's temperature;
    then labels are flipped with the variant's noise.

    Args:
        pool: trajectories.
        variant: its faults, or their text.
        seed: draws the agents of mixed pairs, the order within pairs, the judge and the noise.
        rows: use the first rows only; None for all.

    Raises:
        ValueError: rows outside [1, the pool's rows], or an unknown variant.
    """
    variant = parse(variant) if isinstance(variant, str) else variant
    rows = pool.rows if rows is None else rows
    if not 1 <= rows <= pool.rows:
        raise ValueError(f"rows must be between 1 and the pool's {pool.rows}, not {rows}.")
    members = pool.of_rows[:rows]
    chosen, rejected = (
        members.reshape(-1)[places]
        for places in draw_pairs(pool.trajectories.returns[members], variant, seed)
    )
    card = {**pool.card, "rows": rows, "variant": str(variant), "label_seed": seed}
    return PreferenceDataset(pool.trajectories, chosen, rejected, card)


def generate(
    task: AnyTask,
    variant: Variant | str,
    rows: int,
    seed: int,
    better: str | Path | None = None,
    worse: str | Path | None = None,
) -> PreferenceDataset:
    """Simulate a pool and label it; see `simulate` and `label` for arguments and errors."""
    variant = parse(variant) if isinstance(variant, str) else variant
    return label(simulate(task, rows, seed, better, worse), variant, seed)


def _part(parts: Path, block: int) -> Path:
    return Path(parts) / f"part-{block:05d}.safetensors"


def _load_part(parts: Path | None, block: int, card: Mapping[str, Any]) -> dict[str, Any] | None:
    if parts is None or not _part(parts, block).is_file():
        return None
    path = _part(parts, block)
    try:
        if array_files.load_card(path, "part", "a part of a pool").get("of") != card:
            raise ValueError(f"{path} is a part of another pool.")
        return array_files.load_arrays(path, "a part of a pool")
    except ValueError as error:
        damage.say(f"{error} It is simulated again.")
        return None


def _arrays(trajectories: Trajectories) -> dict[str, np.ndarray]:
    return {name: getattr(trajectories, name) for name in Trajectories.__dataclass_fields__}


def _trajectories(arrays: Mapping[str, np.ndarray], path: Path | str) -> Trajectories:
    names = Trajectories.__dataclass_fields__
    missing = set(names) - set(arrays)
    if missing:
        raise ValueError(f"{path} lacks the arrays {', '.join(sorted(missing))}.")
    validation.check_trajectories(arrays, path)
    return Trajectories(**{name: arrays[name] for name in names})


def _save(path: Path | str, arrays: Mapping[str, np.ndarray], card: Mapping[str, Any]) -> None:
    path = Path(path)
    if path.suffix != ".safetensors":
        raise ValueError(f"{path}: data are written as safetensors; end the name so.")
    files.write_with_card(path, lambda to: array_files.save_arrays(to, arrays, card), card)


def _load(
    path: Path | str, format_name: str, what: str
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    path = Path(path)
    card = array_files.load_card(path, format_name, what)
    validation.check_task_card(card, path)
    files.check_version(path, card, FORMAT_VERSION)
    files.check_card(path, what)
    card.pop("format")
    return array_files.load_arrays(path, what), card
