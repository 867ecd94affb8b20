"""A test is skipped for what may be missing alone: an extra, a browser, a part of the system."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
SKIPPED_WITHOUT = re.compile(r"importorskip\(\s*[\"']([\w.]+)")
IMPORTED_AS = {"pyyaml": "yaml", "pillow": "pil", "scikit_learn": "sklearn", "mujoco_mjx": "mujoco"}


def test_no_test_is_skipped_for_want_of_a_package_that_is_always_there():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = [re.match(r"[\w-]+", text)[0] for text in project["dependencies"]]
    always = {name.lower().replace("-", "_") for name in needed} | {"mirrorpo"}
    always = {IMPORTED_AS.get(name, name) for name in always}
    named = {
        (path.relative_to(ROOT).as_posix(), package)
        for path in (ROOT / "tests").rglob("*.py")
        for package in SKIPPED_WITHOUT.findall(path.read_text(encoding="utf-8"))
    }
    assert ("tests/language/tiny.py", "torch") in named
    assert not {(path, of) for path, of in named if of.partition(".")[0].lower() in always}
