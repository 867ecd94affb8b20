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
    assert one["agents"] == len(scores) == 12
    assert f"{one['mean']:.2f} ± {one['error']:.2f}" in shown
    texts = cells["robot"].isin(leaderboard.TEXTS)
    assert (cells.loc[~texts, "agents"] >= 6).all()
    by_model = cells[texts].groupby("robot")["agents"].agg(["min", "max", "size"])
    assert by_model.loc["Reviews (SmolLM2)"].tolist() == [3, 3, 6]
    assert by_model.loc["Reviews (small model)"].tolist() == [6, 8, 78]


def test_scores_are_marked_where_tuning_ended_at_an_edge(leaderboard):
    cells = leaderboard.cells().set_index(["robot", "variant", "loss"])
    at_edge, inside = (cells.loc[("Hopper", "noisy:0.3", loss)] for loss in ("dpo", "orpo"))
    assert at_edge["at_edge"] == "beta high, toward SFT"
    assert inside["at_edge"] == ""
    assert leaderboard.score_cell(at_edge).endswith("°</td>")
    assert "beta high, toward SFT" in leaderboard.score_cell(at_edge)
    assert "°" not in leaderboard.score_cell(inside)
    untuned = cells.loc[("Hopper", "noisy:0.3", "sft")]
    assert "title" not in leaderboard.score_cell(untuned)


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
    robots = len(shown_columns(page))
    found = [
        (len(scores_of(page, at)), float(text)) for at, text in enumerate(column(page, "worst"))
    ]
    # A loss that lacks a column stands below those that have it.
    assert found == sorted(found, reverse=True)
    assert found[0][0] == robots
    assert found[-1][0] < robots
    page.locator("thead button", has_text="loss").click()
    names = column(page, "loss")
    assert names == sorted(names)
    page.locator("thead button", has_text="loss").focus()
    page.keyboard.press("Enter")
    assert column(page, "loss") == names[::-1]

    page.locator("select[data-choose=robot]").select_option("Hopper")
    assert page.locator("thead th:visible", has_text="Three-Legged Ant").count() == 0
    at = column(page, "loss").index("dpo")
    scores = [value for _, value in scores_of(page, at)]
    assert float(column(page, "mean")[at]) == pytest.approx(sum(scores) / len(scores), abs=0.011)

    page.locator("select[data-choose=family]").select_option("discovered")
    assert set(column(page, "loss")) == {f"hopper-{name}" for name in DISCOVERED}


def scores_of(page, at):
    """Heads and scores of a shown row, in the shown columns of a robot or text."""
    row = page.locator("tbody tr:visible").nth(at)
    return [
        (" ".join(head.inner_text().split()), float(text.partition(" ")[0]))
        for place, head in enumerate(page.locator("thead th").all())
        if head.get_attribute("data-robot") and head.is_visible()
        if (text := row.locator("td").nth(place).inner_text())
    ]


def shown_columns(page):
    heads = page.locator("thead th[data-robot]:visible").all()
    return [
        (head.get_attribute("data-robot"), head.get_attribute("data-variant")) for head in heads
    ]


def test_a_kind_of_data_is_chosen_and_those_of_few_losses_appear_then(page):
    kinds = {kind for _, kind in shown_columns(page)}
    assert kinds == {"3 in 10 labels wrong", "mixed quality", "clean"}
    select = page.locator("select[data-choose=variant]")
    select.select_option("mixed quality")
    assert {kind for _, kind in shown_columns(page)} == {"mixed quality"}
    at = column(page, "loss").index("slic")
    scores = [value for _, value in scores_of(page, at)]
    assert float(column(page, "worst")[at]) == pytest.approx(min(scores), abs=0.006)

    everything = len(column(page, "loss"))
    select.select_option("2 in 10 labels wrong")
    robots = [robot for robot, _ in shown_columns(page)]
    assert robots == ["Hopper", "Three-Legged Ant", "Walker2d"]
    assert "gated" in column(page, "loss")
    assert len(column(page, "loss")) < everything


def test_texts_count_only_where_they_are_chosen(page):
    def worst_of_gated():
        return float(column(page, "worst")[column(page, "loss").index("gated")])

    beside = worst_of_gated()
    page.locator("select[data-choose=robot]").select_option("Reviews (SmolLM2)")
    assert shown_columns(page) == [("Reviews (SmolLM2)", "3 in 10 labels wrong")]
    assert len(column(page, "loss")) == 6
    assert worst_of_gated() < 0 < beside
    assert "untuned" in page.locator("thead th:visible", has_text="Reviews").inner_text()


def test_the_edge_of_a_row_is_the_nearest_of_the_shown_columns(page):
    page.locator("select[data-choose=robot]").select_option("Hopper")
    at = column(page, "loss").index("dpo")
    assert column(page, "edge")[at] == "0.06"
    page.locator("select[data-choose=variant]").select_option("clean")
    at = column(page, "loss").index("dpo")
    assert column(page, "edge")[at] == "0.25"
    assert column(page, "edge")[column(page, "loss").index("sft")] == ""
