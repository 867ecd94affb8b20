"""Agents of run folders as short animations, drawn without a display."""

import io
import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from mirrorpo import array_files
from mirrorpo.agents import agent_files
from mirrorpo.reporting.page import pictures
from mirrorpo.reporting.page.folders import Folder
from mirrorpo.reporting.robots import poses, robot_drawing
from mirrorpo.simulation import tasks

STEPS = 200
FRAMES = 30
SEED = 0


@dataclass(frozen=True)
class Rollout:
    """One episode of one agent; pictures are data URIs.

    Attributes:
        run: name of the run.
        agent: the agent's name.
        description: what is to be seen, in words.
        still: the middle of the episode, PNG.
        moving: the episode, GIF.
    """

    run: str
    agent: str
    description: str
    still: str
    moving: str


def agents_in(folder: Folder, most: int) -> list[Path]:
    """Files of a run folder's agents, at most so many, those of the highest return first.

    Checkpoints are left out.
    """
    found = [*(folder.path / "agents").glob("*.safetensors"), *folder.path.glob("*.safetensors")]
    returns = {path: value for path in sorted(found) if (value := _return(path)) is not None}
    return sorted(returns, key=lambda path: returns[path], reverse=True)[:most]


def record(
    folder: Folder, path: Path, progress: Callable[[int, int], None] = lambda done, of: None
) -> Rollout:
    """Let an agent act for one episode of at most `STEPS` steps, and draw it.

    Raises:
        ValueError: as `agent_files.load`.
    """
    policy, card = agent_files.load(str(path))
    task = tasks.robot(card.task, "drawn", card.backend, STEPS)
    episode = poses.record(policy, task, SEED)
    limb = task.penalty.limb if task.penalty else None
    with tempfile.TemporaryDirectory() as name:
        moving = Path(name) / "episode.gif"
        robot_drawing.save_animation(moving, episode, FRAMES, highlight=limb, progress=progress)
        animation = moving.read_bytes()
    still = io.BytesIO()
    middle = robot_drawing.draw(episode, len(episode) // 2, highlight=limb)
    Image.fromarray(middle).save(still, format="PNG")
    seconds = len(episode) * episode.seconds
    return Rollout(
        folder.name,
        card.name,
        f"{card.name} on {card.task}: {len(episode)} steps ({seconds:.1f} s), true return "
        f"{episode.total:.0f}; over whole episodes {card.return_mean:.0f}.",
        pictures.data_uri("image/png", still.getvalue()),
        pictures.data_uri("image/gif", animation),
    )


def _return(path: Path) -> float | None:
    """What the card of an agent says that it earns, -inf if nothing; None for another file."""
    try:
        card = array_files.load_card(path, agent_files.FORMAT, "an agent")
    except ValueError:
        return None
    value = card.get("return_mean")
    if not path.with_suffix(".json").is_file():
        return None
    return float(value) if isinstance(value, (int, float)) and value == value else -math.inf
