"""``mirrorpo.evaluate``: an agent's true return."""

from __future__ import annotations

from dataclasses import dataclass

from mirrorpo.front.run_folder import PathLike, as_text
from mirrorpo.front.settings import EvaluateSettings
from mirrorpo.runtime.start import start_jax
from mirrorpo.user_text import UserText


@dataclass(frozen=True)
class Evaluation:
    """An agent's episodes on a task.

    Attributes:
        agent: its name.
        task: the name of the task.
        backend: the physics engine.
        penalty: the coefficient of the task's penalty; None where it has none.
        return_mean: mean true return.
        return_standard_error: its standard error over episodes; NaN for one episode.
        episodes: the number of episodes.
        actions: "sampled" or "mean"; "its own" of a policy of the user's.
    """

    agent: str
    task: str
    backend: str
    penalty: float | None
    return_mean: float
    return_standard_error: float
    episodes: int
    actions: str

    def __str__(self) -> str:
        penalty = "" if self.penalty is None else f", penalty {self.penalty:g}"
        return (
            f"{self.agent} on {self.task} ({self.backend}{penalty}): true return "
            f"{self.return_mean:.1f} \u00b1 {self.return_standard_error:.1f} (standard error, "
            f"{self.episodes} episodes, {self.actions} actions)"
        )


def evaluate(
    agent: PathLike,
    *,
    task: str | None = EvaluateSettings.task,
    backend: str | None = EvaluateSettings.backend,
    episodes: int = EvaluateSettings.episodes,
    seed: int = EvaluateSettings.seed,
    actions: str = EvaluateSettings.actions,
    penalty_coefficient: float | None = EvaluateSettings.penalty_coefficient,
) -> Evaluation:
    """Measure an agent's true return.

    >>> import mirrorpo as mpo
    >>> mpo.evaluate("hopper-expert", episodes=20).return_mean  # doctest: +SKIP

    Args:
        agent: name of a shipped agent, its file, or a policy of yours, FILE.py:FUNCTION, which
            takes observations and returns actions, one row each.
        task: to act on; the agent's own by default.
        backend: physics engine; the agent's own by default on its own task.
        episodes: number of episodes.
        seed: the seed of start states and action noise.
        actions: "sampled" actions, or "mean" ones.
        penalty_coefficient: in place of the coefficient of the task's penalty.

    Raises:
        ValueError: an unknown name, a number out of range, or an agent of another robot.
    """
    text = as_text(agent, "agent")
    asked = EvaluateSettings(task, backend, episodes, seed, actions, penalty_coefficient)
    start_jax()
    from mirrorpo.agents import agent_files
    from mirrorpo.simulation import tasks
    from mirrorpo.simulation.own_policy import OwnPolicy

    policy, card = agent_files.load_source(UserText(text), "agents evaluate")
    name = UserText(asked.task) if asked.task else card.get("task")
    if name is None:
        raise ValueError(f"{text} names no task: give --task.")
    backend = asked.backend or (card["backend"] if name == card.get("task") else None)
    loaded = tasks.load(name, backend, penalty_coefficient=asked.penalty_coefficient)
    mean, error = agent_files.evaluate(
        policy, loaded, asked.episodes, asked.seed, asked.actions == "mean"
    )
    return Evaluation(
        card["name"],
        name,
        loaded.backend,
        loaded.penalty.coefficient if loaded.penalty else None,
        mean,
        error,
        asked.episodes,
        "its own" if isinstance(policy, OwnPolicy) else asked.actions,
    )
