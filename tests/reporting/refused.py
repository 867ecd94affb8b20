"""A report that is refused, and what it says."""

import pytest

from mirrorpo.cli import main


def run_report(capsys, *arguments):
    """The one line on standard error of a report that ends with code 2."""
    with pytest.raises(SystemExit) as stop:
        main(["report", *map(str, arguments)])
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert error.count("\n") == 1, error
    return error
