"""``mirrorpo.align``: fine-tune a language model as a recipe says (extra `llm`)."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mirrorpo import damage, files, runs, typed
from mirrorpo.front import options
from mirrorpo.front.run_folder import (
    Out,
    PathLike,
    Progress,
    ResultInFolder,
    RunFolder,
    choose,
    silent,
    writing,
)
from mirrorpo.front.settings import AlignSettings, assignments
from mirrorpo.user_text import UserText

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mirrorpo.language.align.recipe import AlignRecipe

Changes = Mapping[str, object] | Sequence[str]
"""Values in place of a recipe's: by name, or as texts such as ``learning_rate=1e-5``."""


def align(
    recipe: PathLike,
    *,
    out: Out = None,
    seed: int | None = AlignSettings.seed,
    set: Changes = AlignSettings.set,
    format: str | None = AlignSettings.format,
    smoke: bool = AlignSettings.smoke,
    progress: Progress = silent,
    say: Callable[[str], None] = lambda note: None,
) -> Alignment:
    """Fine-tune a language model on preference pairs, as a YAML recipe says.

    Args:
        recipe: a file such as those in recipes/.
        out: run folder. The same call resumes an interrupted run. By default a temporary
            folder, which is removed with the result; `Alignment.save` keeps it.
        seed: the seed, in place of the recipe's.
        set: values in place of the recipe's, as in ``{"learning_rate": 1e-5,
            "objective_parameters.gamma": 2}``. The objective is given as `mirrorpo.objective`
            takes it.
        format: how the pairs are laid out, in place of the recipe's dataset_format: auto, pairs,
            hh, orca, sharegpt, shp or kto.
        smoke: four steps on a tiny random model and sixteen pairs, to see that the recipe works.
        progress: told the steps done, all steps, and what is being done.
        say: told each note on the pairs before they are trained on.

    Raises:
        ValueError: a file that is not a recipe, an unknown name, a wrong value, a row without
            a pair, a model that cannot be loaded, or a folder of another run.
        ImportError: the extra `llm` is not installed.
    """
    # TRL's own defaults have names that transformers will drop.
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    from mirrorpo import objectives
    from mirrorpo.language.align import recipe as recipes
    from mirrorpo.objectives import naming

    values = _values(set)
    given = AlignSettings(seed=seed, format=format, smoke=smoke)
    if given.seed is not None:
        values["seed"] = given.seed
    if given.format is not None:
        values["dataset_format"] = given.format
    file = typed.check(recipe, Path, "recipe")
    wanted = recipes.load(file, values)
    options.check_objectives([wanted.objective])
    # PyTorch and TRL take long to import.
    from mirrorpo.language.align import run, short_form
    from mirrorpo.language.trl_names import datasets
    from mirrorpo.study import algorithms, tryout

    objective = naming.resolve(wanted.objective, tryout.by("torch"), **wanted.objective_parameters)
    if given.smoke:
        wanted = short_form.shrink(wanted)
    datasets.disable_progress_bars()
    folder = choose(out, "align", _name(file, wanted, given.smoke))
    with writing(folder) as path:
        config = run.settings(wanted, path / "checkpoints")
        if config.world_size > 1 and folder.is_temporary:
            raise ValueError("Several processes train one model: name their folder by out.")
        results = path / "results.json"
        # Before anything is written: a row that states no pair leaves no folder behind.
        data = None if results.is_file() else run.pairs(wanted)
        is_first = config.process_index == 0
        code = algorithms.Algorithm(wanted.objective, objective).checksum
        contents = {wanted.objective: code, **run.contents(wanted, data)}
        with config.main_process_first(local=False):
            trained = objectives.to_dict(objective)
            settings = {**dataclasses.asdict(wanted), "trained_objective": trained}
            runs.claim(path, settings, contents, lock=is_first, kind="align")
        if data is None:
            return Alignment(_finished(results, path / _MODEL), (), True, is_first, folder)
        for note in data.notes if is_first else ():
            say(note)
        trainer = run.trainer(wanted, objective, config, data, path / runs.METRICS, progress)
        say_damage = damage.say if is_first else lambda line: None
        trainer.train(trainer.newest_checkpoint(say_damage))
        scores: dict[str, object] = {}
        if trainer.diverged():
            scores = {"diverged": True, "steps": trainer.lost_at or trainer.state.global_step}
        elif wanted.dataset_test_split is not None:
            scores = trainer.evaluate()
        if not scores.get("diverged"):
            trainer.save_model(str(path / _MODEL))
        if is_first:
            if (path / _MODEL).is_dir():
                files.sync_tree(path / _MODEL)
            files.write_json(results, scores)
    return Alignment(scores, data.notes, False, is_first, folder)


_MODEL = "model"


def _finished(results: Path, model: Path) -> dict[str, object]:
    """The scores of a finished run, whose model must be there."""
    from mirrorpo.language.training import checkpoints

    again = (
        f"Restore it, or remove {results}: the same command then makes it again from the last "
        "checkpoint."
    )
    scores = files.read_object(results, "an align run's results")
    try:
        typed.check(scores, dict[str, float | bool | None], "it")
        if scores.get("diverged"):
            typed.check(scores.get("steps"), int, "steps")
            return scores
    except typed.WrongTypeError as error:
        raise ValueError(f"{results} is damaged: {error}. {again}") from None
    if not [*model.glob("*.safetensors"), *model.glob("*model*.bin")]:
        raise ValueError(f"{results.parent} is finished, but {model} holds no model. {again}")
    if fault := checkpoints.fault_of(model):
        raise ValueError(f"{model} is damaged ({fault}). {again}")
    return scores


@dataclass(frozen=True, eq=False, repr=False)
class Alignment(ResultInFolder):
    """A fine-tuned model.

    Attributes:
        scores: the scores of the test pairs, where the recipe names some, as in results.json.
        notes: what the reader of the pairs says of them.
        was_finished: whether the run had ended before this call.
        is_first: whether this process is the first of those that train.
    """

    scores: Mapping[str, object]
    notes: tuple[str, ...]
    was_finished: bool
    is_first: bool
    _folder: RunFolder

    @property
    def diverged(self) -> bool:
        """Whether the training ended in numbers that are not finite: then there is no model."""
        return bool(self.scores.get("diverged"))

    @property
    def model(self) -> Path | None:
        """The folder of the model, or of its adapters; None where training diverged."""
        return None if self.diverged else self.folder / _MODEL

    @property
    def metrics(self) -> Path:
        """The log of the training, JSON lines."""
        return self.folder / runs.METRICS

    @property
    def lines(self) -> tuple[str, ...]:
        """What became of the training, in words."""
        if self.diverged:
            return (
                f"Training diverged: from step {self.scores['steps']} on its numbers are not "
                f"finite. No model is written; the log is in {self.metrics}. Lower the learning "
                "rate, or choose another objective, and another --out.",
            )
        if self.was_finished:
            return (f"{self.folder} is finished: its model is in {self.model}.",)
        shown = [
            f"{key.removeprefix('eval_')} on the test pairs: {self.scores[key]:.4f}"
            for key in ("eval_loss", "eval_margin", "eval_accuracy")
            if key in self.scores
        ]
        return (*shown, f"The model is in {self.model}, its curves in {self.metrics}.")

    def plot(self) -> Figure:
        """Training curves by optimiser step."""
        from mirrorpo.reporting import run_plots
        from mirrorpo.reporting.page import folders, trainings

        found = folders.read_one(self.folder, "align")
        return run_plots.charts(trainings.read(found).charts)

    def __str__(self) -> str:
        return "\n".join(self.lines)

    def __repr__(self) -> str:
        return f"Alignment({self.lines[-1]})"


def _values(changes: Changes) -> dict[str, object]:
    """What the caller changes of a recipe; the objective's text is the caller's own."""
    from mirrorpo import yaml_settings
    from mirrorpo.objectives import Objective
    from mirrorpo.objectives.naming import as_text

    if isinstance(changes, str):
        changes = (changes,)
    if isinstance(changes, Mapping):
        if strange := [key for key in changes if not isinstance(key, str)]:
            raise ValueError(f"set has the name {strange[0]!r:.40}, but names must be texts.")
        values = {
            key: as_text(value) if isinstance(value, Objective) else yaml_settings.plain(value, key)
            for key, value in changes.items()
        }
    else:
        given = typed.check(changes, tuple[str, ...], "set")
        texts = assignments(given, "--set", "write key=value, as in learning_rate=1e-5.")
        values = {
            key: text.strip() if key == "objective" else yaml_settings.parse(text)
            for key, text in texts.items()
        }
    if isinstance(values.get("objective"), str):
        values["objective"] = UserText(values["objective"])
    return values


def _name(recipe: Path, wanted: AlignRecipe, smoke: bool) -> str:
    """The end of a default folder's name: recipe, dataset and seed."""
    folders = [part for part in recipe.parent.parts[-2:] if part.strip("/.")]
    name = "-".join((*folders, recipe.stem))
    dataset = files.file_name(Path(wanted.dataset_name).name.split(".")[0])
    if dataset not in name and not smoke:
        name += f"-{dataset}"
    return f"{name}{'-smoke' if smoke else ''}-seed{wanted.training.get('seed', 42)}"
