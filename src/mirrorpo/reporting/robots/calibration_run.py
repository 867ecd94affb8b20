"""A penalty's coefficient, found and then measured again: its numbers, their files and a plot."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from mirrorpo import files, versions
from mirrorpo.agents import agent_files, calibration
from mirrorpo.agents.calibration import Calibration
from mirrorpo.agents.limb_use import Estimate
from mirrorpo.reporting.robots import calibration_plot
from mirrorpo.simulation import tasks


@dataclass(frozen=True)
class Calibrated:
    """One agent's calibration of one task.

    Attributes:
        agent: its name.
        checksum: the checksum of its file.
        task: name of the task.
        backend: its physics engine.
        target: the wanted true return.
        episodes: the number of episodes of each of the two measurements.
        seed: the seed of the first one; the second has the next.
        found: the coefficient with its standard error, and what it was computed from.
        rounded: the coefficient to three digits.
        check: the return measured at it on fresh episodes.
    """

    agent: str
    checksum: str
    task: str
    backend: str
    target: float
    episodes: int
    seed: int
    found: Calibration
    rounded: float
    check: Estimate

    @property
    def curve(self) -> pd.DataFrame:
        """The return at each coefficient, see `calibration_plot.to_frame`."""
        return calibration_plot.to_frame(self.found, calibration_plot.coefficients(self.found))

    def __str__(self) -> str:
        found, coefficient = self.found, self.found.coefficient
        return (
            f"Coefficient {coefficient.value:.4g} \u00b1 {coefficient.standard_error:.2g} "
            f"(standard error, {self.episodes} episodes, {self.backend}) gives {self.agent} a true "
            f"return of {self.target:.6g} on {self.task}.\n"
            f"Without the penalty {found.plain_return:.1f}; sum of squared actions of "
            f"{found.limb} over an episode {found.limb_use:.1f}.\n"
            f"Measured at {self.rounded:g} on {self.episodes} fresh episodes: {self.check:.1f}."
        )

    def _repr_html_(self) -> str:
        return str(self.curve.to_html(index=False))

    def write(self, out: Path) -> None:
        """Write calibration.csv, calibration.json and calibration.png."""
        files.write_atomically(
            out / "calibration.csv", lambda part: self.curve.to_csv(part, index=False)
        )
        files.write_json(out / "calibration.json", self._document())
        title = f"{self.agent} on {self.task} ({self.backend}), {self.episodes} episodes"
        calibration_plot.save(
            out / "calibration.png", self.found, (self.rounded, self.check), title
        )

    def _document(self) -> dict[str, Any]:
        again = {"coefficient": self.rounded, "seed": self.seed + 1, **asdict(self.check)}
        return {
            "agent": self.agent,
            "agent_sha256": self.checksum,
            "task": self.task,
            "backend": self.backend,
            "limb": self.found.limb,
            "target": self.target,
            "episodes": self.episodes,
            "seed": self.seed,
            "coefficient": asdict(self.found.coefficient),
            "plain_return": asdict(self.found.plain_return),
            "limb_squared_sum": asdict(self.found.limb_use),
            "measured": again,
            "versions": versions.installed(),
            "git_commit": versions.git_commit(),
            "machine": versions.machine(),
        }


def calibrate(
    agent: str, task: str, target: float, episodes: int, seed: int, backend: str | None
) -> Calibrated:
    """Find the penalty's coefficient at which an agent has a wanted true return, and measure it.

    Args:
        agent: name of a shipped agent, or its file.
        task: a task with a penalty.
        target: the wanted mean true return, below the one without the penalty.
        episodes: number of episodes of each of the two measurements.
        seed: the seed of start states and action noise; the second measurement has the next one.
        backend: physics engine; None for the task's own.

    Raises:
        ValueError: no such agent or task, or a target that no coefficient reaches.
    """
    policy, card = agent_files.load(agent)
    loaded = tasks.robot(task, "calibrated", backend)
    found = calibration.calibrate(policy, loaded, target, episodes, seed)
    rounded = float(f"{found.coefficient.value:.3g}")
    checked = tasks.load(task, backend, penalty_coefficient=rounded)
    return Calibrated(
        card.name,
        files.checksum(agent_files.find(agent)),
        task,
        loaded.backend,
        target,
        episodes,
        seed,
        found,
        rounded,
        Estimate(*agent_files.evaluate(policy, checked, episodes, seed + 1)),
    )
