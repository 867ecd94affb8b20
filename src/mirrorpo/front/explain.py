"""``mirrorpo.explain``: what an objective does, as pictures and as a formula."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mirrorpo import files, runs
from mirrorpo.front import options as given
from mirrorpo.front.run_folder import Out, PathLike, RunFolder, choose, writing
from mirrorpo.front.settings import ExplainSettings
from mirrorpo.runtime.start import start_jax

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mirrorpo.discovery.artefact import Discovery
    from mirrorpo.discovery.closed_form_fit import Fit
    from mirrorpo.discovery.gradient_map import GradientMap
    from mirrorpo.discovery.member_functions import Curve
    from mirrorpo.discovery.visited import Visited
    from mirrorpo.objectives import ClosedForm, Objective


def explain(
    objective: PathLike | Objective,
    *,
    out: Out = None,
    max_terms: int = ExplainSettings.max_terms,
    low: float | None = ExplainSettings.low,
    high: float | None = ExplainSettings.high,
    seed: int = ExplainSettings.seed,
) -> Explanation:
    """Say what an objective pulls at, and write it as a formula of few terms.

    Args:
        objective: as `mirrorpo.objective` takes it.
        out: run folder: gradient_map and, for a member of the mirror family, functions as PNG and
            SVG; closed_form.json (an objective, to be trained like any other), closed_form.tex,
            explain.json. Nothing is written by default.
        max_terms: the most terms of the formula.
        low: lowest log-prob to look at, a mean over time; by default the lowest that training
            visited, or -14 where that is not known.
        high: highest log-prob to look at; by default the highest visited, or -6.
        seed: the seed of the choice of pairs and of the cross-validation's folds.

    Raises:
        ValueError: an unknown name, a setting out of range, a gradient that no formula has, or a
            folder of another run.
    """
    start_jax()
    from mirrorpo.discovery.closed_form_fit import closed_form
    from mirrorpo.discovery.gradient_map import depends_on_progress, gradient_map
    from mirrorpo.discovery.member_functions import MOMENTS, member_functions
    from mirrorpo.objectives import MirrorObjective

    settings = ExplainSettings(max_terms, low, high, seed)
    text, loaded = _load(objective)
    recorded = {"objective": text, **dataclasses.asdict(settings)}
    named = text.partition("[")[0]
    named = loaded.name if set(named) & set("./\\:") else named  # a file is called by what it holds
    folder = choose(out, "explain", f"{named}-{files.digest(recorded)[:8]}")
    with writing(folder) as path:
        if not folder.is_temporary:
            runs.claim(path, recorded, kind="explain")
        discovery = _discovery(text)
        visited = _visited(discovery, loaded.needs_reference, settings.low, settings.high)
        fit = closed_form(loaded, visited, settings.max_terms, settings.seed)
        moments = MOMENTS if depends_on_progress(loaded, visited) else MOMENTS[:1]
        found = Explanation(
            text,
            loaded,
            visited,
            fit,
            tuple(gradient_map(loaded, visited, progress) for progress in moments),
            member_functions(loaded, visited) if isinstance(loaded, MirrorObjective) else (),
            discovery,
            folder,
        )
        if not folder.is_temporary:
            found._write(path)
    return found


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """What an objective does.

    Attributes:
        text: the objective as it was named.
        objective: itself.
        visited: the pairs that it was looked at.
        fit: its closed form with all errors.
        maps: its gradient at one or more moments of training.
        curves: its scalar functions; none for what is not a member of the mirror family.
        discovery: what is known of it if it was discovered; else None.
    """

    text: str
    objective: Objective
    visited: Visited
    fit: Fit
    maps: Sequence[GradientMap]
    curves: Sequence[Curve]
    discovery: Discovery | None
    _folder: RunFolder

    @property
    def formula(self) -> str:
        """The objective as a formula of few terms, in one line."""
        return self.fit.text

    @property
    def latex(self) -> str:
        """The formula as an ``aligned`` block of LaTeX."""
        return self.fit.latex

    @property
    def error(self) -> float:
        """How far the formula's gradient is off on held-out pairs.

        It is a root mean square, relative to the gradient's; 0 is perfect.
        """
        return self.fit.relative_error

    @property
    def closed_form(self) -> ClosedForm:
        """The formula as an objective, to be trained like any other."""
        return self.fit.objective

    @property
    def lines(self) -> tuple[str, ...]:
        """Formula, error, functions and gradient in words."""
        from mirrorpo.discovery import explained

        return explained.lines(self.text, self.visited, self.fit, self.maps, self.curves)

    @property
    def folder(self) -> Path | None:
        """The run folder; None where nothing was written."""
        return None if self._folder.is_temporary else self._folder.path

    def plot(self) -> Figure:
        """The size of the gradient over the two log-probs, and where training moves a pair."""
        from mirrorpo.reporting import explain_plots

        title = f"{self.text}\nsize of the gradient; arrows: where training moves a pair"
        return explain_plots.gradient_maps(self.maps, self.visited, title)

    def plot_functions(self) -> Figure:
        """The scalar functions of a member of the mirror family, each beside the usual one.

        Raises:
            ValueError: it is not a member.
        """
        from mirrorpo.reporting import explain_plots

        if not self.curves:
            raise ValueError(
                f"{self.text} is not a member of the mirror family: it has no functions."
            )
        title = f"{self.text}: its scalar functions"
        return explain_plots.functions(self.curves, self.visited, title)

    def _write(self, out: Path) -> None:
        from mirrorpo import objectives
        from mirrorpo.discovery import explained
        from mirrorpo.reporting import picture

        for ending in ("png", "svg"):
            picture.save(self.plot(), out / f"gradient_map.{ending}")
            if self.curves:
                picture.save(self.plot_functions(), out / f"functions.{ending}")
        objectives.save(self.closed_form, out / "closed_form.json", self._notes())
        files.write_text(out / "closed_form.tex", self.latex)
        document = explained.document(self.text, self.visited, self.fit, self.maps, self.curves)
        files.write_json(out / "explain.json", document)

    def _notes(self) -> dict[str, object] | None:
        """A discovery's formula is a discovery.

        It keeps where it comes from and what was visited.
        """
        from mirrorpo.discovery import artefact

        if self.discovery is None:
            return None
        fit = self.fit
        own = {
            "formula_of": self.text,
            "relative_error": fit.relative_error,
            "max_error": fit.max_error,
        }
        known = {**self.discovery.provenance, **own}
        return artefact.notes(artefact.Discovery(fit.objective, self.discovery.visited, known))

    def __str__(self) -> str:
        return "\n".join(self.lines)

    def __repr__(self) -> str:
        return f"Explanation({self.text!r}: {self.formula})"


def _load(objective: PathLike | Objective) -> tuple[str, Objective]:
    from mirrorpo.objectives import Objective
    from mirrorpo.study import algorithms

    if isinstance(objective, Objective):
        return repr(objective), objective
    text = given.objective_text(objective)
    return text, algorithms.load(text).objective


def _discovery(text: str) -> Discovery | None:
    """What is known of the objective of this name or file, if it was discovered."""
    from mirrorpo import objectives
    from mirrorpo.discovery import artefact
    from mirrorpo.objectives import naming

    if not naming.is_saved(text) or "visited" not in objectives.load_notes(artefact.find(text)):
        return None
    return artefact.load(text)


def _visited(
    discovery: Discovery | None, needs_reference: bool, low: float | None, high: float | None
) -> Visited:
    from mirrorpo.discovery import visited

    if discovery is not None and low is None and high is None:
        return discovery.visited
    return visited.Visited.grid(
        visited.LOW if low is None else low,
        visited.HIGH if high is None else high,
        needs_reference=needs_reference,
    )
