"""Why SLiC on filtered pairs holds on texts: other ways to leave out as many pairs.

    python benchmarks/filter_controls.py runs/filter-controls
    python benchmarks/filter_controls.py runs/filter-controls --controls random --draws 0 1

The setting of `slic-filtered[drop=0.4,weight=1,delta=5]` in docs/language-smollm2.md: reviews,
three labels in ten wrong. SLiC trains on what each control leaves, on the same draws and with the
same seeds:

    all      every pair
    random   three pairs in five, at random
    truth    without the two in five whose chosen text has the smallest lead in true reward,
             all wrong labels among them: what a perfect filter would leave

An agent's results are a file of its own, so that the command resumes, and several may share a
folder. The table has all agents that are there.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import tyro

from mirrorpo import files, objectives, variants
from mirrorpo.standard_error import of_mean
from mirrorpo.study.texts import FINAL_SAMPLES_SEED

Control = Literal["all", "random", "truth"]
OBJECTIVE = objectives.get("slic", weight=1.0, delta=5.0)
FAULT = variants.parse("noisy:0.3")
DROP = 0.4
EPISODES = 128
RANDOM_SEED = 9_004


@dataclass(frozen=True)
class Trained:
    """What one agent earned, and the share of wrong labels that it was trained on."""

    control: str
    draw: int
    pairs: int
    wrong: float
    reward: float | None
    reward_standard_error: float | None
    kl: float | None
    train_seconds: float


def staying(control: Control, lead: np.ndarray, draw: int) -> np.ndarray:
    """Rows that a control keeps, rising.

    Args:
        control: see the top of this file.
        lead: true reward of the chosen text minus that of the rejected one, shape (pairs,).
        draw: number of the data draw. The control `random` drops other pairs in each draw.
    """
    if control == "all":
        return np.arange(len(lead))
    trust = (
        lead if control == "truth" else np.random.default_rng([RANDOM_SEED, draw]).random(len(lead))
    )
    return np.sort(np.argsort(trust, kind="stable")[round(DROP * len(lead)) :])


def main(
    out: tyro.conf.Positional[Path],
    controls: tuple[Control, ...] = ("random", "truth", "all"),
    draws: tuple[int, ...] = (0, 1, 2, 3),
    model: str = "smollm2",
    steps: int = 60,
    rows: int = 256,
    cache: Path | None = None,
) -> None:
    """Train and score what is missing, and print the table.

    Args:
        out: folder of the results.
        controls: see the top of this file.
        draws: numbers of the data draws. Each trains one agent, with that number as its seed.
        model: smollm2, or smoke for a tiny random one.
        steps: optimiser steps per agent.
        rows: number of pairs before any are dropped.
        cache: folder of the pools of continuations; the user's cache by default.
    """
    from mirrorpo.language.text_task import preparation, task
    from mirrorpo.language.text_task.agents import score
    from mirrorpo.language.text_task.fine_tuning import ADAPTER, fine_tune
    from mirrorpo.language.text_task.settings import TextSettings

    settings = TextSettings(
        model=model, rows=rows, steps=steps, minibatch=4, sample_batch=128, bf16=False
    )
    ready = None
    for draw in draws:
        for control in controls:
            path = out / f"{control}-{draw}.json"
            if path.is_file():
                continue
            if ready is None:
                ground = task.reviews(model)
                ready = preparation.prepare(ground, settings, lambda *_: None, cache)
            pool = ready.pool(draw, lambda *_: None)
            rewards = pool.rewards.reshape(-1)
            chosen, rejected = pool.draw(FAULT, draw)
            lead = rewards[chosen] - rewards[rejected]
            kept = staying(control, lead, draw)
            pairs = pool.pairs(FAULT, draw)
            own = out / "agents" / f"{control}-{draw}"
            trained = fine_tune(
                settings,
                OBJECTIVE,
                [pairs[row] for row in kept],
                draw,
                own,
                original=(ready.original, ready.tokenizer),
            )
            measured: tuple[float | None, float | None, float | None] = (None, None, None)
            if not trained.diverged:
                prompts = ready.task.prompts.test(settings.test_prompts)
                at = own / "samples.jsonl"
                found = score(
                    own / ADAPTER, ready, prompts, EPISODES, FINAL_SAMPLES_SEED, at
                ).measures
                measured = (found.reward, found.reward_standard_error, found.kl)
            wrong = float((lead[kept] < 0).mean())
            agent = Trained(control, draw, len(kept), wrong, *measured, trained.seconds)
            files.write_json(path, asdict(agent))
            print(f"{control}, draw {draw}: {agent.reward}", flush=True)
    print(table(out))


def table(folder: Path) -> str:
    """All agents of a folder, by control."""
    paths = sorted(folder.glob("*-*.json"))
    agents = [files.read_as(path, "an agent's results", Trained) for path in paths]
    lines = ["| pairs | wrong labels | mean true reward | by draw |", "| --- | ---: | ---: | --- |"]
    for control in get_args(Control):
        own = [one for one in agents if one.control == control and one.reward is not None]
        if own:
            values = np.array([one.reward for one in own], float)
            wrong = np.mean([one.wrong for one in own])
            each = ", ".join(f"{one.draw}: {one.reward:.1f}" for one in own)
            error = of_mean(values)
            lines.append(
                f"| {control} | {wrong:.3f} | {values.mean():.1f} ± {error:.1f} | {each} |"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    tyro.cli(main)
