"""Which schedule of the learning rate? Five losses on clean and on noisy data of two robots.

    python benchmarks/schedules.py --out runs/schedules

Resumes after a kill. Every other setting is the protocol `mirror`'s, with 64 sampled steps. A loss
has the same hyper-parameters everywhere: those tuned on Hopper's noisy data, of SLiC and DPO those
tuned on its clean data.
"""

import argparse
import itertools
from pathlib import Path

import pandas as pd

import mirrorpo as mpo
from mirrorpo.study.statistics import row_means
from mirrorpo.study.tables import mean_text

LOSSES = (
    "sft",
    "cpo[beta=0.2718,sft_weight=0.06744]",
    "slic[delta=1.141,weight=9.705]",
    "dpo[beta=73.59]",
    "gated[weight=1,lower=0.5]",
)
SCHEDULES = ("constant", "linear", "cosine", "linear-overall")
ROBOTS = {
    "hopper": {"rows": 1024, "seeds": 4, "data_draws": 2},
    "tla": {"rows": 1280, "seeds": 3, "data_draws": 1},
}


def measured(robot: str, schedule: str, adam: str, out: Path, cache: Path | None) -> pd.DataFrame:
    """The agents of one robot and schedule, with one Adam for all stages or a new one for each."""
    result = mpo.bench(
        task=robot,
        variants=("base", "noisy:0.3"),
        algorithms=LOSSES,
        schedule=schedule,
        reset_optimiser=adam == "new",
        time_steps=64,
        episodes=8,
        out=out / f"{robot}-{schedule}-{adam}",
        cache=cache,
        progress=lambda done, total, doing: print(
            f"{robot}, {schedule}, {adam}: {done:.0f} of {total}"
        ),
        **ROBOTS[robot],
    )
    return result.agents.assign(robot=robot, schedule=schedule, adam=adam)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/schedules"))
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--robots", nargs="+", choices=[*ROBOTS], default=[*ROBOTS])
    given = parser.parse_args()
    # A new Adam matters to losses of two stages alone, and is measured at the default schedule.
    asked = [*itertools.product(given.robots, SCHEDULES, ["one"])]
    asked += [("hopper", "linear", "new")] * ("hopper" in given.robots)
    agents = pd.concat([measured(*one, given.out, given.cache) for one in asked])
    agents["algorithm"] = agents["algorithm"].str.partition("[")[0]
    lines = {}
    for place, found in agents.groupby(["robot", "variant", "schedule", "adam"]):
        means = row_means(found).set_index("algorithm")  # errors contain the data's draws
        lines[place] = {
            name: mean_text(line["mean"], line["standard_error"], 0)
            for name, line in means.iterrows()
        }
    print(pd.DataFrame(lines).T.to_string())


if __name__ == "__main__":
    main()
