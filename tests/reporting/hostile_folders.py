"""Run folders that mean harm, of every kind, and folders with one file damaged."""

import json
import shutil

from mirrorpo import files, json_lines, runs
from mirrorpo.discovery.search_log import RESULT
from tests.reporting.bench_folders import published, real_lines, write_bench
from tests.reporting.language_folders import write_align, write_judged, write_reviews

SCRIPT = "<script>window.harmed = 1</script>"
IMAGE = "<img src=x onerror='window.harmed = 2'>"
BREAK_OUT = "</script><script>window.harmed = 3</script>"
ATTRIBUTE = '"><svg onload="window.harmed = 4">'
TEMPLATE = "{{ 7 * 7 }}{% for x in y %}"
MARKUP = "[bold]x[/bold] [link=javascript:window.harmed=5]y[/link]"
MATH = "$\\frac{1$ <b>"
CONTROL = "a\x1b[31m\u202e\x00b"
TEXTS = (SCRIPT, IMAGE, BREAK_OUT, ATTRIBUTE, TEMPLATE, MARKUP, MATH, "=cmd|'/C calc'!A0")

FORMULAS = (
    r"\text{<script>window.harmed = 6</script>}",
    r"\text{&lt;script&gt;window.harmed = 7&lt;/script&gt;}",
    r"\href{javascript:window.harmed=8}{x}",
    r"\mbox{<img src=x onerror='window.harmed = 9'>}",
    r"\style{position:fixed;inset:0}{x}",
    r"\class{skip}{x}",
    r"\unicode{x3c}script",
    "x & <iframe src='javascript:window.harmed = 10'></iframe>",
    r"\begin{aligned}a &= \text{</mtd></table><script>window.harmed = 11</script>}\end{aligned}",
    "\\frac{" * 300,
    "{" * 5000 + "}" * 5000,
    "\\" * 3000,
    "x" * 50_000,
    "",
)


def named(line, **changes):
    """The same agent with other names."""
    return {**line, "agent": {**line["agent"], **changes}}


def write_code(folder, ran):
    """A file that writes `ran` if it is ever run."""
    folder.mkdir(parents=True, exist_ok=True)
    code = f"open({str(ran)!r}, 'w').close()\nclass X: pass\n"
    for name in ("evil.py", "conftest.py", "sitecustomize.py", "__init__.py", "mirrorpo.py"):
        (folder / name).write_text(code)
    return folder / "evil.py"


def hostile_bench(folder, ran):
    """A bench whose names are scripts, formulas and code."""
    evil = write_code(folder.parent / "code", ran)
    names = [*TEXTS, CONTROL, f"{evil}:X", f"{evil}:X[scale=2]", "../../x.json", "__proto__"]
    lines = [x for x in real_lines() if x["agent"]["variant"] == "base"][: 2 * len(names)]
    changed = [
        named(line, algorithm=name, seed=seed, variant=SCRIPT, hyperparameters="{}")
        for name, pair in zip(names, zip(lines[::2], lines[1::2], strict=True), strict=True)
        for seed, line in enumerate(pair)
    ]
    write_bench(folder, changed, seeds=2, variants=[SCRIPT, "base"], algorithms=names)
    sources = [
        {"label": text, "mean": 1.0 - n, "standard_error": 1.0}
        for n, text in enumerate((SCRIPT, IMAGE))
    ]
    files.write_json(folder / "sources.json", sources)
    config = json.loads((folder / runs.CONFIG).read_text())
    config.update(
        command=SCRIPT, git_commit=IMAGE, versions={SCRIPT: IMAGE}, machine={SCRIPT: IMAGE}
    )
    (folder / runs.CONFIG).write_text(json.dumps(config))
    write_code(folder, ran)
    return folder


def hostile_explanation(folder, latex, text=SCRIPT):
    """A run of `mirrorpo explain` with this formula."""
    folder.mkdir(parents=True)
    settings = {"objective": text, "max_terms": 4, "low": None, "high": None, "seed": 0}
    files.write_json(folder / runs.CONFIG, {"settings": settings})
    numbers = {"relative_error": 0.1, "max_error": 0.2, "r_squared": 0.9}
    document = {"objective": text, "closed_form": {"text": text, **numbers}}
    files.write_json(folder / "explain.json", document)
    (folder / "closed_form.tex").write_text(latex)
    shutil.copy(published("explain-tla") / "gradient_map.png", folder)
    return folder


def hostile_search(folder):
    """A search with a formula of its own that is a script."""
    shutil.copytree(published("discover-noisy"), folder)
    for path in folder.iterdir():
        path.chmod(0o644)
    kept = {
        "objective_sha256": files.checksum(folder / RESULT),
        "text": ATTRIBUTE,
        "latex": FORMULAS[0],
        "relative_error": 0.1,
        "r_squared": 0.9,
        "max_error": 0.2,
    }
    files.write_json(folder / "formula.json", kept)
    config = json.loads((folder / runs.CONFIG).read_text())
    config["settings"].update(family=SCRIPT, task=IMAGE, variants=[ATTRIBUTE], learn=[BREAK_OUT])
    (folder / runs.CONFIG).write_text(json.dumps(config))
    return folder


def hostile_language_runs(folder):
    """A bench on reviews, a fine-tuning and a judgement with scripts in all that models and judges
    wrote."""
    reviews = write_reviews(folder / "reviews")
    samples = [{"algorithm": SCRIPT, "prompt": IMAGE, "text": BREAK_OUT, "reward": 1.0}]
    json_lines.write(reviews / "samples" / "original.jsonl", samples)
    (reviews / "sources.json").write_text(
        (reviews / "sources.json").read_text().replace("better: target", "better: " + IMAGE)
    )
    aligned = write_align(folder / "aligned")
    config = json.loads((aligned / runs.CONFIG).read_text())
    config["settings"].update(objective=SCRIPT, model_name_or_path=IMAGE, dataset_name=ATTRIBUTE)
    (aligned / runs.CONFIG).write_text(json.dumps(config))
    judged = write_judged(folder / "judged")
    results = json.loads((judged / "results.json").read_text())
    results.update(what=SCRIPT, model=IMAGE, baseline=ATTRIBUTE, notes=[BREAK_OUT, TEMPLATE])
    (judged / "results.json").write_text(json.dumps(results))
    return [reviews, aligned, judged]


def hostile_runs(folder, ran):
    """Every kind, in a folder whose own name is a script."""
    return [
        hostile_bench(folder / "<img src=x onerror=window.harmed=12>", ran),
        hostile_search(folder / "search'\"><script>window.harmed=13<"),
        *(hostile_explanation(folder / f"formula-{n}", tex) for n, tex in enumerate(FORMULAS)),
        *hostile_language_runs(folder),
    ]


DAMAGE = {
    "empty": b"",
    "null": b"null\n",
    "list": b"[]\n",
    "number": b"7\n",
    "text": b'"x"\n',
    "empty-object": b"{}\n",
    "nulls": b'{"settings": null, "agent": null, "curves": null, "closed_form": null}\n',
    "nested": b"[" * 100_000,
    "digits": b'{"settings": ' + b"9" * 5000 + b"}",
    "binary": bytes(range(256)) * 8,
    "nan": b'{"settings": {"algorithms": NaN, "variants": NaN}, "agent": {}, "curves": {}}\n',
    "wrong-kinds": b'{"settings": {"algorithms": [1], "variants": {}}, "agent": {"seed": []}}\n',
}
"""Contents that a file may have in place of its own."""


def whole_runs(folder):
    """One sound run of each kind, small, by name."""
    lines = [x for x in real_lines() if x["agent"]["seed"] < 2]
    found = {
        "bench": write_bench(folder / "bench", lines, seeds=2),
        "reviews": write_reviews(folder / "reviews"),
        "align": write_align(folder / "align"),
        "judge": write_judged(folder / "judge"),
        "explain": hostile_explanation(folder / "explain", "x^2", "dpo"),
    }
    for name, source in (("discover", "discover-noisy"), ("agents", "hopper-agents")):
        found[name] = folder / name
        shutil.copytree(published(source), found[name])
    return found
