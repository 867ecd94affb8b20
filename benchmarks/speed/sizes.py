"""How large the measurements are."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """How large the measurements are.

    Attributes:
        populations: agents trained at once, with the first of `hidden`.
        wide_populations: agents trained at once, with the others of `hidden`.
        bfloat16_population: the one of `populations` that textbook JAX trains in bfloat16, too.
        hidden: units of each of the two hidden layers; growth is measured with the first.
        agent_steps: about how many a measurement takes; each agent takes 2 at least.
        wide_agent_steps: the same, with the others of `hidden`.
        time_steps: the number per trajectory.
        matrix: side of the square matrices of the peak.
        matrix_seconds: how long each library multiplies matrices.
        evaluated: agents of the evaluations.
        episodes: the number per agent in the evaluations.
        episode_steps: the length of an episode, outside the search.
        search_population: agents of the search's generation.
        search_rows: pairs that they train on.
        search_epochs: passes over them.
        search_time_steps: sampled from each trajectory and minibatch.
        search_episodes: the number per agent, 1000 steps each.
        small_task: whether the search's generation is on a point without physics.
        language_losses: losses of `PreferenceTrainer` and of TRL's trainers.
        language_repeats: pairs of runs that are timed.
        language_steps: optimiser steps of a run.
        language_batch: pairs of a step.
        language_answer: tokens of an answer at most.
        language_hidden: the width of the random model.
        language_layers: its layers.
        growth_populations: agents, where growth is measured against them; the other growths
            are measured with the first.
        growth_rows: pairs, where growth is measured against them; likewise.
        growth_time_steps: the numbers per trajectory that growth is measured at.
        growth_episodes: the numbers per agent that growth is measured at.
        least_seconds: how long a measurement is repeated, at least twice; the fastest counts.
    """

    populations: tuple[int, ...] = (1, 16, 64, 256)
    wide_populations: tuple[int, ...] = (1, 16)
    bfloat16_population: int = 16
    hidden: tuple[int, ...] = (64, 256)
    agent_steps: int = 1024
    wide_agent_steps: int = 256
    time_steps: int = 1000
    matrix: int = 2048
    matrix_seconds: float = 5.0
    evaluated: tuple[int, ...] = (1, 16)
    episodes: int = 50
    episode_steps: int = 100
    search_population: int = 16
    search_rows: int = 256
    search_epochs: int = 3
    search_time_steps: int = 64
    search_episodes: int = 32
    small_task: bool = False
    language_losses: tuple[str, ...] = ("dpo", "simpo")
    language_repeats: int = 3
    language_steps: int = 6
    language_batch: int = 8
    language_answer: int = 32
    language_hidden: int = 256
    language_layers: int = 2
    growth_populations: tuple[int, ...] = (2, 8, 32)
    growth_rows: tuple[int, ...] = (128, 256, 512)
    growth_time_steps: tuple[int, ...] = (250, 500, 1000)
    growth_episodes: tuple[int, ...] = (50, 100, 200)
    least_seconds: float = 1.0


QUICK = Sizes(
    populations=(2,),
    wide_populations=(2,),
    bfloat16_population=2,
    hidden=(8,),
    agent_steps=8,
    wide_agent_steps=8,
    time_steps=20,
    matrix=64,
    matrix_seconds=0.05,
    evaluated=(2,),
    episodes=2,
    episode_steps=4,
    search_population=2,
    search_rows=4,
    search_epochs=1,
    search_time_steps=4,
    search_episodes=2,
    small_task=True,
    language_losses=("simpo",),
    language_repeats=1,
    language_steps=2,
    language_batch=2,
    language_answer=8,
    language_hidden=16,
    language_layers=1,
    growth_populations=(2, 4, 6),
    growth_rows=(8, 16, 32),
    growth_time_steps=(10, 20, 40),
    growth_episodes=(2, 4, 8),
    least_seconds=0.0,
)
