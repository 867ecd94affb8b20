r"""What the leaderboard says: losses by kind, by worst case, and by their grip on wrong labels.

    python benchmarks/which_losses.py \
        results/leaderboard-hopper-noisy results/leaderboard-hopper-mixed

Losses with a reference are of two kinds: those that look at the margin between a pair's log-ratios,
and those that ask something of each side by itself. A score is 0 at the worse source agent's return
and 1 at the better's. A loss's grip is how hard it pulls at a pair that the policy takes for
mislabelled, relative to one whose label it confirms: the median size of the gradient in the two
log-probs, over minibatches of two pairs of which three in ten have the wrong label, with margins
and log-probs as large as those of its own agents at the end of training on noisy:0.3, and with its
memory of 200 minibatches before. The grip of losses whose gradient needs more than the pair is not
stated.

`edge` is how near a loss's tuned values came to an end of their ranges, as a share of the range's
width, in the variant where they came nearest; scores of tuning that ended within a tenth of it are
marked with `°`. `cost` is the median training time of a final agent, compilation included, relative
to SFT's in the same bench.
"""

import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import tyro
from scipy import stats

from mirrorpo import files
from mirrorpo.cli.console import fail
from mirrorpo.objectives import Objective, PairLogProbs
from mirrorpo.runtime.start import start_jax
from mirrorpo.study.phases import FINAL, SEARCH
from mirrorpo.study.statistics import differences_to_best, row_means
from mirrorpo.study.tables import NOT_RUN, SourceAgent, mean_text

NOISY, SHARE = "noisy:0.3", 0.3
AT_EDGE, TOWARD_SFT = "°", "toward SFT"
SFT_NAMES = ("sft", "closed-form")
"""SFT, and the family that is SFT until its terms are chosen: what the times are relative to."""
BATCHES, PAIRS = 400, 2
LEAST_MARGIN = 0.02
"""The typical margin of a loss whose agents have none, in log-probs per step."""


def main(
    paths: tyro.conf.Positional[tuple[Path, ...]],
    sources: tuple[float, float] | None = None,
    out: Path | None = None,
) -> None:
    """Print the table.

    Args:
        paths: published benches of one suite, each loss and variant in one of them.
        sources: returns of the worse and of the better source agent; None for those that the
            first bench has measured.
        out: JSON file for what is printed.
    """
    start_jax()
    try:
        every, edges = agents(paths), tuned(paths)
        rows = table(every, edges, *(sources or measured_sources(paths[0])))
    except ValueError as error:
        fail(str(error))
    print(in_markdown(rows, returns(every, edges)))
    print(in_words(rows, every, edges))
    for line in unlike_data(paths):
        print(line)
    if out is not None:
        files.write_json(out, json.loads(rows.reset_index().to_json(orient="records")))


def agents(paths: Sequence[Path]) -> pd.DataFrame:
    """All agents of the benches, with the chosen and rejected log-probs they end at."""
    from mirrorpo.reporting.published import unpacking
    from mirrorpo.study import records

    lines = []
    with unpacking.folders(paths) as found:
        for bench, folder in enumerate(found):
            for record, curves in records.read(folder / "metrics.jsonl"):
                last = {name: values[-1] for name, values in curves.items() if values}
                lines.append(
                    {
                        **{name: getattr(record, name) for name in _KEPT},
                        "bench": bench,
                        "chosen": last.get("chosen_log_prob"),
                        "rejected": last.get("rejected_log_prob"),
                    }
                )
    return pd.DataFrame(lines)


def unlike_data(paths: Sequence[Path]) -> list[str]:
    """One line per variant of which some benches have other trajectories than the first that has
    the variant: draws of one number differ between processors."""
    from mirrorpo.preferences import facts
    from mirrorpo.reporting.published import unpacking

    seen: dict[str, dict[tuple[float, ...], list[str]]] = {}
    with unpacking.folders(paths) as found:
        for path, folder in zip(paths, found, strict=True):
            for one in facts.recall(folder):
                alike = (*(one.chosen_return or ()), *(one.rejected_return or ()), one.flipped)
                seen.setdefault(one.variant, {}).setdefault(alike, []).append(path.name)
    lines = []
    for variant, groups in seen.items():
        (_, *first), *others = ((data, *names) for data, names in groups.items())
        if others:
            unlike = ", ".join(name for _, *names in others for name in names)
            lines.append(f"{variant}: {unlike} have other trajectories than {', '.join(first)}.")
    return lines


def tuned(paths: Sequence[Path]) -> pd.DataFrame:
    """Of each tuned loss and variant, `edge_distance` and `at_edge` as in summary.csv."""
    from mirrorpo.reporting.published import unpacking

    with unpacking.folders(paths) as found:
        every = pd.concat([pd.read_csv(folder / "summary.csv") for folder in found])
    columns = ["algorithm", "variant", "edge_distance", "at_edge"]
    return every.loc[every["trials"] > 0, columns].fillna({"at_edge": ""})


def measured_sources(path: Path) -> tuple[float, float]:
    """Returns of a bench's worse and better source agent."""
    from mirrorpo.reporting.published import unpacking

    with unpacking.folders([path]) as (folder,):
        found = files.read_rows(folder / "sources.json", "the source agents' returns", SourceAgent)
    known = {agent.label.partition(":")[0]: agent.mean for agent in found}
    return known["worse"], known["better"]


_KEPT = (
    *("algorithm", "variant", "phase", "hyperparameters", "return_mean", "trial"),
    *("seed", "data_draw", "episodes_seed", "diverged", "train_seconds"),
)


def table(frame: pd.DataFrame, edges: pd.DataFrame, worse: float, better: float) -> pd.DataFrame:
    """One row per loss: normalised scores, what tuning gained and how near an edge it ended, cost,
    kind and grip; the best worst case first."""
    frame = frame.assign(score=(frame["return_mean"] - worse) / (better - worse))
    final = frame[frame["phase"] == FINAL]
    scores = final.pivot_table(index="algorithm", columns="variant", values="score")
    search = frame[frame["phase"] == SEARCH].groupby(["algorithm", "variant"])["score"]
    # The first trial has the default values.
    gained = (search.max() - search.first()).groupby("algorithm").mean()
    over = {"axis": 1, "skipna": False}  # a loss that lacks a variant has no worst one
    rows = scores.assign(worst=scores.min(**over), mean=scores.mean(**over), tuning=gained)
    rows["edge"] = edges.groupby("algorithm")["edge_distance"].min()
    rows["cost"] = cost(final)
    known = {name: _kind_and_grip(name, own) for name, own in final.groupby("algorithm")}
    rows["kind"] = pd.Series({name: kind for name, (kind, _) in known.items()})
    rows["grip"] = pd.Series({name: pull for name, (_, pull) in known.items()})
    return rows.sort_values("worst", ascending=False)


def cost(final: pd.DataFrame) -> pd.Series:
    """Median training time of an agent by loss, relative to SFT's in the same bench.

    Of a loss that several benches have the last one's counts; NaN where that has no SFT.
    """
    medians = final.groupby(["bench", "algorithm"])["train_seconds"].median()
    relative = {}
    for bench, of_bench in medians.groupby("bench"):
        by_loss = of_bench.loc[bench]
        plain = next((by_loss[name] for name in SFT_NAMES if name in by_loss), np.nan)
        relative |= dict(by_loss / plain)
    return pd.Series(relative)


def returns(frame: pd.DataFrame, edges: pd.DataFrame) -> pd.DataFrame:
    """Mean true return ± standard error by loss and variant, in bold where a paired test does not
    find it worse than the column's best (5 %, corrected by Holm for the number of losses), and
    marked where tuning ended at an edge."""
    at_edge = edges[edges["at_edge"] != ""]
    marked = set(zip(at_edge["algorithm"], at_edge["variant"], strict=True))
    final = frame[frame["phase"] == FINAL]
    cells = {}
    for variant, column in final.groupby("variant", sort=False):
        means = row_means(column).set_index("algorithm")
        best = differences_to_best(column).set_index("algorithm")["not_worse"]
        cells[variant] = {
            name: ("**{}**" if best[name] else "{}").format(
                mean_text(line["mean"], line["standard_error"], 0)
            )
            + (AT_EDGE if (name, variant) in marked else "")
            for name, line in means.iterrows()
        }
    return pd.DataFrame(cells).fillna(NOT_RUN)


def in_markdown(rows: pd.DataFrame, cells: pd.DataFrame) -> str:
    """Both as one table."""
    columns = ("worst", "mean", "tuning", "edge", "cost")
    lines = [["loss", *cells, *columns, "kind", "grip"]]
    lines.append(["---", *["---:"] * (len(cells.columns) + len(columns)), "---", "---:"])
    for name, row in rows.iterrows():
        numbers = [_short(row[column]) for column in columns]
        lines.append(
            [str(name), *cells.loc[name], *numbers, str(row["kind"]), f"{row['grip']:.2g}"]
        )
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _short(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else NOT_RUN


def _kind_and_grip(name: str, own: pd.DataFrame) -> tuple[str, float]:
    """What is known of a loss beside its scores; its grip is NaN where it has no noisy data."""
    from mirrorpo.objectives import naming
    from mirrorpo.study import algorithms

    noisy = own[own["variant"] == NOISY]
    first = (own if noisy.empty else noisy).iloc[0]
    given = json.loads(first["hyperparameters"])
    objective = algorithms.load(naming.with_values(name, given)).objective
    more = _looks_at_more_than_the_margin(objective)
    if objective.needs_reference:
        kind = "reference, each side" if more else "reference, margin"
    else:
        kind = "SFT term" if more else "margin alone"
    return kind, grip(objective, noisy["chosen"].mean(), noisy["rejected"].mean())


def _looks_at_more_than_the_margin(objective: Objective) -> bool:
    """Whether the pulls at the two log-probs are not each other's opposite, as an SFT term's."""
    if objective.uses_ease or objective.uses_agreement:
        return False
    for size in (0.01, 0.1, 1.0):  # of the log-ratios: where one saturates another does not
        sides = np.array([size, -size]) / 2, np.array([-size, 0.7 * size])
        chosen, rejected = gradients(objective, *sides, None)
        if np.any(np.abs(chosen + rejected) > 1e-3 * np.abs(chosen)):
            return True
    return False


def grip(objective: Objective, chosen: float, rejected: float, seed: int = 0) -> float:
    """The pull at mislabelled pairs relative to that at right ones; NaN where it is not stated.

    Args:
        objective: a loss on means over steps.
        chosen: mean log-prob per step of the chosen trajectories at the end of training.
        rejected: that of the rejected ones.
        seed: the seed of the drawn margins.
    """
    stateless = not (objective.uses_ease or objective.uses_agreement or objective.pair_plan)
    if not stateless or not np.isfinite([chosen, rejected]).all():
        return float("nan")
    random = np.random.default_rng(seed)
    middle = (chosen + rejected) / 2
    # With a share of wrong labels the mean margin is that of right ones times 1 - 2 share.
    typical = max((chosen - rejected) / (1 - 2 * SHARE), LEAST_MARGIN)
    wrong = random.random((BATCHES, PAIRS)) < SHARE
    margins = np.where(wrong, -1, 1) * typical * random.uniform(0.5, 1.5, wrong.shape)
    sizes, memory = [], None
    for batch in margins:
        sides = middle + batch / 2, middle - batch / 2
        sizes.append(np.hypot(*gradients(objective, *sides, memory, middle)))
        if objective.memory_size:
            memory = np.asarray(objective.remember(pairs_around(*sides, middle), memory))
    late, late_wrong = np.array(sizes)[BATCHES // 2 :], wrong[BATCHES // 2 :]
    right = np.median(late[~late_wrong])
    pulled = np.median(late[late_wrong])
    return float(pulled / right) if right > 0 else float("inf" if pulled > 0 else "nan")


def pairs_around(chosen: np.ndarray, rejected: np.ndarray, middle: float) -> PairLogProbs:
    """Pairs of sequences of one step, whose reference log-probs are all `middle`."""
    reference = np.full(len(chosen), middle)
    return PairLogProbs(chosen, rejected, reference, reference)


def gradients(
    objective: Objective,
    chosen: np.ndarray,
    rejected: np.ndarray,
    memory: np.ndarray | None,
    middle: float = 0.0,
    progress: float = 1.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Derivatives of the batch's summed loss in its chosen and rejected log-probs, each (batch,).

    Args:
        objective: a loss on means over steps.
        chosen: log-probs per step, (batch,).
        rejected: likewise.
        memory: what the loss remembers of the batches before; None for nothing.
        middle: the reference's log-prob of every trajectory.
        progress: how much of training is done, in [0, 1].
    """
    from mirrorpo.runtime.pytrees import as_pytree

    blank = np.full(objective.memory_size, np.nan) if memory is None else memory
    found = _compiled()(as_pytree(objective), (chosen, rejected), middle, blank, progress)
    return np.asarray(found[0], float), np.asarray(found[1], float)


@cache
def _compiled() -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    import jax

    def loss(sides, objective, middle, memory, progress):
        reference = jax.numpy.full(len(sides[0]), middle)
        pairs = PairLogProbs(*sides, reference, reference)
        return objective(pairs, progress, memory if objective.memory_size else None).sum()

    return jax.jit(lambda objective, sides, *rest: jax.grad(loss)(sides, objective, *rest))


def in_words(rows: pd.DataFrame, frame: pd.DataFrame, edges: pd.DataFrame) -> str:
    """The rank correlations of grip, and of the chosen trajectories' log-prob at the end of
    training, with the score; how many optima lie at an edge; and the means by kind, with the
    median cost."""
    known = rows.dropna(subset=["grip"])
    said = []
    if NOISY in known:
        found = _correlation(-known["grip"], known[NOISY])
        said.append(f"A looser grip and the score on {NOISY}: {found}")
    final = frame[frame["phase"] == FINAL]
    for variant, column in final.groupby("variant", sort=False):
        chosen = column.groupby("algorithm")["chosen"].mean().dropna()
        scores = rows.loc[chosen.index, variant]
        said.append(
            f"Chosen log-prob at the end and score on {variant}: {_correlation(chosen, scores)}"
        )
    at_edge = edges.loc[edges["at_edge"] != "", "at_edge"].astype(str)
    toward = at_edge.str.contains(TOWARD_SFT).sum()
    said.append(
        f"Of {len(edges)} optima {len(at_edge)} lie at an edge, {toward} of them {TOWARD_SFT}."
    )
    variants = list(dict.fromkeys(final["variant"]))
    kinds = rows.groupby("kind")[[*variants, "worst", "mean"]].mean().round(2)
    kinds.insert(0, "losses", rows.groupby("kind").size())
    costs = rows.groupby("kind")["cost"]
    kinds["timed"], kinds["cost"] = costs.count(), costs.median().round(2)
    return "\n".join([*said, kinds.to_string()])


def _correlation(first: pd.Series, second: pd.Series) -> str:
    """Spearman's, with the 95 % interval of a bootstrap over losses."""

    def spearman(one: np.ndarray, other: np.ndarray) -> float:
        return float(stats.spearmanr(one, other).statistic)

    sides = first.to_numpy(), second.to_numpy()
    interval = stats.bootstrap(
        sides, spearman, paired=True, vectorized=False, n_resamples=2000, rng=0
    ).confidence_interval
    around = f"[{interval.low:.2f}, {interval.high:.2f}]"
    return f"Spearman {spearman(*sides):.2f} {around}, {len(first)} losses."


if __name__ == "__main__":
    tyro.cli(main)
