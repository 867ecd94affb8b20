"""Every command in the documents parses, every Python block runs, and the site builds."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import mirrorpo
from mirrorpo import discovery, language, objectives
from mirrorpo.cli import COMMANDS, parse

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "recipes" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
SCRIPTS = sorted((ROOT / "examples").glob("*.py"))
MODEL, PAIRS = "path/or/hub-name", "pairs_with_prompt_chosen_rejected"
"""As the documents call a model and a dataset of the reader's own."""
MADE_BY_THE_SITE = {ROOT / "docs" / "zoo.md", ROOT / "docs" / "reference" / "commands.md"}
NEEDS_LLM = ("mirrorpo.language", "torch", "trl", "transformers", "datasets")


def name_of(path):
    return str(path.relative_to(ROOT))


def commands(text):
    """The `mirrorpo` lines in blocks of code, continued lines joined, without comments."""
    joined = re.sub(r"\\\n\s*", "", text)
    for line in joined.splitlines():
        if found := re.fullmatch(r"(?: {4,})?(?:\S*/)?(mirrorpo .*)", line):
            yield shlex.split(found[1], comments=True)[1:]


def exit_code(arguments):
    """0 if the command line is understood."""
    try:
        parse(arguments)
    except SystemExit as stop:
        return stop.code
    return 0


def python_blocks(text):
    return re.findall(r"^```python\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


def needs_llm(code):
    return any(re.search(rf"(?:from|import) {name}\b", code) for name in NEEDS_LLM)


@pytest.mark.parametrize("path", [*DOCUMENTS, *SCRIPTS], ids=name_of)
def test_every_command_parses(path):
    for arguments in commands(path.read_text(encoding="utf-8")):
        # Three dots alone stand for options that do not matter there.
        given = [argument for argument in arguments if argument != "..."]
        assert exit_code(given) == 0, f"{name_of(path)}: mirrorpo {shlex.join(given)}"


def test_commands_are_found_and_a_wrong_option_is_seen():
    found = list(commands((ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")))
    assert [arguments[0] for arguments in found[:2]] == ["bench", "report"]
    assert "--episodes" in found[0]
    assert exit_code([*found[0], "--no-such-option", "1"]) == 2


def write_stand_ins():
    """The model and the pairs that documents name, small ones, in the current folder."""
    import datasets

    from mirrorpo.language.models import stand_ins

    for part in (stand_ins.model(), stand_ins.tokenizer()):
        part.save_pretrained(MODEL)
    rows = [{"prompt": "2 + 2 = ", "chosen": "4", "rejected": str(n)} for n in range(5, 9)]
    return datasets.Dataset.from_list(rows)


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_python_block_runs(path, tmp_path, monkeypatch):
    """In the order of the page, in one namespace; from the first on that needs the extra `llm`,
    where it is installed."""
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "documents"}
    for code in python_blocks(path.read_text(encoding="utf-8")):
        if needs_llm(code) and PAIRS not in namespace:
            pytest.importorskip("trl", reason="the extra llm is not installed")
            namespace[PAIRS] = write_stand_ins()
        exec(compile(code, name_of(path), "exec"), namespace)
    if path.name == "tutorial.md":
        namespace["train"](MODEL, namespace[PAIRS])
        assert (tmp_path / "out").is_dir()


def test_every_public_name_is_in_the_reference():
    pages = sorted((ROOT / "docs" / "reference").glob("*.md"))
    found = re.findall(r"^::: (\S+)$", "".join(page.read_text("utf-8") for page in pages), re.M)
    assert len(set(found)) == len(found)
    for module in (objectives, discovery, language):
        listed = {name.rpartition(".")[2] for name in found if name.startswith(module.__name__)}
        assert set(module.__all__) <= listed
    door = {name.rpartition(".")[2] for name in found} | {"objectives", "tasks"}
    assert set(mirrorpo.__all__) <= door


def test_committed_results_are_small_and_have_names_that_every_system_can_check_out():
    found = [*(ROOT / "results").iterdir()]
    assert sum(path.stat().st_size for path in found) < 3e6
    documents = pd.read_parquet(ROOT / "results" / "documents.parquet")
    names = {*(path.name for path in found), *documents.run, *documents.path}
    assert len(names) > 90
    assert not [name for name in names if set(name) & set('<>:"|?*\\')]


def test_every_published_run_that_a_document_names_is_there():
    known = set(json.loads((ROOT / "results" / "index.json").read_text("utf-8"))["runs"])
    known |= {"NAME", *(path.name for path in (ROOT / "results").iterdir())}
    for path in DOCUMENTS:
        for name in re.findall(r"\bresults/([\w.-]*\w)(?!\.\.\.)", path.read_text("utf-8")):
            begins = name if name in known else f"{name}-"
            assert any(run.startswith(begins) for run in known), f"{name_of(path)}: {name}"


def anchors(text):
    """What links call the headings of a page, as the site does."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        shown = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        yield re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", shown).strip().lower())


def broken_links(path):
    """The links of a page to pages or headings that are not there."""
    for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text("utf-8")):
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        if ":" in name or target in MADE_BY_THE_SITE:
            continue
        if not target.exists() or (anchor and anchor not in anchors(target.read_text("utf-8"))):
            yield link


def test_every_link_leads_to_a_page_and_a_heading_that_are_there(tmp_path):
    page, other = tmp_path / "page.md", tmp_path / "other.md"
    page.write_text("# Page\n\n[a](other.md#the-second) [b](#page) [c](other.md#gone) [d](no.md)")
    other.write_text("# Other\n\n## The `second`\n")
    assert list(broken_links(page)) == ["other.md#gone", "no.md"]
    for path in [*DOCUMENTS, ROOT / "CHANGELOG.md"]:
        assert not list(broken_links(path)), name_of(path)


def commands_in_a_list(text):
    """Indented commands after a list, which a page shows as words of its last item."""
    text = re.sub(r"^```.*?^```", "\n", text, flags=re.DOTALL | re.MULTILINE)
    in_list = False
    for line in text.splitlines():
        if line and not line.startswith(" "):
            in_list = re.match(r"(\d+\.|[-*]) ", line) is not None
        elif in_list and re.match(r" {4}(mirrorpo|python|pip|make) ", line):
            yield line.strip()


def test_a_command_after_a_list_is_a_block_of_its_own():
    assert list(commands_in_a_list("1. One\n   more\n\n    mirrorpo bench\n"))
    assert not list(commands_in_a_list("- One\n\n```\n    mirrorpo bench\n```\n"))
    assert not list(commands_in_a_list("- One\n\n      make demo\n\nText:\n\n    make demo\n"))
    for path in DOCUMENTS:
        assert not list(commands_in_a_list(path.read_text("utf-8"))), path.name


def test_every_picture_is_shown_by_a_document():
    texts = "".join(path.read_text("utf-8") for path in DOCUMENTS)
    pictures = {path.name for path in (ROOT / "docs" / "images").iterdir()}
    assert len(pictures) > 5
    assert not [name for name in pictures if f"images/{name})" not in texts]


@pytest.mark.slow
def test_the_picture_of_all_losses_is_made_from_the_results(tmp_path):
    made = [sys.executable, ROOT / "docs" / "hooks" / "zoo.py", tmp_path / "all.png"]
    subprocess.run(made, check=True, capture_output=True)
    assert (tmp_path / "all.png").read_bytes().startswith(b"\x89PNG")


def test_the_site_builds_without_a_warning(tmp_path):
    pytest.importorskip("mkdocs", reason="the extra docs is not installed")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    zoo = (tmp_path / "site" / "zoo" / "index.html").read_text(encoding="utf-8")
    assert zoo.count("<h2") > 35
    assert "arXiv:2305.18290" in zoo
    assert (tmp_path / "site" / "zoo" / "dpo.png").stat().st_size > 1000
    unmeasured = {
        section.partition('"')[0]
        for section in zoo.split('<h2 id="')[1:]
        if "not measured yet" in section
    }
    agents = pd.read_parquet(ROOT / "results" / "agents.parquet")
    of_suite = agents[agents.run.str.startswith("leaderboard-hopper")]
    measured = {name.partition("[")[0] for name in of_suite.algorithm}
    assert len(measured) > 30
    assert not unmeasured & measured, "what a run holds is on the page"
    of_all = zoo.partition('id="all-on-one-table"')[2].partition("<h2")[0]
    assert all(f'href="#{name}"' in of_all for name in ("slic", "kto", "gated", "hopper-noisy"))
    hopper_noisy = zoo.partition('<h2 id="hopper-noisy">')[2].partition("<h2")[0]
    assert "hopper noisy:0.3 1.01 ± 0.00 (place 4 of " in hopper_noisy
    assert "tla mixed-quality 0.29 " in hopper_noisy
    assert (tmp_path / "site" / "images" / "leaderboard.png").is_file()
    commands = (tmp_path / "site" / "reference" / "commands" / "index.html").read_text("utf-8")
    assert commands.count("<h2") == sum(
        len(command) if isinstance(command, dict) else 1 for command in COMMANDS.values()
    )
    assert "--search-seeds" in commands
