"""Run folders that mean harm, or are damaged: nothing in them runs, and each costs its own part."""

import csv
import random
import re
import sys
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import pytest

from mirrorpo import array_files, files, objectives, runs
from mirrorpo.cli import main
from mirrorpo.discovery import shapes
from mirrorpo.objectives import component, naming
from mirrorpo.reporting import export, export_figures, written
from mirrorpo.reporting.page import choices, explorer, mathml, reading, render
from mirrorpo.user_text import UserText
from tests.reporting.bench_folders import real_lines, write_bench
from tests.reporting.hostile_folders import (
    BREAK_OUT,
    DAMAGE,
    FORMULAS,
    SCRIPT,
    hostile_bench,
    hostile_runs,
    named,
    whole_runs,
)

ELEMENTS = set(mathml._ELEMENTS)
SHORT = 6
"""Damaged folders of the fast suite; the slow one takes all."""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """What `mirrorpo report` writes of every hostile folder, with few objectives in the explorer;
    what code would have written; and the modules of users' code that were loaded."""
    folder = tmp_path_factory.mktemp("hostile")
    ran, out = folder / "ran", folder / "report"
    found = hostile_runs(folder, ran)
    before = set(sys.modules)
    parts = reading.sound(reading.read(found), written.attempt)
    assert [run.name for run in parts.damaged] == []
    offered, _ = choices.offered(parts)
    others = offered[: len(offered) - len(explorer.zoo())]
    few = [*others, *(choice for choice in offered if choice.label in ("cpo", "dpo"))]
    content = explorer.document(few)
    page = render._filled(parts, f"mirrorpo report {SCRIPT}", [], [], content, [0, len(few) - 1])
    files.write_text(out / "report.html", page)
    export.write_tables(parts, out / "tables")
    for bench in parts.benches:
        name = files.file_name(bench.folder.name)
        files.write_text(out / "tables" / f"{name}.md", written.markdown(bench.run))
    loaded = {name for name in set(sys.modules) - before if "mirrorpo_user_file" in name}
    return out, ran, loaded


@pytest.mark.slow
def test_the_command_shows_hostile_folders_and_runs_nothing_of_them(tmp_path):
    ran = tmp_path / "ran"
    found = hostile_runs(tmp_path, ran)
    main(["report", *map(str, found), "--out", str(tmp_path / "report"), "--all-figures"])
    assert (tmp_path / "report" / "report.html").is_file()
    assert not ran.exists()


def test_no_code_that_a_run_folder_names_or_holds_is_run(hostile):
    _, ran, loaded = hostile
    assert not ran.exists()
    assert not loaded


def test_no_cell_of_an_exported_table_is_a_formula(hostile):
    tables = [*(hostile[0] / "tables").glob("*.csv")]
    assert len(tables) > 5
    for path in tables:
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.reader(file):
                assert not [cell for cell in row if re.match(r"\s*[=@\t]", cell)], path
                assert not [cell for cell in row if re.match(r"[+-][^0-9]", cell)], path


def test_no_html_of_a_name_is_in_a_markdown_table(hostile):
    texts = [path.read_text("utf-8") for path in (hostile[0] / "tables").glob("*.md")]
    assert texts
    assert any("&lt;script&gt;" in text for text in texts)
    for text in texts:
        assert "<script" not in text
        assert "<img" not in text
        assert "](javascript" not in text


class Elements(HTMLParser):
    """The elements of a page with their attributes, as a browser reads them."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def test_the_page_holds_no_element_or_address_of_a_folder(hostile):
    found = Elements((hostile[0] / "report.html").read_text("utf-8")).found
    tags = [tag for tag, _ in found]
    assert tags.count("script") == len(render._scripts()) + 2  # and two blocks of data
    assert not {"iframe", "object", "embed", "form", "base", "svg"} & set(tags)
    assert tags.count("meta") == 3
    for tag, attributes in found:
        assert not [name for name in attributes if name.startswith("on")], tag
        for name in ("href", "src", "action", "xlink:href"):
            address = attributes.get(name, "#")
            assert address.startswith(("#", "data:image/", "data:,")), (tag, address[:80])


def test_names_of_a_hostile_bench_are_no_formulas_of_a_figure(tmp_path):
    run = hostile_bench(tmp_path / "bench", tmp_path / "ran")
    found = list(export_figures.write(reading.read([run]), tmp_path / "figures"))
    assert [failure for _, failure in found] == [None] * len(found)
    text = (tmp_path / "figures" / "bench-agents.svg").read_text("utf-8")
    ElementTree.fromstring(text)
    assert "<script" not in text


@pytest.mark.parametrize("latex", FORMULAS)
def test_mathml_has_allowed_elements_and_attributes_alone(latex):
    found = str(mathml.from_latex(latex))
    assert set(re.findall(r"</?([a-zA-Z][\w:-]*)", found)) <= ELEMENTS | {"code"}
    for tag in re.findall(r"<[a-z]+([^>]*)>", found):
        names = set(re.findall(r"([\w:-]+)=", tag))
        assert names <= mathml._ATTRIBUTES | {"xmlns", "display"}
        assert not re.search(r"javascript|expression|url\(", tag)


def test_what_is_no_formula_is_shown_as_it_is_written():
    assert str(mathml.from_latex("<b>" + "x" * 50_000)).startswith("<code>&lt;b&gt;xxx")


def test_the_policy_lets_the_page_s_own_scripts_run_and_no_other(hostile):
    page = (hostile[0] / "report.html").read_text("utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)[1]
    wanted = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert wanted["default-src"] == "'none'"
    assert re.fullmatch(r"('sha256-[A-Za-z0-9+/=]{44}' ?){4}", wanted["script-src"])
    assert wanted["base-uri"] == wanted["form-action"] == "'none'"


class Watched:
    """A page in a browser, and what went wrong or out of it."""

    def __init__(self, browser, path):
        self.problems, self.asked = [], []
        self.context = browser.new_context(viewport={"width": 1280, "height": 900})
        self.page = self.context.new_page()
        self.page.on("dialog", lambda dialog: self.problems.append(dialog.message))
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("console", lambda message: self._said(message.type, message.text))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.as_uri())

    def _said(self, kind, text):
        if kind == "error":
            self.problems.append(text)

    def network(self):
        """Addresses outside the file that the page asked for."""
        return [url for url in self.asked if not url.startswith(("file:", "data:", "blob:"))]


def test_a_browser_runs_nothing_of_hostile_folders_and_draws_the_page(hostile, chromium):
    shown = Watched(chromium, hostile[0] / "report.html")
    page = shown.page
    page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
    for place in page.locator("[data-chart]:visible").all():
        place.scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    assert page.evaluate("window.harmed") is None
    assert page.locator("[data-chart]:visible:has(svg)").count() >= 5
    strange = page.evaluate(
        """(allowed) => [...document.querySelectorAll(".formula *")]
             .filter((e) => !allowed.includes(e.localName)).map((e) => e.outerHTML)""",
        [*ELEMENTS, "code"],
    )
    assert strange == []
    handled = page.evaluate(
        """[...document.querySelectorAll("body *")].filter((e) => [...e.attributes].some((a) =>
             a.name.startsWith("on") || /javascript:/i.test(a.value) && a.name !== "title"
             && !a.name.startsWith("data-") && !a.name.startsWith("aria-") && a.name !== "value"
             )).map((e) => e.outerHTML.slice(0, 200))"""
    )
    assert handled == []
    assert (
        page.evaluate("document.querySelectorAll('iframe, object, embed, form, base').length") == 0
    )
    assert shown.network() == []
    problems = shown.problems
    shown.context.close()
    assert problems == []


def test_a_script_that_gets_into_the_page_all_the_same_does_not_run(hostile, chromium, tmp_path):
    whole = (hostile[0] / "report.html").read_text("utf-8")
    link = "<a id=link href='javascript:window.harmed=3'>x</a>"
    injected = f"{SCRIPT}<img src=x onerror='window.harmed=2'>{link}"
    path = tmp_path / "injected.html"
    path.write_text(whole.replace("</main>", f"{injected}</main>"), "utf-8")
    shown = Watched(chromium, path)
    shown.page.locator("#link").click()
    shown.page.wait_for_timeout(300)
    assert shown.page.evaluate("window.harmed") is None
    # The page's own scripts did run.
    assert shown.page.locator("[data-explorer='a'] svg").count() > 0
    shown.context.close()


def test_a_damaged_config_among_sound_runs_is_named_and_left_out(tmp_path, capsys):
    lines = [x for x in real_lines() if x["agent"]["seed"] < 2]
    sound = write_bench(tmp_path / "sound", lines, seeds=2)
    broken = write_bench(tmp_path / "broken", lines, seeds=2)
    (broken / runs.CONFIG).write_text("[1, 2")
    parts = reading.sound(reading.read([sound, broken]), render.attempt)
    assert [folder.name for folder in parts.damaged] == ["broken"]
    assert [bench.folder.name for bench in parts.benches] == ["sound"]
    html = render._filled(parts, "", [], [], {}, [])
    assert "damaged: " in html
    assert "is not valid JSON" in html
    with pytest.raises(SystemExit) as stop:
        main(["report", str(broken), "--out", str(tmp_path / "out")])
    error = capsys.readouterr().err
    assert (stop.value.code, error.count("\n")) == (2, 1)
    assert "is damaged" in error


def damaged_folders(folder):
    """(kind, file, what is wrong): every file of every kind of run with every damage."""
    for kind, run in whole_runs(folder).items():
        for path in sorted(run.rglob("*")):
            if path.is_file() and path.suffix in (".json", ".jsonl", ".tex", ".png", ".csv"):
                for damage in DAMAGE:
                    yield kind, path.relative_to(run), damage
        yield from ((kind, "objective.safetensors", d) for d in DAMAGE if kind == "discover")


def costs_its_own_part(root, whole, cases):
    sound = whole["bench"]
    wanted = len(reading.read([sound]).places)
    shown = 0
    for number, (kind, file, damage) in enumerate(cases):
        copy = root / f"{number}-{kind}"
        files_of = [path for path in whole[kind].rglob("*") if path.is_file()]
        for path in files_of:
            target = copy / path.relative_to(whole[kind])
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(
                DAMAGE[damage]
                if str(path.relative_to(whole[kind])) == str(file)
                else path.read_bytes()
            )
        parts = reading.sound(reading.read([sound, copy]), render.attempt)
        kept = [place for place in parts.places if place.run == "bench"]
        assert len(kept) == wanted, (kind, file, damage)
        assert "<!doctype html>" in render._filled(parts, "", [], [], {}, [])
        shown += not parts.damaged
        for folder in parts.damaged:
            assert folder.damage
            assert "\n" not in folder.damage
    return shown


def test_one_damaged_file_costs_one_part_and_not_the_page(tmp_path):
    cases = list(damaged_folders(tmp_path / "whole"))
    assert len(cases) > 200
    picked = random.Random(0).sample(cases, SHORT)
    whole = {run.name: run for run in (tmp_path / "whole").iterdir()}
    shown = costs_its_own_part(tmp_path / "copies", whole, picked)
    assert 0 < shown < SHORT


@pytest.mark.slow
def test_every_damaged_file_costs_one_part_and_not_the_page(tmp_path):
    cases = list(damaged_folders(tmp_path / "whole"))
    whole = {run.name: run for run in (tmp_path / "whole").iterdir()}
    costs_its_own_part(tmp_path / "copies", whole, cases)


OWN = '''
from dataclasses import dataclass
from typing import ClassVar
from mirrorpo.objectives import Objective, number
from mirrorpo.objectives.base import grid

@dataclass(frozen=True, kw_only=True)
class Mine(Objective):
    """The margin, scaled: slope times it.

    More is said elsewhere.
    """
    name: ClassVar[str] = "mine-alone"
    search_grid = grid(slope=(1.0, 2.0, 4.0))
    slope: float = number(2.0, above=0)

    def loss(self, batch, progress):
        return -self.slope * (batch.chosen - batch.rejected)
'''


def test_a_user_s_own_loss_is_shown_from_what_its_run_recorded(tmp_path, monkeypatch):
    monkeypatch.setattr(component, "_registry", dict(component._registry))
    source = tmp_path / "mine.py"
    source.write_text(OWN)
    text = f"{source}:Mine"
    found = naming.resolve(UserText(text), aggregation="mean")
    agents = [x for x in real_lines() if x["agent"]["algorithm"] == "dpo"]
    lines = [named(x, algorithm=text, hyperparameters='{"slope": 4.0}') for x in agents]
    run = write_bench(tmp_path / "run", lines, seeds=25)
    shapes.remember(run, text, found, found.search_grid)
    shapes.remember(run, "dpo", objectives.get("dpo"), {})
    assert [path.suffix for path in (run / shapes.FOLDER).iterdir()] == [".safetensors"]
    source.write_text("raise SystemExit('the report ran this')")
    parts = reading.sound(reading.read([run]), render.attempt)
    offered, compared = choices.offered(parts)
    choice = offered[0]
    assert choice.label == text
    assert choice.shape.formula == "The margin, scaled: slope times it."
    assert choice.shape.grid == {"slope": (1.0, 2.0, 4.0)}
    assert compared == [(f"{text} slope=4.0", 0, 2)]
    # The derivative in the chosen log-prob is minus the slope, everywhere.
    derivatives = [float(point.maps[0, 1].mean()) for point in choice.shape.points]
    assert derivatives == [-1.0, -2.0, -4.0]


def test_a_damaged_shape_is_left_out(tmp_path):
    run = tmp_path / "run"
    shape = shapes.measure(objectives.get("cpo", aggregation="mean"), {"beta": (1.0, 2.0)})
    path = run / shapes.FOLDER / "cpo.safetensors"
    shapes.save(path, "cpo", shape)
    again = shapes.recall(run)["cpo"]
    assert (again.grid, again.moments, again.fixed) == (shape.grid, shape.moments, shape.fixed)
    assert [c.name for c in again.points[0].functions] == ["psi", "inverse potential", "link"]
    card = array_files.load_card(path, shapes._FORMAT, "a shape")
    arrays = array_files.load_arrays(path, "a shape")
    for changed_card, changed_arrays in (
        ({**card, "grid": {"beta": [1.0]}}, arrays),
        ({**card, "moments": []}, arrays),
        ({**card, "points": None}, arrays),
        (card, {**arrays, "0.maps": arrays["0.maps"][:, :2]}),
        (card, {name: of for name, of in arrays.items() if name != "1.link.x"}),
    ):
        array_files.save_arrays(path, changed_arrays, changed_card)
        assert shapes.recall(run) == {}
    path.write_bytes(b"no shape")
    assert shapes.recall(run) == {}


def test_a_log_s_hyperparameters_cannot_make_the_explorer_grow_without_end(tmp_path):
    agents = [x for x in real_lines() if x["agent"]["algorithm"] == "dpo"]
    variants = [f"v{n}" for n in range(75)]
    lines = [
        named(
            x,
            algorithm="cpo",
            variant=v,
            hyperparameters=f'{{"beta": {1 + n}, "sft_weight": {2 + n}}}',
        )
        for n, (x, v) in enumerate(zip(agents, variants, strict=False))
    ]
    run = write_bench(tmp_path / "run", lines, seeds=1, variants=variants)
    offered, _ = choices.offered(reading.read([run]))
    cpo = next(choice for choice in offered if choice.label == "cpo")
    assert 6 < len(shapes.combinations(cpo.grid)) <= shapes.MOST_POINTS


def test_a_break_out_of_the_data_block_is_text(hostile):
    assert BREAK_OUT not in (hostile[0] / "report.html").read_text("utf-8")
