"""How far the estimated rate of wrong labels is from the true one, on data whose labels are known.

    python benchmarks/label_noise.py POOL

POOL is a pool of trajectories, as `mirrorpo bench` keeps in the user's cache. For each variant and
number of pairs: the true rate, the estimate's bias and root mean square error over five drawings of
the labels, the same error of plain disagreement, how often the 90 % interval holds the true rate,
and the share of near-equal pairs, estimated and true.
"""

import dataclasses
import sys
from pathlib import Path
from typing import Any

import numpy as np

from mirrorpo.cli.console import start_jax

VARIANTS = (
    "base",
    "noisy:0.1",
    "noisy:0.2",
    "noisy:0.3",
    "mixed-quality",
    "mixed-quality+noisy:0.1",
    "mixed-quality+noisy:0.3",
    "bad-judge:1000",
)
ROWS = (128, 512, 1024)
DRAWINGS = 5


def main(path: Path) -> None:
    start_jax()
    from mirrorpo.control import data

    pool = data.Pool.load(path)
    used = max(ROWS) * 2 * data.COPIES
    short = {name: values[:used] for name, values in vars(pool.trajectories).items()}
    pool = dataclasses.replace(pool, trajectories=data.Trajectories(**short))
    print("| variant | pairs | true | bias | rms | disagreement rms | covers | near-equal, true |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for variant in VARIANTS:
        for rows in ROWS:
            print(f"| {variant} | {rows} | {' | '.join(row(pool, variant, rows))} |", flush=True)


def row(pool: Any, variant: str, rows: int) -> list[str]:
    from mirrorpo.control import data
    from mirrorpo.recommend import conditions, pairs

    found = []
    for seed in range(DRAWINGS):
        dataset = data.label(pool, variant, seed, rows)
        facts = conditions.estimate(pairs.from_trajectories(dataset.compact()), seed)
        returns = dataset.trajectories.returns
        near = conditions.near_equal_share(returns[dataset.chosen] - returns[dataset.rejected])
        true = float(dataset.flipped.mean())
        noise = facts.noise
        inside = noise.low <= true <= noise.high
        found.append(
            (true, noise.rate - true, noise.disagreement - true, inside, facts.near_equal, near)
        )
    true, error, plain, inside, near, near_true = np.array(found, float).T
    return [
        f"{true.mean():.3f}",
        f"{error.mean():+.3f}",
        f"{np.sqrt(np.mean(error**2)):.3f}",
        f"{np.sqrt(np.mean(plain**2)):.3f}",
        f"{inside.mean():.1f}",
        f"{near.mean():.2f}, {near_true.mean():.2f}",
    ]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
