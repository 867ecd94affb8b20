"""The site's leaderboard shows what the runs hold, and sorts it in a real browser."""

import importlib.util

import pytest

from tests.docs.test_documents import ROOT

DISCOVERED = ("gated", "noisy", "robust", "all", "hinge")
HOOK = ROOT / "docs" / "hooks" / "leaderboard.py"


@pytest.fixture(scope="module")
def leaderboard():
    found = importlib.util.spec_from_file_location("leaderboard", HOOK)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_every_row_is_a_loss_with_the_scores_of_its_agents(leaderboard):
    cells = leaderboard.cells()
    shown = leaderboard.table()
    for loss in cells["loss"].unique():
        assert f">{loss}</a>" in shown
    one = cells.query("robot == 'Hopper' and variant == 'noisy:0.3' and loss == 'sft'").iloc[0]
    agents = leaderboard.agents()
    scores = agents.query("robot == 'Hopper' and variant == 'noisy:0.3' and loss == 'sft'")["score"]
    assert one["mean"] == pytest.approx(scores.mean())
    assert one["agents"] == len(scores) == 8
    assert f"{one['mean']:.2f} ± {one['error']:.2f}" in shown
    assert (cells["agents"] >= 6).all()


def test_the_picture_is_made_from_the_runs(leaderboard, tmp_path):
    leaderboard.picture(tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_the_first_page_has_the_place_of_the_table(leaderboard):
    assert leaderboard.MARK in (ROOT / "docs" / "index.md").read_text(encoding="utf-8")


@pytest.fixture
def page(leaderboard, chromium, tmp_path):
    script = (ROOT / "docs" / "leaderboard.js").read_text(encoding="utf-8")
    text = f'<!doctype html><meta charset="utf-8">{leaderboard.table()}<script>{script}</script>'
    path = tmp_path / "page.html"
    path.write_text(text, encoding="utf-8")
    opened = chromium.new_page()
    problems = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.goto(path.as_uri())
    yield opened
    opened.close()
    assert problems == []


def column(page, head):
    """The texts of a column's cells in shown rows."""
    heads = page.locator("thead th").all_inner_texts()
    at = next(i for i, text in enumerate(heads) if " ".join(text.split()) == head)
    rows = page.locator("tbody tr:visible").all()
    return [row.locator("td").nth(at).text_content() for row in rows]


def test_the_table_sorts_by_what_is_clicked_and_chooses_robots_and_families(page):
    worst = [float(text) for text in column(page, "worst")]
    assert worst == sorted(worst, reverse=True)
    page.locator("thead button", has_text="loss").click()
    names = column(page, "loss")
    assert names == sorted(names)
    page.locator("thead button", has_text="loss").focus()
    page.keyboard.press("Enter")
    assert column(page, "loss") == names[::-1]

    page.locator("select[data-choose=robot]").select_option("Hopper")
    assert page.locator("thead th:visible", has_text="Three-Legged Ant").count() == 0
    at = column(page, "loss").index("dpo")
    means = column(page, "mean")
    shown = page.locator("tbody tr:visible").nth(at).locator("td[data-robot=Hopper]")
    scores = [float(text.partition(" ")[0]) for text in shown.all_inner_texts()]
    assert float(means[at]) == pytest.approx(sum(scores) / len(scores), abs=0.011)

    page.locator("select[data-choose=family]").select_option("discovered")
    assert set(column(page, "loss")) == {f"hopper-{name}" for name in DISCOVERED}
