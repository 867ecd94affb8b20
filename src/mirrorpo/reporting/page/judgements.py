"""Comparisons of two models' answers by a judge."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mirrorpo import files
from mirrorpo.reporting.page.folders import Folder
from mirrorpo.study.tables import NOT_RUN


@dataclass(frozen=True)
class JudgePart:
    """A run of `mirrorpo judge`.

    Attributes:
        folder: the folder of the run.
        results: as in results.json; None while answers or verdicts are being made, and where
            answers alone were asked for.
    """

    folder: Folder
    results: Mapping[str, Any] | None

    @property
    def answers_only(self) -> bool:
        """Whether no comparison was asked for."""
        return self.folder.settings["judge"] is None

    @property
    def finished(self) -> bool:
        """Whether all that was asked for is there."""
        return self.answers_only or self.results is not None

    @property
    def rows(self) -> list[tuple[str, str]]:
        """Name and value of what the judge found; none before it is done."""
        if self.results is None:
            return []
        found = self.results
        characters = found["mean_characters"]
        return [
            ("win rate", _rate(found["win_rate"])),
            ("length-controlled win rate", _rate(found["length_controlled_win_rate"])),
            ("pairs judged", str(found["pairs"])),
            ("pairs without a verdict", str(found["without_verdict"])),
            (f"mean characters, {found['model']}", f"{characters['model']:.0f}"),
            (f"mean characters, {found['baseline']}", f"{characters['baseline']:.0f}"),
        ]


def read(folder: Folder) -> JudgePart:
    """A comparison, finished or not.

    Raises:
        ValueError: its results are damaged.
    """
    path = folder.path / "results.json"
    return JudgePart(folder, files.read_json(path, "a judge's results") if path.is_file() else None)


def _rate(rate: Mapping[str, float | None] | None) -> str:
    if rate is None or rate["value"] is None:
        return NOT_RUN
    if rate["standard_error"] is None:
        return f"{rate['value']:.1f} %"
    return (
        f"{rate['value']:.1f} ± {rate['standard_error']:.1f} % "
        f"[{rate['low']:.1f}, {rate['high']:.1f}]"
    )
