"""The page in a real browser: it draws, sorts and explores, and asks nothing of a network."""

import contextlib
import dataclasses
import itertools
import random

import numpy as np
import pytest

from mirrorpo import objectives, runs
from mirrorpo.agents import agent_files
from mirrorpo.discovery import shapes
from mirrorpo.objectives import PairLogProbs
from mirrorpo.reporting.page import reading, render
from tests.few_objectives import few_in_the_explorer
from tests.reporting.bench_folders import published
from tests.reporting.language_folders import write_align, write_judged, write_reviews

DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


class Opened:
    """A page, and everything that went wrong on it."""

    def __init__(self, browser, path, viewport, **settings):
        self.problems = []
        self.context = browser.new_context(viewport=viewport, reduced_motion="reduce", **settings)
        self.page = self.context.new_page()
        self.page.on("console", lambda message: self._said(message.type, message.text))
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("request", lambda request: self._asked(request.url))
        self.page.goto(path.as_uri())

    def _said(self, kind, text):
        if kind in ("error", "warning"):
            self.problems.append(text)

    def _asked(self, address):
        if not address.startswith(("file:", "data:", "blob:")):
            self.problems.append(f"asked for {address}")

    def scroll_through(self, benches=3):
        """Open the first benches and show every open part once, so that its charts are drawn."""
        self.page.evaluate(
            "(n) => [...document.querySelectorAll('#benches details')].slice(0, n)"
            ".forEach((part) => { part.open = true; })",
            benches,
        )
        places = self.page.locator("[data-chart]:visible").all()
        for place in places:
            place.scroll_into_view_if_needed()
        self.page.wait_for_timeout(300)
        return len(places)


def write_with_agent(folder, agent):
    """A run folder that holds an agent, which moves on the engine that compiles fastest."""
    runs.claim(folder, {"command": "none that the page knows"})
    policy, card = agent_files.load(agent)
    card = dataclasses.replace(card, backend="spring")
    agent_files.save(folder / "agents" / agent.stem, policy, card)
    return folder


@pytest.fixture(scope="module")
def pages(tmp_path_factory, one_run, odd_runs, many_runs, two_agents):
    folder = tmp_path_factory.mktemp("pages")
    paths = {}
    language = [
        write_reviews(folder / "reviews", diverged=[("base", "dpo", 0)]),
        write_align(folder / "aligned"),
        write_judged(folder / "judged"),
    ]
    for name, shown in (
        ("one", one_run),
        ("odd", odd_runs),
        ("many", many_runs),
        ("language", language),
        ("lost", [published("tla-tables")]),
        ("moving", [write_with_agent(folder / "moving", two_agents[0])]),
    ):
        paths[name] = folder / f"{name}.html"
        with contextlib.nullcontext() if name == "one" else few_in_the_explorer():
            page = render.render(reading.read(shown), "mirrorpo report", agents_drawn=1)
        paths[name].write_text(page, encoding="utf-8")
    return paths


@pytest.fixture
def opened(chromium, pages):
    """Opens a page by name; at the end nothing may have gone wrong on any."""
    made = []

    def open_page(name, viewport=DESKTOP, **settings):
        made.append(Opened(chromium, pages[name], viewport, **settings))
        return made[-1]

    yield open_page
    for one in made:
        problems = one.problems
        one.context.close()
        assert problems == []


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("name", ["one", "odd", "many", "language"])
def test_every_chart_is_drawn_and_nothing_is_wider_than_the_screen(opened, name, viewport):
    shown = opened(name, viewport, color_scheme="dark")
    places = shown.scroll_through()
    assert places >= 10
    drawn = shown.page.locator("[data-chart]:visible:has(svg), [data-chart='legend']:visible")
    assert drawn.count() == places
    wide = shown.page.evaluate("document.documentElement.scrollWidth")
    assert wide <= viewport["width"]


def test_agents_far_below_the_others_are_said_in_words_at_the_edge(opened):
    shown = opened("lost")
    shown.scroll_through()
    chart = shown.page.locator("[data-chart='seeds'][data-variant='base']").first
    assert "◂ -11136 ± 892" in chart.text_content()
    ticks = chart.locator("[aria-label='x-axis tick label'] text").all_text_contents()
    assert ticks[0] == "1,500"
    assert chart.locator("circle").count() == 17 * 6


def column(page, position):
    rows = page.locator("#places tbody tr")
    return [row.locator("td, th").nth(position).inner_text() for row in rows.all()]


def test_the_leaderboard_sorts_both_ways_and_by_keyboard(opened):
    page = opened("one").page
    head = page.locator("#places thead th").nth(2)
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    scores = [float(text.split(" ")[0]) for text in column(page, 2)]
    assert scores == sorted(scores, reverse=True)
    head.locator("button").focus()
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    scores = [float(text.split(" ")[0]) for text in column(page, 2)]
    assert scores == sorted(scores)
    page.locator("#places thead th").nth(0).locator("button").click()
    assert column(page, 0) == sorted(column(page, 0))
    assert head.get_attribute("aria-sort") == "none"


def test_what_has_no_number_comes_last_in_either_order(opened):
    page = opened("odd").page
    button = page.locator("#places thead th").nth(2).locator("button")
    for _ in range(2):
        button.click()
        assert column(page, 2)[-1].startswith("diverged")


def test_the_leaderboard_of_many_runs_filters(opened):
    page = opened("many").page
    everything = page.locator("#places tbody tr:visible").count()
    assert everything == 12 * 12
    page.locator("[data-filter='run']").select_option("run-07")
    page.locator("[data-filter='variant']").select_option("noisy:0.1")
    assert page.locator("#places tbody tr:visible").count() == 6
    assert page.locator("#shown").inner_text() == "6 rows"


def test_an_unfinished_and_a_diverged_run_say_so(opened):
    page = opened("odd").page
    text = page.locator("#runs").inner_text()
    assert "unfinished: 40 of 150 agents" in text
    assert "unfinished: 0 of 25 agents" in text
    assert "No agent has been scored yet." in page.locator("#benches").inner_text()
    assert "diverged 1/5" in page.locator("#leaderboard").inner_text()


def test_language_models_show_their_measures_curves_and_verdicts(opened):
    page = opened("language").page
    assert "diverged 1/3" in page.locator("#benches").inner_text()
    assert "KL from the original" in page.locator("#benches").inner_text()
    assert page.locator("#trainings [data-chart='training']").count() == 5
    assert "62.5 ± 17.1 % [25.0, 87.5]" in page.locator("#judgements").inner_text()


def test_the_theme_switch_wins_over_the_system_s_choice(opened):
    page = opened("one", color_scheme="dark").page
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.locator("#theme").select_option("light")
    assert page.evaluate(ground) == "rgb(255, 255, 255)" != dark
    page.reload()
    assert page.evaluate(ground) == "rgb(255, 255, 255)"


def test_an_agent_moves_only_while_it_is_played(opened):
    page = opened("moving").page
    picture = page.locator("#rollouts img")
    assert "first on hopper" in picture.get_attribute("alt")
    assert picture.get_attribute("src").startswith("data:image/png")
    button = page.get_by_role("button", name="Play first, moving")
    button.focus()
    page.keyboard.press("Enter")
    assert picture.get_attribute("src").startswith("data:image/gif")
    page.get_by_role("button", name="Stop first, moving").click()
    assert picture.get_attribute("src").startswith("data:image/png")


def test_what_scrolls_can_be_reached_by_keyboard_and_has_a_name(opened):
    page = opened("one", PHONE).page
    page.wait_for_timeout(200)
    unreached = page.evaluate(
        """[...document.querySelectorAll(".scroll, .formula")].filter((e) =>
             e.scrollWidth > e.clientWidth
             && !(e.tabIndex === 0 && e.getAttribute("aria-label"))).length"""
    )
    assert unreached == 0
    table = page.get_by_role("group", name="Leaderboard")
    table.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(500)
    assert table.evaluate("(scrolled) => scrolled.scrollLeft") > 0


def choose(page, side, name, values):
    panel = page.locator(f"[data-side='{side}']")
    panel.locator(".objective").select_option(label=name)
    for parameter, value in values.items():
        select = panel.locator(f"[data-parameter='{parameter}']")
        options = select.locator("option").all_inner_texts()
        wanted = next(text for text in options if float(text) == value)
        select.select_option(label=wanted)
    return panel


def slide(page, which, value):
    page.locator(f"#probe-{which}").evaluate(
        "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input')); }",
        value,
    )


def shown_values(panel):
    return [
        float(panel.locator(f"[data-value='{name}']").inner_text())
        for name in ("loss", "chosen", "rejected")
    ]


def python_values(objective, chosen, rejected, progress):
    """Loss and derivatives in float64, the derivatives by central differences."""

    def loss(x, y):
        reference = [np.array([shapes.REFERENCE])] * 2 if objective.needs_reference else []
        return float(objective(PairLogProbs(np.array([x]), np.array([y]), *reference), progress)[0])

    h = 1e-5
    return [
        loss(chosen, rejected),
        (loss(chosen + h, rejected) - loss(chosen - h, rejected)) / (2 * h),
        (loss(chosen, rejected + h) - loss(chosen, rejected - h)) / (2 * h),
    ]


def test_the_explorer_shows_the_python_objectives_values(opened):
    page = opened("one").page
    draw = random.Random(0)
    axis = shapes.axis()
    for name in ("cpo", "orpo", "dpo", "ipo", "simpo", "kto", "ta-mpo", "fdpo", "sppo"):
        grid = objectives.get(name).search_grid
        for side in ("a", "b"):
            values = {parameter: draw.choice(offered) for parameter, offered in grid.items()}
            moving = {"progress": draw.choice((0.0, 0.5, 1.0))} if name == "ta-mpo" else {}
            panel = choose(page, side, name, {**values, **moving})
            # Off the diagonal: there some losses bend, and have no derivative.
            x, y = draw.sample(list(axis), 2)
            slide(page, "chosen", x)
            slide(page, "rejected", y)
            objective = objectives.get(name, aggregation="mean", **values)
            expected = python_values(objective, x, y, moving.get("progress", 0.0))
            # The page keeps halves, and shows four digits.
            wanted = pytest.approx(expected, rel=2e-3, abs=1e-4)
            # A busy machine draws late.
            for _ in range(12):
                if shown_values(panel) == wanted:
                    break
                page.wait_for_timeout(100)
            assert shown_values(panel) == wanted, (name, values)


def test_the_explorer_redraws_at_once_when_a_choice_changes(opened):
    page = opened("one").page
    page.locator("#explorer").scroll_into_view_if_needed()
    panel = choose(page, "a", "orpo", {"weight": 1.0})
    map_image = panel.locator("[data-explorer] g[aria-label='raster'] image")
    picture = map_image.get_attribute("href")
    lines = page.locator("[data-function='inverse potential'] svg").last.inner_html()
    choose(page, "a", "orpo", {"weight": 10.0})
    assert map_image.get_attribute("href") != picture
    choose(page, "a", "simpo", {})
    assert page.locator("[data-function='inverse potential'] svg").last.inner_html() != lines
    page.locator("#quantity").select_option("loss")
    assert "loss" in panel.locator("[data-explorer]").inner_text()


def test_a_click_into_a_map_moves_the_probe_of_both(opened):
    page = opened("one").page
    chart = page.locator("[data-side='b'] [data-explorer] svg[aria-label]")
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    page.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + 0.25 * box["height"])
    chosen = float(page.locator("#probe-chosen-value").inner_text())
    rejected = float(page.locator("#probe-rejected-value").inner_text())
    assert -7.5 < chosen < -4.5
    assert -4.5 < rejected < -1.5


def test_every_control_and_chart_has_a_name(opened):
    shown = opened("one")
    shown.scroll_through()
    page = shown.page
    assert page.locator("html").get_attribute("lang") == "en"
    unnamed = page.evaluate(
        """[...document.querySelectorAll("select, input, button")].filter((e) =>
             !(e.labels && e.labels.length) && !e.getAttribute("aria-label")
             && !e.textContent.trim()).map((e) => e.outerHTML)"""
    )
    assert unnamed == []
    charts = page.locator("[data-chart]:not([data-chart='legend']):visible")
    assert charts.count() == page.locator("[data-chart]:visible:has(svg[aria-label])").count()
    levels = [
        int(tag[1])
        for tag in page.evaluate(
            "[...document.querySelectorAll('h1, h2, h3, h4')].map((e) => e.tagName)"
        )
    ]
    assert levels[0] == 1
    assert all(after <= before + 2 for before, after in itertools.pairwise(levels))
