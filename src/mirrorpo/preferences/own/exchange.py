"""A pool as a NumPy archive in D4RL's layout, for other programs, and read back from there."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mirrorpo import bounded, files
from mirrorpo.preferences import validation
from mirrorpo.preferences.data import Pool
from mirrorpo.preferences.own.columns import Columns
from mirrorpo.preferences.own.cutting import cut
from mirrorpo.preferences.own.steps import Steps

CARD, MEMBERS = "mirrorpo_card", "mirrorpo_members"
COLUMNS = ("agent", "start")
"""What an archive of ours has besides the steps: its card, its rows, and two columns."""


def write(pool: Pool, path: Path) -> None:
    """Write a pool's steps as one archive.

    The archive holds observations, actions, rewards, terminals, timeouts, episode, agent and start.
    A pool knows the return of an episode alone: all of it is the reward of the last step.

    Raises:
        ValueError: the name does not end in .npz.
    """
    if path.suffix != ".npz":
        raise ValueError(f"{path}: a pool is exported as a NumPy archive; end the name in .npz.")
    held = pool.trajectories
    valid = np.arange(held.observations.shape[1]) < held.length[:, None]
    last = np.cumsum(held.length) - 1
    rewards = np.zeros(len(valid[valid]), np.float32)
    rewards[last] = held.returns
    ended = np.zeros((2, len(rewards)), bool)
    # An episode that fills the time was cut; another one fell.
    cut_off = held.length >= int(pool.card.get("episode_length") or held.observations.shape[1])
    ended[cut_off.astype(int), last] = True
    arrays = {
        "observations": held.observations[valid],
        "actions": held.actions[valid],
        "rewards": rewards,
        "terminals": ended[0],
        "timeouts": ended[1],
        "episode": np.repeat(np.arange(len(held)), held.length),
        "agent": np.repeat(held.agent, held.length),
        "start": np.repeat(held.start, held.length),
        MEMBERS: pool.of_rows,
        CARD: np.array(json.dumps(dict(pool.card))),
    }

    def save(to: Path) -> None:
        with to.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)

    files.write_atomically(path, save)


def is_ours(columns: Columns) -> bool:
    """Whether a file is what `write` wrote."""
    return CARD in columns.names and MEMBERS in columns.names


def restore(steps: Steps, columns: Columns) -> Pool:
    """The pool that `write` wrote.

    Raises:
        ValueError: the archive was changed into no pool.
    """
    where = columns.where
    card = _card(columns)
    count = len(steps.first)
    agent, start = (_whole(steps.values[name], f"{where}: {name}") for name in COLUMNS)
    members = columns.read(MEMBERS)
    outside = ~np.isin(agent, (0, 1))
    if outside.any():
        at = int(np.argmax(outside))
        raise ValueError(f"{where}: agent of episode {at} is {agent[at]}, but must be 0 or 1.")
    validation.check_members(members, agent, where)
    in_order = members.size == count and (members.ravel() == np.arange(count)).all()
    return Pool(
        cut(steps, steps.first, steps.length, agent, start),
        card,
        None if in_order else members.astype(np.int32),
    )


def _card(columns: Columns) -> Mapping[str, Any]:
    text = columns.read(CARD)
    try:
        if text.dtype.kind != "U" or text.ndim:
            raise ValueError("it is not text")
        card = bounded.parse_json(str(text))
        if not isinstance(card, dict):
            raise ValueError("it is not a JSON object")
    except ValueError as error:
        raise ValueError(f"{columns.where}: {CARD} is damaged: {error}.") from None
    validation.check_task_card(card, columns.where)
    return card


def _whole(values: np.ndarray, called: str) -> np.ndarray:
    if values.dtype.kind not in "iu":
        raise ValueError(f"{called} holds {values.dtype}, where whole numbers are needed.")
    return values
