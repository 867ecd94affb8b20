"""``mirrorpo.generate``, ``import_data`` and ``label``: files of preference data."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from mirrorpo import files, places, runs
from mirrorpo.front import options as given
from mirrorpo.front.options import ImportOptions
from mirrorpo.front.run_folder import PathLike, Progress, RunFolder, as_path, silent
from mirrorpo.front.settings import GenerateSettings, LabelSettings
from mirrorpo.runtime.start import start_jax
from mirrorpo.user_text import UserText

if TYPE_CHECKING:
    import pandas as pd

    from mirrorpo.preferences.facts import Facts
    from mirrorpo.preferences.own.settings import ImportSettings
    from mirrorpo.preferences.views import Source

ENDING = ".safetensors"


@runs.holding()
def generate(
    task: str,
    *,
    out: PathLike | None = None,
    variant: str = GenerateSettings.variant,
    rows: int | None = GenerateSettings.rows,
    seed: int = GenerateSettings.seed,
    episode_length: int | None = GenerateSettings.episode_length,
    backend: str | None = GenerateSettings.backend,
    better: PathLike | None = GenerateSettings.better,
    worse: PathLike | None = GenerateSettings.worse,
    cache: PathLike | None = None,
    progress: Progress = silent,
) -> DataFile:
    """Simulate trajectories of two source agents and label pairs of them.

    All variants are views of one simulation, which is kept in the cache: another variant
    of the same task, rows, seed and agents simulates nothing again.

    >>> import mirrorpo as mpo
    >>> pairs = mpo.generate("hopper", variant="noisy:0.3", rows=256)  # doctest: +SKIP
    >>> mpo.train("dpo", pairs).table  # doctest: +SKIP

    Args:
        task: name of a task: of MirrorPO's own, gym:ID, playground:NAME or FILE.py:FUNCTION.
        out: file to write, ending in .safetensors; a JSON card goes beside it. By default a
            temporary file, which is removed with the result; `DataFile.save` keeps it.
        variant: base, noisy:EPSILON, mixed-quality, bad-judge:TEMPERATURE, joined by '+'.
        rows: number of pairs; the paper's number for the task by default.
        seed: the seed of start states, action noise and labels.
        episode_length: steps of a trajectory; the task's own by default, 1000 of MirrorPO's.
        backend: physics engine; the task's own by default.
        better: the better agent's name or file; the task's own by default.
        worse: the worse agent's name or file; the task's own by default.
        cache: folder for simulated trajectories; the user's cache by default.
        progress: told the parts done, all parts, and what is being done.

    Raises:
        ValueError: an unknown name, a number out of range, or a file that exists already.
    """
    if out is not None:
        places.check_new(as_path(out, "out"), f"--out {out}", ENDING)
    asked = GenerateSettings(
        variant, rows, seed, episode_length, backend, given.text_of(better), given.text_of(worse)
    )
    kept = given.cache_folder(cache)
    start_jax()
    from mirrorpo import variants
    from mirrorpo.agents import sources
    from mirrorpo.preferences import data, pools
    from mirrorpo.simulation import tasks

    parsed = variants.parse(asked.variant)
    loaded = tasks.load(UserText(task), asked.backend, asked.episode_length)
    own = sources.choose(
        task,
        None if asked.better is None else UserText(asked.better),
        None if asked.worse is None else UserText(asked.worse),
        asked.rows,
    )
    if out is not None:
        runs.claim_file(Path(out), ENDING)
    pool = pools.cached(
        loaded,
        own.rows,
        asked.seed,
        own.better,
        own.worse,
        kept,
        progress=lambda done, of: progress(done, of, f"trajectories on {task}"),
        waiting=pools.in_line(lambda doing: progress(0, 1, doing)),
    )
    name = files.file_name(f"{task}-{parsed}-seed{asked.seed}")
    return DataFile._written(data.label(pool, parsed, asked.seed), out, name)


@runs.holding()
def import_data(
    file: PathLike,
    settings: ImportSettings | None = None,
    *,
    out: PathLike | None = None,
    **options: Unpack[ImportOptions],
) -> DataFile:
    """Import recorded trajectories: a pool for the bench, or, with labels, a labelled dataset.

    Args:
        file: .npz, .hdf5 as D4RL's, .parquet with one row per step, or a Minari dataset's folder.
        settings: how the file is read, ready-made, in place of single options.
        out: file to write, ending in .safetensors; a JSON card goes beside it. By default a
            temporary file, which is removed with the result; `DataFile.save` keeps it.
        **options: fields of `mirrorpo.preferences.own.settings.ImportSettings`.

    Raises:
        ValueError: a fault of a file or an option, in one line; nothing is written then.
        ModuleNotFoundError: the file takes a package that is not installed.
    """
    recorded = as_path(file, "file")
    start_jax()
    from mirrorpo.preferences.own import importing
    from mirrorpo.preferences.own.settings import ImportSettings

    how = given.build(ImportSettings, settings, options, import_data)
    if how.task is not None:
        how = replace(how, task=UserText(how.task))
    path, folder = _place(out, recorded.stem)
    lines = importing.run(recorded, path, how)
    return DataFile._read(path, folder, tuple(lines))


@runs.holding()
def label(
    pool: PathLike,
    *,
    out: PathLike | None = None,
    variant: str = LabelSettings.variant,
    seed: int = LabelSettings.seed,
) -> DataFile:
    """Label the pairs of a pool: a dataset of one variant, to train on or to inspect.

    Args:
        pool: a pool's .safetensors file, as `import_data` makes it.
        out: file to write, ending in .safetensors; a JSON card goes beside it. By default a
            temporary file, which is removed with the result; `DataFile.save` keeps it.
        variant: base, noisy:EPSILON, mixed-quality, bad-judge:TEMPERATURE, joined by '+'.
        seed: the seed of the labels.

    Raises:
        ValueError: a file that is not a pool, an unknown variant, or a file that exists already.
    """
    if out is not None:
        places.check_new(as_path(out, "out"), f"--out {out}", ENDING)
    unlabelled = as_path(pool, "pool")
    asked = LabelSettings(variant, seed)
    start_jax()
    from mirrorpo.preferences import data

    made = data.label(data.Pool.load(unlabelled), asked.variant, asked.seed)
    name = files.file_name(f"{unlabelled.stem}-{made.card['variant']}-seed{asked.seed}")
    return DataFile._written(made, out, name)


class DataFile:
    """A pool of trajectories, or a labelled preference dataset, in a file.

    It stands for its path: `mirrorpo.train`, `bench(data=...)` and `recommend` take it.

    Attributes:
        file: the path of the file; for as long as this is there, if no file was named.
        lines: what was made, in words.
    """

    file: Path
    lines: tuple[str, ...]

    def __init__(
        self,
        file: Path,
        source: Source,
        folder: RunFolder | None = None,
        lines: tuple[str, ...] = (),
    ):
        self.file = file
        self._source = source
        self._folder = folder  # a temporary one goes with this
        self.lines = lines or (self._described,)

    @classmethod
    def load(cls, file: PathLike) -> DataFile:
        """The data in a file.

        Raises:
            ValueError: missing, of another kind, or damaged.
        """
        return cls._read(as_path(file, "file"), None, ())

    @classmethod
    def _read(cls, path: Path, folder: RunFolder | None, lines: tuple[str, ...]) -> DataFile:
        start_jax()
        from mirrorpo.preferences import source_files

        return cls(path, source_files.load(path), folder, lines)

    @classmethod
    def _written(cls, made: Source, out: PathLike | None, name: str) -> DataFile:
        path, folder = _place(out, name)
        if folder is None:
            runs.claim_file(path, ENDING)
        made.save(path)
        return cls(path, made, folder)

    @property
    def _described(self) -> str:
        if not self.is_labelled:
            return f"{self.file}: {self.rows} pairs without labels."
        return f"{self.file}: {self.rows} pairs, variant {self.card.get('variant', 'unknown')}."

    @property
    def card(self) -> Mapping[str, object]:
        """Task, agents, seeds and versions, as in the JSON card."""
        return self._source.card

    @property
    def rows(self) -> int:
        """Number of pairs."""
        return self._source.rows

    @property
    def trajectories(self) -> int:
        """Number of trajectories that the pairs are made of."""
        return len(self._source.trajectories)

    @property
    def is_labelled(self) -> bool:
        """Whether the pairs have labels; those of a pool get theirs from `mirrorpo.label`."""
        from mirrorpo.preferences.data import PreferenceDataset

        return isinstance(self._source, PreferenceDataset)

    @property
    def facts(self) -> Facts:
        """Returns, flipped labels and agent pairings.

        Raises:
            ValueError: a pool, which has no labels.
        """
        from mirrorpo.preferences import facts
        from mirrorpo.preferences.data import PreferenceDataset

        if not isinstance(self._source, PreferenceDataset):
            raise ValueError(f"{self.file} is a pool without labels: label it first.")
        return facts.describe(self._source)

    @property
    def table(self) -> pd.DataFrame:
        """The facts of the chosen and the rejected trajectories, in words.

        Raises:
            ValueError: a pool, which has no labels.
        """
        import pandas as pd

        return pd.DataFrame(self.facts.sides, columns=["", "chosen", "rejected"]).set_index("")

    @runs.holding()
    def save(self, file: PathLike) -> Path:
        """Copy the data to a new file, ending in .safetensors, with its card.

        Raises:
            ValueError: something is there already, or the place cannot be written.
        """
        path = as_path(file, "file")
        runs.claim_file(path, ENDING)
        self._source.save(path)
        return path

    @runs.holding()
    def export(self, file: PathLike) -> Path:
        """Write a pool's trajectories as a NumPy archive laid out as D4RL's, for other tools.

        Args:
            file: file to write, ending in .npz; `import_data` makes the same pool of it.

        Raises:
            ValueError: a labelled dataset, or a file that exists already.
        """
        from mirrorpo.preferences.data import Pool
        from mirrorpo.preferences.own import exchange

        path = as_path(file, "file")
        places.check_new(path, f"--out {file}")
        if not isinstance(self._source, Pool):
            raise ValueError(f"{self.file} is a labelled dataset: only a pool is exported.")
        runs.claim_file(path)
        exchange.write(self._source, path)
        return path

    def __fspath__(self) -> str:
        return os.fspath(self.file)

    def __str__(self) -> str:
        return "\n".join(self.lines)

    def __repr__(self) -> str:
        return f"DataFile({self.lines[0]})"

    def _repr_html_(self) -> str:
        return str(self.table.to_html()) if self.is_labelled else f"<p>{self._described}</p>"


def _place(out: PathLike | None, name: str) -> tuple[Path, RunFolder | None]:
    """The file to write; a temporary one, and its folder, where none was named."""
    if out is not None:
        return as_path(out, "out"), None
    folder = RunFolder(Path(tempfile.mkdtemp(prefix="mirrorpo-data-")), is_temporary=True)
    return folder.path / f"{name}{ENDING}", folder
