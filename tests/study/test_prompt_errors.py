"""A bench on texts has errors that hold for new prompts, from what its agents wrote."""

import numpy as np
import pandas as pd
import pytest

from mirrorpo import json_lines
from mirrorpo.study import prompt_errors, samples, side_tables, table_files, tables
from mirrorpo.study.phases import FINAL
from mirrorpo.study.statistics.crossed import crossed
from mirrorpo.study.tables import SourceAgent

PROMPTS = [f"Prompt {number}," for number in range(12)]
ASKED = [*PROMPTS, *PROMPTS, *PROMPTS[:6]]  # the first six once more
DRAWS = {0: 0, 1: 0, 2: 1, 3: 1}
SOURCES = (SourceAgent("better: target", 9.0, 1.0), SourceAgent("worse: original", 3.0, 1.0))
GOOD, CLOSE, BAD = "ta-mpo", "dpo[beta=1]", "sft"


def rewards(agent, gap, noise=2.0):
    """Of all continuations: prompts differ widely, and alike for all agents."""
    of_prompt = np.resize(np.random.default_rng(0).normal(0, 30, len(PROMPTS)), len(ASKED))
    return of_prompt - gap + np.random.default_rng(agent).normal(0, noise, len(ASKED))


def write_samples(out, name, values):
    rows = [
        {"algorithm": name, "prompt": p, "text": "a text.", "reward": float(r)}
        for p, r in zip(ASKED, values, strict=True)
    ]
    json_lines.write(samples.path(out, name), rows)


@pytest.fixture
def run(tmp_path):
    """Folder, table and agents of a bench of three losses."""
    rows = []
    for algorithm, gap in ((GOOD, 0.0), (CLOSE, 0.2), (BAD, 6.0)):
        for seed, draw in DRAWS.items():
            own = rewards(len(rows) + 1, gap)
            key = ("base", algorithm, FINAL, "{}", seed)
            write_samples(tmp_path, samples.agent_name(key), own)
            rows.append(
                {
                    "task": "reviews",
                    "variant": "base",
                    "algorithm": algorithm,
                    "phase": FINAL,
                    "hyperparameters": "{}",
                    "seed": seed,
                    "data_draw": draw,
                    "diverged": False,
                    "return_mean": float(own.mean()),
                }
            )
    write_samples(tmp_path, samples.TARGET, rewards(90, -3.0))
    write_samples(tmp_path, samples.ORIGINAL, rewards(91, 3.0))
    frame = pd.DataFrame(rows)
    return tmp_path, built(frame), frame


def built(frame, task="reviews"):
    return tables.build(frame, task, (GOOD, CLOSE, BAD), ("base",), SOURCES)


def test_errors_contain_prompts_and_differences_leave_them_out(run):
    out, table, frame = run
    found = prompt_errors.of(out, table, frame)
    over_agents = table.cells[GOOD, "base"].summary
    shown = found.table.cells[GOOD, "base"]
    assert shown.summary.mean == over_agents.mean
    assert shown.summary.standard_error > 5 * over_agents.standard_error
    behind = found.cells[BAD, "base"].behind
    assert behind.standard_error < 0.2 * shown.summary.standard_error
    assert behind.mean == pytest.approx(over_agents.mean - table.cells[BAD, "base"].summary.mean)
    marks = {name: cell.best for (name, _), cell in found.table.cells.items()}
    assert marks == {GOOD: True, CLOSE: True, BAD: False}
    assert "12 prompts" in found.note


def test_the_numbers_are_those_of_the_statistic(run):
    out, table, frame = run
    values = np.array([rewards(1 + seed, 0.0) for seed in DRAWS])
    by_prompt = np.array(
        [[one[at :: len(PROMPTS)].mean() for at in range(len(PROMPTS))] for one in values]
    )
    names = sorted(range(len(PROMPTS)), key=lambda at: PROMPTS[at])
    weights = np.array([3] * 6 + [2] * 6)[names]
    expected = crossed(by_prompt[:, names], list(DRAWS.values()), weights)
    found = prompt_errors.of(out, table, frame).cells[GOOD, "base"].own
    assert vars(found) == pytest.approx(vars(expected))
    assert expected.mean == pytest.approx(values.mean())


def test_they_stand_in_the_tables_files_and_in_the_side_tables(run):
    out, table, frame = run
    found = prompt_errors.of(out, table, frame)
    others = side_tables.of(out, table, frame, found)
    assert [title for title, _ in others] == [prompt_errors.TITLE]
    table_files.write(out, table, others, over_prompts=found)
    text = (out / "table.md").read_text()
    assert prompt_errors.TITLE in text
    assert found.note in text
    summary = pd.read_csv(out / "summary.csv").set_index("algorithm")
    assert (summary["prompts"] == 12).all()
    own = found.cells[CLOSE, "base"]
    assert summary.loc[CLOSE, "crossed_error"] == pytest.approx(own.own.standard_error)
    assert summary.loc[CLOSE, "crossed_corrected_p"] == pytest.approx(own.corrected_p)
    assert (summary["crossed_low"] < summary["mean"]).all()
    assert np.isnan(summary.loc[GOOD, "crossed_behind_error"])


def test_sources_have_an_error_over_prompts(run):
    out, table, frame = run
    errors = [source.standard_error for source in prompt_errors.of(out, table, frame).table.sources]
    # Two texts for a prompt tell hardly more than one: prompts differ far more than texts.
    over_texts = rewards(91, 3.0).std(ddof=1) / np.sqrt(len(ASKED))
    assert errors[1] > 1.3 * over_texts


def test_a_diverged_agent_has_no_number_and_the_others_keep_theirs(run):
    out, _, frame = run
    lost = (frame["algorithm"] == BAD) & (frame["seed"] == 0)
    path = samples.path(out, samples.agent_name(("base", BAD, FINAL, "{}", 0)))
    path.unlink()
    frame = frame.assign(diverged=lost, return_mean=frame["return_mean"].mask(lost))
    found = prompt_errors.of(out, built(frame), frame)
    assert set(found.cells) == {(GOOD, "base"), (CLOSE, "base")}
    assert np.isnan(found.table.cells[BAD, "base"].summary.mean)


def first_samples(out):
    return samples.path(out, samples.agent_name(("base", GOOD, FINAL, "{}", 0)))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda out: (out / "samples").rename(out / "elsewhere"), "no folder samples/"),
        (lambda out: first_samples(out).unlink(), "is missing"),
        (lambda out: first_samples(out).write_text(""), "is empty"),
        (
            lambda out: write_samples(out, first_samples(out).stem, rewards(50, 4.0)),
            "other texts than were scored",
        ),
        (
            lambda out: json_lines.write(
                samples.path(out, samples.TARGET), [{"prompt": "Other", "reward": 1.0}]
            ),
            "not asked the same prompts",
        ),
    ],
)
def test_without_all_samples_the_run_says_why_there_is_no_such_error(run, damage, reason):
    out, table, frame = run
    damage(out)
    found = prompt_errors.of(out, table, frame)
    assert found.table is None
    assert reason in found.note
    assert side_tables.of(out, table, frame, found) == []
    table_files.write(out, table, over_prompts=found)
    assert reason in (out / "table.md").read_text()
    assert "crossed_error" not in pd.read_csv(out / "summary.csv")


def test_a_bench_on_robots_says_nothing_of_prompts(run):
    out, _, frame = run
    frame = frame.assign(task="hopper")
    found = prompt_errors.of(out, built(frame, "hopper"), frame)
    assert (found.table, found.note, found.cells) == (None, "", {})
