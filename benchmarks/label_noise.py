"""How far the estimated rate of wrong labels is from the true one, on data whose labels are known.

    python benchmarks/label_noise.py POOL

POOL is a pool of trajectories, or pool-N.json, one of reviews, as `mirrorpo bench` and `mirrorpo
bench --task reviews` keep them in the user's cache. For each variant and number of pairs: the true
rate, the estimate's bias and root mean square error over five drawings of the labels, the same
error of plain disagreement, how often the 90 % interval holds the true rate, and how wide it is,
and the share of near-equal pairs, estimated and true.
"""

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mirrorpo.runtime.start import start_jax

FAULTS = (
    "base",
    "noisy:0.1",
    "noisy:0.2",
    "noisy:0.3",
    "mixed-quality",
    "mixed-quality+noisy:0.1",
    "mixed-quality+noisy:0.3",
)
RETURNS, POINTS = "bad-judge:1000", "bad-judge:50"
"""A judge who often errs: of a robot's returns, and of a review's reward in points."""

DRAWINGS = 5

Source = Callable[[str, int, int], tuple[Any, np.ndarray]]
"""Variant, seed and number of pairs -> the pairs, and true reward of chosen minus rejected."""


def main(path: Path) -> None:
    start_jax()
    of_texts = path.suffix == ".json"
    draw = reviews(path) if of_texts else trajectories(path)
    print(
        "| variant | pairs | true | bias | rms | disagreement rms | covers | width | "
        "near-equal, true |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for variant in (*FAULTS, POINTS if of_texts else RETURNS):
        for rows in (128, 256, 512) if of_texts else (128, 512, 1024):
            print(f"| {variant} | {rows} | {' | '.join(row(draw, variant, rows))} |", flush=True)


def trajectories(path: Path) -> Source:
    """Pairs of robots' trajectories from a pool."""
    from mirrorpo.advising import trajectory_pairs
    from mirrorpo.preferences import data

    pool = data.Pool.load(path)
    used = 1024 * 2 * data.COPIES
    short = {name: values[:used] for name, values in vars(pool.trajectories).items()}
    pool = dataclasses.replace(pool, trajectories=data.Trajectories(**short))

    def draw(variant: str, seed: int, rows: int) -> tuple[Any, np.ndarray]:
        dataset = data.label(pool, variant, seed, rows)
        returns = dataset.trajectories.returns
        difference = returns[dataset.chosen] - returns[dataset.rejected]
        return trajectory_pairs.from_trajectories(dataset.compact()), difference

    return draw


def reviews(path: Path) -> Source:
    """Pairs of continuations; a prompt's second copies make a pair of their own."""
    from mirrorpo import files, variants
    from mirrorpo.advising import text_pairs
    from mirrorpo.preference_texts import reading

    content = files.read_json(path, "a pool of continuations")
    shape = (-1, 2, variants.COPIES)
    number = np.arange(len(content["texts"])).reshape(shape)
    number = np.concatenate([number, number[:, :, ::-1]])
    said, prompts = content["texts"], [*content["prompts"], *content["prompts"]]
    rewards = np.array(content["rewards"])

    def draw(variant: str, seed: int, rows: int) -> tuple[Any, np.ndarray]:
        fault = variants.parse(variant)
        found = variants.draw_pairs(rewards[number[:rows]], fault, seed)
        chosen, rejected = (number.reshape(-1)[which] for which in found)
        texts = [
            {"prompt": prompt, "chosen": said[better], "rejected": said[other]}
            for prompt, better, other in zip(prompts, chosen, rejected, strict=False)
        ]
        pairs = text_pairs.from_texts(reading.from_rows(texts, str(path)))
        return pairs, rewards[chosen] - rewards[rejected]

    return draw


def row(draw: Source, variant: str, rows: int) -> list[str]:
    from mirrorpo.advising import conditions

    found = []
    for seed in range(DRAWINGS):
        pairs, difference = draw(variant, seed, rows)
        facts = conditions.estimate(pairs, seed)
        noise, true = facts.noise, float(np.mean(difference < 0))
        found.append(
            (
                true,
                noise.rate - true,
                noise.disagreement - true,
                noise.low <= true <= noise.high,
                noise.high - noise.low,
                facts.near_equal,
                conditions.near_equal_share(difference),
            )
        )
    true, error, plain, inside, width, near, near_true = np.array(found, float).T
    return [
        f"{true.mean():.3f}",
        f"{error.mean():+.3f}",
        f"{np.sqrt(np.mean(error**2)):.3f}",
        f"{np.sqrt(np.mean(plain**2)):.3f}",
        f"{inside.mean():.1f}",
        f"{width.mean():.2f}",
        f"{near.mean():.2f}, {near_true.mean():.2f}",
    ]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
