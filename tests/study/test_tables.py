import itertools
import math

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from mirrorpo import digits
from mirrorpo.study import statistics, table_notes, tables

SOURCES = [("expert (hopper-expert)", 2100.3, 12.0), ("bad (hopper-bad)", 899.6, 8.2)]


def agents(algorithm, variant, scores, phase="final", hyperparameters='{"beta": 1.0}', **other):
    """Rows of trained agents; a score of None is a diverged one."""
    return [
        {
            "task": "hopper",
            "variant": variant,
            "algorithm": algorithm,
            "phase": phase,
            "hyperparameters": hyperparameters,
            "seed": seed,
            "return_mean": math.nan if score is None else score,
            "diverged": score is None,
            **other,
        }
        for seed, score in enumerate(scores)
    ]


@pytest.fixture
def results():
    rows = [
        *agents("orpo", "base", [2040.0, 2060.0] * 5),
        *agents("cpo", "base", [2042.0, 2046.0] * 5),
        *agents("sft", "base", [1900.0, 1902.0] * 5, hyperparameters="{}"),
        *agents("orpo", "noisy:0.1", [1500.0, None, 1510.0]),
        *agents("cpo", "noisy:0.1", [1000.0, 1010.0]),
    ]
    return pd.DataFrame(rows)


def build(results, sources=SOURCES):
    return tables.build(results, "hopper", ["sft", "orpo", "cpo"], ["noisy:0.1", "base"], sources)


def test_markdown_has_sources_first_and_rows_and_columns_in_the_given_order(results):
    assert tables.to_markdown(build(results)) == (
        "| algorithm | noisy:0.1 | base |\n"
        "| --- | ---: | ---: |\n"
        "| expert (hopper-expert) | 2100 ± 12 | 2100 ± 12 |\n"
        "| bad (hopper-bad) | 900 ± 8 | 900 ± 8 |\n"
        f"| sft | {tables.NOT_RUN} | 1901 ± 0 |\n"
        "| orpo | diverged 1/3 | **2050 ± 3** |\n"
        "| cpo | **1005 ± 5** | **2044 ± 1** |\n"
    )


def test_iqm_table_has_intervals_and_no_source_agents(results):
    lines = tables.to_markdown(build(results), measure="iqm").splitlines()
    assert lines[2:] == [
        f"| sft | {tables.NOT_RUN} | 1901 [1900, 1902] |",
        "| orpo | diverged 1/3 | **2050 [2040, 2060]** |",
        "| cpo | 1005 [1000, 1010] | **2044 [2042, 2046]** |",
    ]


@pytest.mark.parametrize(("pairs", "bold"), [(5, 0), (6, 1)])
def test_iqm_table_is_bold_only_where_the_test_could_have_found_a_row_worse(pairs, bold):
    scores = {
        "first": [2.0 + seed for seed in range(pairs)],
        "second": [float(s) for s in range(pairs)],
    }
    results = pd.DataFrame([one for name, own in scores.items() for one in agents(name, "v", own)])
    table = tables.build(results, "hopper", ["first", "second"], ["v"])
    assert tables.to_markdown(table, measure="iqm").count("**") == 2 * bold


@pytest.mark.parametrize("measure", ["mean", "iqm"])
def test_terminal_table_shows_the_same_cells_as_markdown(results, measure):
    table = build(results)
    console = Console(width=200, color_system=None)
    with console.capture() as capture:
        console.print(tables.to_rich(table, measure))
    shown = capture.get()
    for line in tables.to_markdown(table, measure).replace("**", "").splitlines()[2:]:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        found = next(row for row in shown.splitlines() if cells[0] in row)
        assert all(cell in found for cell in cells)


def test_terminal_table_is_bold_where_markdown_is(results):
    table = build(results)
    rich = tables.to_rich(table)
    bold = [[cell.style == "bold" for cell in column.cells] for column in rich.columns]
    lines = [line.split("|")[1:-1] for line in tables.to_markdown(table).splitlines()[2:]]
    expected = [["**" in cell for cell in column] for column in zip(*lines, strict=True)]
    assert bold == expected
    assert sum(map(sum, bold)) == 3


def test_names_with_markup_are_shown_as_they_are(results):
    named = results.replace("orpo", "[bold]my|loss.py:Loss")
    table = tables.build(named, "hopper", ["[bold]my|loss.py:Loss"], ["base"])
    console = Console(width=200, color_system=None)
    with console.capture() as capture:
        console.print(tables.to_rich(table))
    assert "[bold]my|loss.py:Loss" in capture.get()
    assert "| [bold]my\\|loss.py:Loss |" in tables.to_markdown(table)


def test_frame_holds_every_cell_that_ran_with_its_statistics(results):
    frame = tables.to_frame(build(results))
    assert list(zip(frame["variant"], frame["algorithm"], strict=True)) == [
        ("noisy:0.1", "orpo"),
        ("noisy:0.1", "cpo"),
        ("base", "sft"),
        ("base", "orpo"),
        ("base", "cpo"),
    ]
    assert frame["best"].tolist() == [False, True, False, True, True]
    assert frame["hyperparameters"].tolist()[2:4] == ["{}", '{"beta": 1.0}']
    lost = frame.iloc[0]
    assert (lost["agents"], lost["diverged"]) == (3, 1)
    assert frame.loc[0, ["mean", "standard_error", "iqm", "iqm_low", "iqm_high"]].isna().all()
    expected = statistics.summarise([2040.0, 2060.0] * 5, [False] * 10)
    for name in ("agents", "draws", "mean", "standard_error", "iqm", "iqm_low", "iqm_high"):
        assert frame.loc[3, name] == getattr(expected, name)


def test_only_final_agents_of_the_task_count(results):
    extra = [
        *agents("sft", "base", [9000.0, 9001.0], phase="search", hyperparameters='{"beta": 9}'),
        *agents("sft", "base", [7000.0, 7001.0], task="ant"),
        *agents("unasked", "base", [8000.0, 8001.0]),
        *agents("sft", "unasked", [8000.0, 8001.0]),
    ]
    more = pd.concat([results, pd.DataFrame(extra)], ignore_index=True)
    assert tables.to_markdown(build(more)) == tables.to_markdown(build(results))


def test_table_does_not_depend_on_the_order_of_rows():
    scores = np.random.default_rng(0).normal(2000.0, 50.0, size=12)
    results = pd.DataFrame(agents("orpo", "base", scores))
    shuffled = results.sample(frac=1.0, random_state=1)
    tabled = [
        tables.to_frame(tables.build(rows, "hopper", ["orpo"], ["base"]))
        for rows in (results, shuffled)
    ]
    pd.testing.assert_frame_equal(*tabled)


def test_a_bench_that_has_not_begun_is_an_empty_table(results):
    table = build(results.iloc[:0])
    assert tables.to_frame(table).empty
    assert tables.to_markdown(table).count(tables.NOT_RUN) == 6


def test_one_agent_has_an_unknown_error():
    table = tables.build(pd.DataFrame(agents("sft", "base", [5.0])), "hopper", ["sft"], ["base"])
    assert "**5 ± ?**" in tables.to_markdown(table)
    assert "**5 [?, ?]**" in tables.to_markdown(table, measure="iqm")


@pytest.mark.parametrize(
    ("scores", "decimals"), [([2040.0, 2060.0], 0), ([0.81, 0.83], 3), ([-12.0, -9.0], 1)]
)
def test_true_returns_have_the_digits_that_tell_them_apart(scores, decimals):
    results = pd.DataFrame(agents("sft", "base", scores))
    assert tables.build(results, "hopper", ["sft"], ["base"]).decimals == decimals


@pytest.mark.parametrize(
    ("mean", "error", "shown"),
    [
        (2360.4, 1.2, "2360 ± 1"),
        (0.8123, 0.0046, "0.812 ± 0.005"),
        (-12.34, None, "-12.3"),
        (5.0, math.nan, "5.00"),
    ],
)
def test_a_score_of_any_unit_is_shown_with_its_error(mean, error, shown):
    assert digits.with_error(mean, error) == shown


def test_decimals_are_a_choice_and_zero_has_no_sign():
    results = pd.DataFrame(agents("sft", "base", [-0.31, -0.29]))
    table = tables.build(results, "hopper", ["sft"], ["base"])
    assert "**0 ± 0**" in tables.to_markdown(table)
    assert "**-0.30 ± 0.01**" in tables.to_markdown(table, decimals=2)


def test_best_of_the_iqm_table_follows_its_own_intervals():
    steady = [100.0] * 24
    # One huge score lifts the mean, but not the interquartile mean.
    lucky = [89.0, 90.0, 91.0] * 7 + [90.0, 90.0, 10_000.0]
    results = pd.DataFrame([*agents("steady", "v", steady), *agents("lucky", "v", lucky)])
    table = tables.build(results, "hopper", ["steady", "lucky"], ["v"])
    assert table.cells["lucky", "v"].best
    assert table.cells["steady", "v"].best_iqm
    assert not table.cells["lucky", "v"].best_iqm


def rows_of(scores, draws=1, variant="v"):
    """Agents of several algorithms; each has as many seeds on every data draw."""
    found = []
    for name, of_row in scores.items():
        for draw, part in enumerate(np.array_split(np.asarray(of_row), draws)):
            found += agents(name, variant, list(part), data_draw=draw)
    return pd.DataFrame(found)


def test_bold_is_what_a_paired_test_does_not_find_worse_even_where_errors_overlap():
    start = np.random.default_rng(0).normal(0.0, 100.0, 12)
    noise = np.random.default_rng(1).normal(0.0, 1.0, (2, 12))
    scores = {"best": start + noise[0] + 5, "worse": start + noise[1], "level": start + 4.9}
    table = tables.build(rows_of(scores), "hopper", list(scores), ["v"])
    cells = {name: table.cells[name, "v"] for name in scores}
    assert cells["best"].summary.standard_error > 20
    assert [cells[name].best for name in scores] == [True, False, True]
    assert cells["worse"].behind == pytest.approx(np.mean(scores["best"] - scores["worse"]))
    assert cells["worse"].behind_error < 1


def test_a_cell_of_several_draws_says_what_its_error_contains():
    scores = {"sft": [10.0, 11.0, 12.0, 20.0, 21.0, 22.0]}
    one, two = (tables.build(rows_of(scores, draws), "hopper", ["sft"], ["v"]) for draws in (1, 2))
    assert two.cells["sft", "v"].summary.standard_error == pytest.approx(5.0)
    assert one.cells["sft", "v"].summary.standard_error < 2.5
    frames = [tables.to_frame(table).iloc[0] for table in (one, two)]
    assert [found["error_over"] for found in frames] == ["agents", "agents and draws"]
    assert [found["draws"] for found in frames] == [1, 2]


def test_notes_say_what_errors_and_bold_are_and_whether_the_best_leads():
    rng = np.random.default_rng(2)
    clear = {"high": rng.normal(100, 1, 8), "low": rng.normal(0, 1, 8)}
    level = {"one": rng.normal(0, 1, 8), "two": rng.normal(0, 1, 8)}
    for scores, verdict in ((clear, "high, the highest of 2 rows, is sig"), (level, "is not sig")):
        table = tables.build(rows_of(scores), "hopper", list(scores), ["v"])
        text = table_notes.to_markdown(table)
        assert "over the agents of a cell (8), all trained on one data draw" in text
        assert "v: " in text
        assert verdict in text
    nested = tables.build(rows_of(clear, 2), "hopper", list(clear), ["v"])
    assert "over agents and data draws (8 agents on 2 draws per cell)" in table_notes.errors(nested)


def test_without_a_test_nothing_is_found_worse_and_the_note_says_so():
    scores = {"high": [9.0], "low": [1.0]}
    table = tables.build(rows_of(scores), "hopper", list(scores), ["v"])
    assert all(cell.best for cell in table.cells.values())
    assert "fewer than two agents in common" in table_notes.bold(table)
    assert "cannot be tested against low" in table_notes.leaders(table)[0]


def test_agents_of_several_settings_are_not_averaged():
    rows = itertools.chain(
        agents("dpo", "base", [1.0], hyperparameters='{"beta": 1}'),
        agents("dpo", "base", [2.0], hyperparameters='{"beta": 2}'),
    )
    with pytest.raises(ValueError, match="dpo on base has final agents of 2 hyper-parameter"):
        tables.build(pd.DataFrame(rows), "hopper", ["dpo"], ["base"])


def test_an_agent_is_not_counted_twice():
    rows = agents("dpo", "base", [1.0]) * 2
    with pytest.raises(ValueError, match="more than one final agent of seed 0 on data draw 0"):
        tables.build(pd.DataFrame(rows), "hopper", ["dpo"], ["base"])


def test_a_seed_may_return_on_another_data_draw():
    rows = pd.DataFrame([*agents("dpo", "base", [1.0, 2.0]), *agents("dpo", "base", [3.0, 4.0])])
    rows["data_draw"] = [0, 0, 1, 1]
    table = tables.build(rows, "hopper", ["dpo"], ["base"])
    assert (
        table.cells["dpo", "base"].summary.agents,
        table.cells["dpo", "base"].summary.draws,
    ) == (4, 2)


def test_missing_columns_are_named(results):
    with pytest.raises(ValueError, match="no column phase, seed"):
        build(results.drop(columns=["phase", "seed"]))
