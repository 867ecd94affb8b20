"""Two benches side by side, such as of narrow and of wide policies: what the second changes.

    python -m benchmarks.two_benches results/leaderboard-hopper-noisy results/wide-hopper

Of each variant and loss that both have: both mean returns with their standard errors, and the
second's less the first's, paired by the draw of the data and the agent's seed. A difference that a
t-test over pairs finds at 5 %, corrected by Holm for all rows of a variant, is bold. Of a loss that
is tuned, each bench has its own values.
"""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import tyro

from benchmarks import which_losses
from mirrorpo.cli.console import fail
from mirrorpo.runtime.start import start_jax
from mirrorpo.standard_error import mean_and_error
from mirrorpo.study import statistics
from mirrorpo.study.phases import FINAL
from mirrorpo.study.statistics.best import LEVEL
from mirrorpo.study.statistics.paired import common_cells, t_test
from mirrorpo.study.tables import mean_text


def main(first: tyro.conf.Positional[Path], second: tyro.conf.Positional[Path]) -> None:
    """Compare two benches.

    Args:
        first: a published bench, or its folder.
        second: another.
    """
    start_jax()
    try:
        frames = [which_losses.agents([path]) for path in (first, second)]
        print("\n".join(report(*frames)))
    except ValueError as error:
        fail(str(error))


def report(first: pd.DataFrame, second: pd.DataFrame) -> Iterator[str]:
    """A table per variant, the best of the second bench first.

    Raises:
        ValueError: no variant and loss in common.
    """
    one, other = (frame[frame["phase"] == FINAL] for frame in (first, second))
    shared = [name for name in other["variant"].unique() if name in set(one["variant"])]
    if not shared:
        raise ValueError("The two benches have no variant in common.")
    for variant in shared:
        sides = [frame[frame["variant"] == variant] for frame in (one, other)]
        found = changes(*sides)
        yield f"\n{variant}:\n"
        yield "| loss | first | second | second less first |"
        yield "| --- | ---: | ---: | ---: |"
        for row in found.itertuples():
            change = mean_text(row.change, row.error, 0)
            bold = "**" if row.corrected_p < LEVEL else ""
            yield f"| {row.Index} | {row.first} | {row.second} | {bold}{change}{bold} |"


def changes(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """One row per loss of both: `first` and `second` as text, `change`, its `error` over pairs, and
    `corrected_p`; the best of the second first."""
    means = [statistics.row_means(side).set_index("algorithm") for side in (first, second)]
    order = means[1]["mean"].sort_values(ascending=False).index
    lines = {}
    for name in order:
        if name in means[0].index:
            pair = common_cells(*(side[side["algorithm"] == name] for side in (first, second)))
            change = (pair["second"] - pair["first"]).to_numpy()
            mean, error = mean_and_error(change)
            told = [
                mean_text(side.loc[name, "mean"], side.loc[name, "standard_error"], 0)
                for side in means
            ]
            lines[name] = (*told, mean, error, t_test(mean, error, len(change) - 1))
    columns = ["first", "second", "change", "error", "p_value"]
    found = pd.DataFrame.from_dict(lines, orient="index", columns=columns)
    return found.assign(corrected_p=statistics.holm(found["p_value"]))


if __name__ == "__main__":
    tyro.cli(main)
