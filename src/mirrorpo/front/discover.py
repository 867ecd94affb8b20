"""``mirrorpo.discover``: search an objective by the return of the agents that it trains."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from mirrorpo import files
from mirrorpo.discovery.artefact import Discovery
from mirrorpo.discovery.settings import DiscoverySettings
from mirrorpo.front import options as given
from mirrorpo.front.options import DiscoverOptions
from mirrorpo.front.run_folder import (
    Out,
    PathLike,
    Progress,
    ResultInFolder,
    RunFolder,
    choose,
    opened,
    silent,
    writing,
)
from mirrorpo.objectives.naming import spelled
from mirrorpo.runtime.start import start_jax
from mirrorpo.user_text import UserText, users_own

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from mirrorpo.discovery.kept_formula import Formula
    from mirrorpo.reporting.page.searches import SearchPart


def discover(
    settings: DiscoverySettings | None = None,
    /,
    *,
    out: Out = None,
    cache: PathLike | None = None,
    ray: str | None = None,
    progress: Progress = silent,
    **options: Unpack[DiscoverOptions],
) -> DiscoveryResult:
    """Search the mirror family for the objective whose trained agents earn the most true return.

    >>> import mirrorpo as mpo
    >>> found = mpo.discover(task="hopper", variants="noisy:0.3")  # doctest: +SKIP
    >>> found.objective  # doctest: +SKIP

    Args:
        settings: what to search and how, ready-made, in place of single options.
        out: run folder. The same call resumes an interrupted search; `tensorboard --logdir
            OUT` shows it live. By default a temporary folder, which is removed with the result;
            `DiscoveryResult.save` keeps it.
        cache: folder for simulated trajectories; the user's cache by default.
        ray: train and score on a Ray cluster (extra `cluster`): auto, HOST:PORT, or local:N for
            one of N cores on this machine. The objective found is the same.
        progress: told the generations done, all generations, and what is being done.
        **options: fields of `mirrorpo.discovery.settings.DiscoverySettings`, which says what each
            is and has their defaults.

    Raises:
        ValueError: an unknown name, a setting out of range, or a folder of another run.
    """
    settings = _spelled(given.build(DiscoverySettings, settings, options, discover))
    for task in settings.tasks:
        given.check_task(task, ray)
    if ray is not None and len(settings.tasks) > 1:
        raise ValueError("Several tasks at once are searched in this process: leave --ray out.")
    given.check_objectives(settings.against)
    kept = given.cache_folder(cache)
    start_jax()
    from mirrorpo.discovery import kept_formula, search, search_log
    from mirrorpo.execution import executor

    digits = files.digest(settings.recorded)[:8]
    folder = choose(out, "discover", f"{'-'.join(settings.tasks)}-{digits}")
    with writing(folder) as path, executor.workplace(ray) as place:
        found = search.discover(settings, path, progress, place, kept)
        with contextlib.suppress(ValueError):  # of a gradient that no formula has
            kept_formula.remember(path / search_log.RESULT, found)
    return DiscoveryResult._read(folder)


@dataclass(frozen=True, eq=False, repr=False)
class DiscoveryResult(Discovery, ResultInFolder):
    """What a search found, and how it went: a `Discovery` with its history.

    Attributes:
        formula: the objective in few terms, and how near they come; None where no formula has its
            gradient.
    """

    formula: Formula | None
    _part: SearchPart
    _folder: RunFolder

    @classmethod
    def load(cls, folder: PathLike) -> DiscoveryResult:
        """The finished search in a run folder, or a published one, results/NAME.

        Raises:
            ValueError: there is no such folder, it holds no search, or the search is not finished.
        """
        return cls._read(opened(folder))

    @classmethod
    def _read(cls, folder: RunFolder) -> DiscoveryResult:
        start_jax()
        from mirrorpo.discovery import kept_formula, search_log
        from mirrorpo.reporting.page import folders, searches

        part = searches.read(folders.read_one(folder.path, "discover"))
        if part.found is None:
            raise ValueError(f"The search in {folder.path} has not ended: repeat its command.")
        formula = None
        with contextlib.suppress(ValueError):
            formula = kept_formula.of(folder.path / search_log.RESULT, part.found)
        found = part.found
        return cls(found.objective, found.visited, found.provenance, formula, part, folder)

    @property
    def history(self) -> pd.DataFrame:
        """One row per generation.

        Its columns: fitness of the best agent, of the population, of its mean and of the start, the
        best validation so far, the spread, seconds.
        """
        import pandas as pd

        lines = [
            {name: value for name, value in line.items() if name != "fitness"}
            for line in self._part.generations
        ]
        return pd.DataFrame(lines)

    @property
    def validations(self) -> pd.DataFrame:
        """One row per validated candidate.

        Its columns: generation, score and its standard error, NaN for one agent.
        """
        import pandas as pd

        return pd.DataFrame(self._part.validations).astype({"standard_error": float})

    @property
    def file(self) -> Path:
        """The objective's file: name it wherever an objective is named."""
        from mirrorpo.discovery import search_log

        return self.folder / search_log.RESULT

    @property
    def diverged(self) -> tuple[str, ...]:
        """The variants on which agents of the objective diverged: it is no result to use then."""
        returns = self.provenance["winner"]["returns"]
        return tuple(variant for variant, value in returns.items() if value is None)

    @property
    def lines(self) -> tuple[str, ...]:
        """What the search found, in words."""
        validations = self.provenance["validation"]
        told = [
            _about(line)
            for line in validations
            if line is validations[0] or line == self.provenance["winner"]
        ]
        if self.formula is not None:
            told.append(
                f"In few terms: {self.formula.text}; its gradient is off by "
                f"{100 * self.formula.relative_error:.2g} % (root mean square)."
            )
        elif self.objective.memory_size:
            told.append(f"It is a formula already: {spelled(self.objective)}.")
        return tuple(told)

    def plot(self) -> Figure:
        """Fitness by generation, and the validations with their standard errors."""
        from mirrorpo.reporting import run_plots

        return run_plots.fitness(self._part.generations, self._part.validations)

    def __str__(self) -> str:
        return "\n".join(self.lines)

    def __repr__(self) -> str:
        return f"DiscoveryResult({self.objective!r})"


def _about(line: dict[str, object]) -> str:
    returns = line["returns"]
    assert isinstance(returns, dict)
    shown = ", ".join(
        f"{variant} {'diverged' if value is None else format(value, '.0f')}"
        for variant, value in returns.items()
    )
    error = line["standard_error"]
    spread = "" if error is None else f" ± {error:.3f}"
    return (
        f"{line['candidate']} of generation {line['generation']}: validation score "
        f"{line['score']:.3f}{spread} of {line['seeds']} agents; true return {shown}"
    )


def _spelled(settings: DiscoverySettings) -> DiscoverySettings:
    """The settings with lists split and variants in their usual spelling."""
    from mirrorpo import variants
    from mirrorpo.objectives.naming import split_list

    spelled = tuple(str(variants.parse(text)) for text in split_list(settings.variants))
    return given.changed(
        settings,
        variants=spelled,
        task=UserText(settings.task),
        against=users_own(split_list(settings.against)),
        better=None if settings.better is None else UserText(settings.better),
        worse=None if settings.worse is None else UserText(settings.worse),
    )
