"""The built wheel works away from the repository: it holds all that the commands read."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BENCH = (
    *("bench", "--task", "hopper", "--variants", "base", "--algorithms", "sft", "--seeds", "1"),
    *("--rows", "8", "--epochs", "1", "--time-steps", "4", "--episodes", "1", "--data-draws", "1"),
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with what the wheel holds, as pip puts it where Python finds packages."""
    pytest.importorskip("setuptools", minversion="77", reason="nothing here builds wheels")
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "source"  # a build leaves files beside its source
    copy.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    shutil.copytree(
        ROOT / "src", copy / "src", ignore=shutil.ignore_patterns("*.egg-info", "*.pyc")
    )
    code = (
        "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))"
    )
    run(sys.executable, "-c", code, str(folder), cwd=copy)
    [wheel] = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(folder / "installed")
    return folder / "installed"


def run(*words, cwd, **environment):
    done = subprocess.run(
        words,
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=1800,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.slow
def test_commands_of_an_installed_wheel_run_in_another_folder(installed, tmp_path):
    python = {"PYTHONPATH": str(installed), "MIRRORPO_CACHE": str(tmp_path / "cache")}
    code = "import mirrorpo; print(mirrorpo.__file__)"
    where = run(sys.executable, "-c", code, cwd=tmp_path, **python)
    assert Path(where.strip()).is_relative_to(installed)
    mirrorpo = (sys.executable, "-m", "mirrorpo")
    listed = run(*mirrorpo, "objectives", cwd=tmp_path, **python)
    assert "simpo" in listed
    assert "hopper-hinge" in listed
    run(*mirrorpo, *BENCH, "--out", "run", cwd=tmp_path, **python)
    assert "sft" in (tmp_path / "run" / "table.md").read_text(encoding="utf-8")
