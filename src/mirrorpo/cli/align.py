"""``mirrorpo align``: fine-tune a language model as a recipe says."""

import dataclasses
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from mirrorpo.cli.console import console, progress
from mirrorpo.divergence import Diverged

if TYPE_CHECKING:
    from mirrorpo.language.recipe import AlignRecipe


def align(
    recipe: Annotated[Path, tyro.conf.Positional],
    out: Path | None = None,
    seed: int | None = None,
    changes: Annotated[tuple[str, ...], tyro.conf.arg(name="set")] = (),
    layout: Annotated[str | None, tyro.conf.arg(name="format")] = None,
    smoke: bool = False,
) -> None:
    """Fine-tune a language model on preference pairs, as a YAML recipe says (extra `llm`).

    An interrupted run continues with the same command. On several GPUs: `accelerate launch -m
    mirrorpo align RECIPE`.

    Args:
        recipe: a file such as those in recipes/.
        out: run folder; by default runs/align-RECIPE-DATASET-seedSEED.
        seed: in place of the recipe's.
        changes: values in place of the recipe's, as in `--set learning_rate=1e-5
            objective_parameters.gamma=2`.
        layout: how the pairs are laid out, in place of the recipe's dataset_format: auto, pairs,
            hh, orca, sharegpt, shp or kto; see docs/howto/pairs.md.
        smoke: four steps on a tiny random model and sixteen pairs, to see that the recipe works.
    """
    # TRL's own defaults have names that transformers will drop.
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    from mirrorpo import files, objectives, runs
    from mirrorpo.language import recipe as recipes
    from mirrorpo.language import run, stand_ins
    from mirrorpo.objectives import naming
    from mirrorpo.objectives.user_text import UserText
    from mirrorpo.study import tryout

    values = {}
    for text in changes:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise ValueError(f"--set {text!r}: write key=value, as in learning_rate=1e-5.")
        values[key] = UserText(value.strip()) if key == "objective" else recipes.parse(value)
    if seed is not None:
        values["seed"] = seed
    if layout is not None:
        values["dataset_format"] = layout
    wanted = recipes.load(recipe, values)
    objective = naming.resolve(wanted.objective, tryout.by("torch"), **wanted.objective_parameters)
    if smoke:
        wanted = stand_ins.shrink(wanted)
    run.datasets.disable_progress_bars()
    out = out or runs.default_out("align", _name(recipe, wanted, smoke))
    config = run.settings(wanted, out / "checkpoints")
    final, results = out / "model", out / "results.json"
    # Before anything is written: a row that states no pair leaves no folder behind.
    data = None if results.is_file() else run.pairs(wanted)
    with config.main_process_first(local=False):
        trained = objectives.to_dict(objective)
        settings = {**dataclasses.asdict(wanted), "trained_objective": trained}
        runs.claim(out, settings, lock=config.process_index == 0)
    if data is None:
        _refuse_diverged(files.read_json(results, "results"), out)
        console.print(f"{out} is finished: its model is in {final}.")
        return
    if config.process_index == 0:
        for note in data.notes:
            console.print(note)
    with progress("steps") as report:
        trainer = run.trainer(wanted, objective, config, data, out / "metrics.jsonl", report)
        trainer.train(run.last_checkpoint(out / "checkpoints"))
        scores: dict[str, Any] = {}
        if trainer.diverged():
            scores = {"diverged": True, "steps": trainer.lost_at or trainer.state.global_step}
        elif wanted.dataset_test_split is not None:
            scores = trainer.evaluate()
    if not scores.get("diverged"):
        trainer.save_model(str(final))
    if not trainer.is_world_process_zero():
        return
    if final.is_dir():
        files.sync_tree(final)
    files.write_json(results, scores)
    _refuse_diverged(scores, out)
    for key in ("eval_loss", "eval_margin", "eval_accuracy"):
        if key in scores:
            console.print(f"{key.removeprefix('eval_')} on the test pairs: {scores[key]:.4f}")
    console.print(f"The model is in {final}, its curves in {out / 'metrics.jsonl'}.")


def _name(recipe: Path, wanted: "AlignRecipe", smoke: bool) -> str:
    """The end of a default folder's name: recipe, dataset and seed."""
    from mirrorpo import files

    folders = [part for part in recipe.parent.parts[-2:] if part.strip("/.")]
    name = "-".join((*folders, recipe.stem))
    dataset = files.file_name(Path(wanted.dataset_name).name.split(".")[0])
    if dataset not in name and not smoke:
        name += f"-{dataset}"
    return f"{name}{'-smoke' if smoke else ''}-seed{wanted.training.get('seed', 42)}"


def _refuse_diverged(results: Mapping[str, Any], out: Path) -> None:
    if results.get("diverged"):
        raise Diverged(
            f"Training diverged: from step {results['steps']} on its numbers are not finite. No "
            f"model is written; the log is in {out / 'metrics.jsonl'}. Lower the learning rate, or "
            "choose another objective, and another --out."
        )
