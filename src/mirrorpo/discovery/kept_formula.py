"""The formula of few terms of what a search found: fitted once, then kept.

A fit takes some ten seconds. It is kept in the run's folder when the search ends, and in the user's
cache for a run that has none: whoever looks at a run only reads its folder.
"""

import contextlib
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mirrorpo import bounded, files, versions
from mirrorpo.discovery.artefact import Discovery
from mirrorpo.discovery.closed_form_fit import closed_form
from mirrorpo.runtime import cache

NAME = "formula.json"
TERMS = 4
"""The most terms of the formula."""

_MOST_LETTERS = 20_000


@dataclass(frozen=True)
class Formula:
    """A formula, and how near it comes; see `closed_form_fit.Fit`.

    Attributes:
        text: in one line of plain text.
        latex: as an ``aligned`` block.
        relative_error, r_squared, max_error: of the gradient, on held-out pairs.
    """

    text: str
    latex: str
    relative_error: float
    r_squared: float
    max_error: float


def of(result: Path, found: Discovery) -> Formula:
    """The formula of a search's result: as it is kept, or fitted now and kept in the cache.

    Raises:
        ValueError: see `closed_form`.
    """
    checksum = files.checksum(result)
    kept = cache.folder() / "formulas" / f"{checksum}-{versions.package_version()}.json"
    for path in (result.with_name(NAME), kept):
        formula = _read(path, checksum)
        if formula is not None:
            return formula
    formula = _fit(found)
    # A cache that cannot be written costs time, and nothing else.
    with contextlib.suppress(OSError):
        _write(kept, checksum, formula)
    return formula


def remember(result: Path, found: Discovery) -> Formula:
    """Fit a formula and store it beside the result.

    Raises:
        ValueError: see `closed_form`.
    """
    path, checksum = result.with_name(NAME), files.checksum(result)
    formula = _read(path, checksum)
    if formula is None:
        formula = _fit(found)
        _write(path, checksum, formula)
    return formula


def _fit(found: Discovery) -> Formula:
    if found.objective.memory_size:
        raise ValueError(
            f"{found.objective.name} looks at earlier batches too: no formula of one pair has its "
            "gradient."
        )
    fitted = closed_form(found.objective, found.visited, TERMS, 0)
    return Formula(
        fitted.text, fitted.latex, fitted.relative_error, fitted.r_squared, fitted.max_error
    )


def _write(path: Path, checksum: str, formula: Formula) -> None:
    files.write_json(path, {"objective_sha256": checksum, **asdict(formula)})


def _read(path: Path, checksum: str) -> Formula | None:
    """None where there is no formula of this content, or a damaged one."""
    try:
        document: Any = bounded.parse_json(bounded.read_text(path, "a formula", bounded.MEBIBYTE))
        if document.pop("objective_sha256") != checksum:
            return None
        formula = Formula(**document)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    texts = (formula.text, formula.latex)
    numbers = (formula.relative_error, formula.r_squared, formula.max_error)
    fine = all(isinstance(text, str) and len(text) < _MOST_LETTERS for text in texts) and all(
        isinstance(number, float) and math.isfinite(number) for number in numbers
    )
    return formula if fine else None
