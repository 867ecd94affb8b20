"""Settings of the commands that have few of them: the one place of their defaults, light."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from mirrorpo import limits, seeds, typed
from mirrorpo.protocols import check_actions


class _Checked:
    """Sees that values are of their kinds, counts at least 1, and a seed and actions known ones."""

    _counts: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        typed.settle(self)
        limits.at_least(1, **{name: getattr(self, name) for name in self._counts})
        if (seed := getattr(self, "seed", None)) is not None:
            seeds.check(seed)
        if (actions := getattr(self, "actions", None)) is not None:
            check_actions(actions)


@dataclass(frozen=True)
class TrainedAgents(_Checked):
    """Which agents `train` trains, and how they are scored.

    Attributes:
        seeds: number of agents.
        seed: the seed of the first agent; the others count on.
        start_from: an agent's name or file to start from, or "random" for random networks; by
            default the task's own start.
        episodes: evaluation episodes per agent.
        actions: what agents are scored with: "sampled" actions, or their "mean" ones; default: the
            protocol's.
        task: the robot's task; default: that of the data. A FILE.py:FUNCTION must be named.
    """

    seeds: int = 1
    seed: int = 0
    start_from: str | None = None
    episodes: int = 100
    actions: str | None = None
    task: str | None = None

    _counts = ("seeds", "episodes")


@dataclass(frozen=True)
class GenerateSettings(_Checked):
    """Which trajectories `generate` simulates, and how it labels their pairs.

    Attributes:
        variant: base, noisy:EPSILON, mixed-quality, bad-judge:TEMPERATURE, joined by '+'.
        rows: number of pairs; the paper's number for the task by default.
        seed: the seed of start states, action noise and labels.
        episode_length: steps of a trajectory; the task's own by default, 1000 of MirrorPO's.
        backend: physics engine; the task's own by default.
        better: the better agent's name or file; the task's own by default.
        worse: the worse agent's name or file; the task's own by default.
    """

    variant: str = "base"
    rows: int | None = None
    seed: int = 0
    episode_length: int | None = None
    backend: str | None = None
    better: str | None = None
    worse: str | None = None

    _counts = ("rows", "episode_length")


@dataclass(frozen=True)
class LabelSettings(_Checked):
    """How `label` labels the pairs of a pool.

    Attributes:
        variant: base, noisy:EPSILON, mixed-quality, bad-judge:TEMPERATURE, joined by '+'.
        seed: the seed of the labels.
    """

    variant: str = "base"
    seed: int = 0


@dataclass(frozen=True)
class EvaluateSettings(_Checked):
    """Where an agent acts, and for how many episodes.

    Attributes:
        task: the task to act on; default: the agent's own.
        backend: physics engine; the agent's own by default on its own task.
        episodes: number of episodes.
        seed: the seed of start states and action noise.
        actions: "sampled" actions, or "mean" ones.
        penalty_coefficient: the coefficient of the task's penalty, in place of its own.
    """

    task: str | None = None
    backend: str | None = None
    episodes: int = 100
    seed: int = 0
    actions: str = "sampled"
    penalty_coefficient: float | None = None

    _counts = ("episodes",)


@dataclass(frozen=True)
class AgentTrainingSettings(_Checked):
    """How `train_agent` runs PPO, whose own settings are `PPOSettings`.

    Attributes:
        seed: the seed of the run.
        backend: physics engine; the task's own by default.
        start_from: an agent's name or file to begin from.
        until_return: stop when the mean of 100 episodes reaches this true return.
        evaluate_every: environment steps between evaluations.
    """

    seed: int = 0
    backend: str | None = None
    start_from: str | None = None
    until_return: float | None = None
    evaluate_every: int = 500_000

    _counts = ("evaluate_every",)


@dataclass(frozen=True)
class PickSettings(_Checked):
    """How `pick_agent` compares the checkpoints of a run.

    Attributes:
        candidates: checkpoints that are scored again.
        episodes: the number of episodes of each of these scores, and of the one on the chosen
            agent's card.
        task: the run's, which must be named where it is a FILE.py:FUNCTION.
    """

    candidates: int = 5
    episodes: int = 100
    task: str | None = None

    _counts = ("candidates", "episodes")


@dataclass(frozen=True)
class CalibrateSettings(_Checked):
    """How `calibrate` measures.

    Attributes:
        episodes: number of episodes of each of the two measurements.
        seed: the seed of start states and action noise; the second measurement has the next one.
        backend: physics engine; the task's own by default.
    """

    episodes: int = 100
    seed: int = 0
    backend: str | None = None

    _counts = ("episodes",)


@dataclass(frozen=True)
class LimbSettings(_Checked):
    """How `limbs` measures.

    Attributes:
        episodes: number of episodes of each agent.
        seed: the seed of start states and action noise, the same for all agents.
        backend: physics engine; the task's own by default.
    """

    episodes: int = 20
    seed: int = 0
    backend: str | None = None

    _counts = ("episodes",)


@dataclass(frozen=True)
class RenderSettings(_Checked):
    """Which episode `render` draws.

    Attributes:
        task: to act on; the agent's own by default.
        seed: the seed of the start state and the action noise.
        steps: the number of steps of the episode, which ends earlier if the robot falls.
        frames: pictures, evenly spread over the episode; by default 8 in a strip and about 12 a
            second in an animation.
        backend: physics engine; the agent's own by default on its own task.
    """

    task: str | None = None
    seed: int = 0
    steps: int = 300
    frames: int | None = None
    backend: str | None = None

    _counts = ("steps", "frames")


@dataclass(frozen=True)
class ExplainSettings(_Checked):
    """What `explain` looks at.

    Attributes:
        max_terms: the most terms of the formula.
        low: lowest log-prob to look at, a mean over time; by default the lowest that training
            visited, or -14 where that is not known.
        high: highest log-prob to look at; by default the highest visited, or -6.
        seed: the seed of the choice of pairs and of the cross-validation's folds.
    """

    max_terms: int = 4
    low: float | None = None
    high: float | None = None
    seed: int = 0

    _counts = ("max_terms",)


@dataclass(frozen=True)
class AlignSettings(_Checked):
    """What `align` changes of a recipe.

    Attributes:
        seed: the seed, in place of the recipe's.
        set: values in place of the recipe's, as in `--set learning_rate=1e-5
            objective_parameters.gamma=2`.
        format: how the pairs are laid out, in place of the recipe's dataset_format: auto, pairs,
            hh, orca, sharegpt, shp or kto; see docs/howto/pairs.md.
        smoke: four steps on a tiny random model and sixteen pairs, to see that the recipe works.
    """

    seed: int | None = None
    set: tuple[str, ...] = ()
    format: str | None = None
    smoke: bool = False


@dataclass(frozen=True)
class JudgeSettings(_Checked):
    """What `judge` compares, and how.

    Attributes:
        baseline: what to compare with: a file of answers or a model, named like the first.
        prompts: a file of instructions, of the same kinds. A model answers them; of a file of
            answers only these count.
        judge: vader; PATH.py:FUNCTION, a score from (instruction, output), run as code; or a .yaml
            file that names a language model at an OpenAI-compatible endpoint, as in
            recipes/judges/.
        adapter: a LoRA adapter for the model.
        baseline_adapter: a LoRA adapter for the baseline.
        difficulty: alpaca_eval's df_gamed.csv, for the length-controlled rate on its own
            instructions.
        max_new_tokens: the most tokens of an answer.
        temperature: the temperature of the samples; 0 takes the likeliest token.
        top_p: share of the probability that is sampled from.
        batch_size: answers at once.
        seed: the seed of the answers and of the bootstrap.
    """

    baseline: str | None = None
    prompts: Path | None = None
    judge: str = "vader"
    adapter: str | None = None
    baseline_adapter: str | None = None
    difficulty: Path | None = None
    max_new_tokens: int = 512
    temperature: float = 0.7
    top_p: float = 1.0
    batch_size: int = 8
    seed: int = 0


@dataclass(frozen=True)
class RecommendSettings(_Checked):
    """How `recommend` reads a dataset, and what it compares with.

    Attributes:
        policy: for robots, the reference policy's name or file, for how likely the data are.
        model: for texts, the reference model, for the same (extra `llm`): a folder, a hub's name,
            or smollm2. It scores at most 512 pairs, drawn by the seed.
        results: tables of bench results, tables/results.csv of `mirrorpo report`, in place of
            those that come with MirrorPO.
        format: how texts are laid out: auto, pairs, hh, orca, sharegpt, shp or kto.
        columns: names of a dataset of texts for prompt, chosen and rejected, as in `--columns
            prompt=question images=null`; null leaves one out.
        split: the split of a folder of texts, or a part of it, as in train[:1000].
        seed: the seed of folds and draws.
    """

    policy: str | None = None
    model: str | None = None
    results: tuple[Path, ...] = ()
    format: str = "auto"
    columns: tuple[str, ...] = ()
    split: str | None = None
    seed: int = 0


@dataclass(frozen=True)
class ReportSettings(_Checked):
    """What `report` draws.

    Attributes:
        rollouts: agents of each run folder that the page shows moving, the best first.
        figures: write the figures as files too, of at most 12 runs.
        all_figures: write the figures of more runs, too: some seconds each.
    """

    rollouts: int = 0
    figures: bool = True
    all_figures: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        limits.at_least(0, rollouts=self.rollouts)


def assignments(texts: Sequence[str], option: str, example: str) -> dict[str, str]:
    """Names and values of ``name=value``, as options of the command line give them.

    Args:
        texts: the texts of the option.
        option: its name, for the message.
        example: the rest of the message: what to write.

    Raises:
        ValueError: one is not of that form, or a name is there twice.
    """
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise ValueError(f"{option} {text!r}: {example}")
        if name in found:
            raise ValueError(f"{option} gives {name} twice: give it once.")
        found[name] = value
    return found
