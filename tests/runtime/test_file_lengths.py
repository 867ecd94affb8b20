"""A file holds one idea: none is longer than can be read at once."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MOST = 400
"""Lines of a file."""


@pytest.mark.parametrize("folder", ["src", "tests", "benchmarks", "docs/hooks", "examples"])
def test_no_file_of_code_is_longer_than_400_lines(folder):
    lengths = {
        path.relative_to(ROOT).as_posix(): len(path.read_text("utf-8").splitlines())
        for path in (ROOT / folder).rglob("*.py")
    }
    assert lengths
    assert not {path: length for path, length in lengths.items() if length > MOST}
