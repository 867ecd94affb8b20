"""A fine-tuning set-up as a YAML file, in the manner of the Alignment Handbook."""

import dataclasses
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mirrorpo import bounded, limits, typed, yaml_settings

INCLUDE = "include"
_MOST_FILES = 100
ALL_LINEAR = "all-linear"
_TEMPLATE_FILE = ".jinja"

BELONGINGS = {
    "objective": ("objective_parameters",),
    "dataset_name": (
        "dataset_train_split",
        "dataset_test_split",
        "dataset_format",
        "dataset_columns",
    ),
}
"""What goes with a value when another replaces it: it says something of the old one alone."""


@dataclass(frozen=True, kw_only=True)
class AlignRecipe:
    """Model, data and objective of a fine-tuning, and the settings of its training.

    Attributes:
        model_name_or_path: a causal language model of a hub, or its folder.
        dataset_name: preference pairs: a file or a folder that `preference_texts` reads, or a
            hub's name. What is there on disk is never looked for on a hub.
        objective: a name or a file, as `mirrorpo train` takes it.
        objective_parameters: its hyper-parameters; those left out keep their defaults.
        dtype: in which the model is loaded: "float32", "bfloat16" or "float16".
        chat_template: "chatml", a template's text, "none" for no template, or None for the
            tokenizer's own; a file may name one that ends in .jinja, which `load` reads. Where
            there is a template, prompts that are texts are in it too; see `chat`.
        dataset_train_split, dataset_test_split: of a folder or a hub's dataset, or a part of one,
            as in ``train[:90%]``; None for no test pairs.
        dataset_format: a layout's name, or "auto"; see `preference_texts.layouts`.
        dataset_columns: the dataset's names of prompt, chosen, rejected, where they are others;
            None leaves a column out.
        lora_r: rank of the adapters to train; 0 trains the whole model.
        lora_alpha, lora_dropout: of the adapters.
        lora_target_modules: names of the layers to adapt, or "all-linear" for all linear ones but
            the last.
        training: fields of `PreferenceConfig`.
    """

    model_name_or_path: str
    dataset_name: str
    objective: str
    objective_parameters: Mapping[str, Any] = field(default_factory=dict)
    dtype: str = "float32"
    chat_template: str | None = None
    dataset_train_split: str = "train"
    dataset_test_split: str | None = None
    dataset_format: str = "auto"
    dataset_columns: Mapping[str, str | None] = field(default_factory=dict)
    lora_r: int = 0
    lora_alpha: int = 16
    lora_dropout: float = 0.0
    lora_target_modules: tuple[str, ...] | str = ()
    training: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._check_layers()
        if isinstance(self.dataset_columns, Mapping):
            self._check_columns()
        typed.settle(self)
        if self.dtype not in ("float32", "bfloat16", "float16"):
            raise ValueError(f"dtype is {self.dtype!r}, but must be float32, bfloat16 or float16.")
        seed = self.training.get("seed", 0)
        if not isinstance(seed, int) or isinstance(seed, bool):
            raise ValueError(f"seed is {seed!r}, but must be a whole number.")
        if not 0 <= self.lora_dropout < 1:
            raise ValueError(
                f"lora_dropout is {self.lora_dropout}, but must be at least 0 and below 1."
            )
        limits.at_least(1, lora_alpha=self.lora_alpha)
        limits.at_least(0, lora_r=self.lora_r)
        if self.lora_r and not self.lora_target_modules:
            raise ValueError("lora_r is set, but lora_target_modules names no layers to adapt.")

    def _check_columns(self) -> None:
        for name, own in self.dataset_columns.items():
            if not isinstance(name, str) or not isinstance(own, str | None):
                raise ValueError(
                    f"dataset_columns: {name} is {own!r}, but must be a column's name, or null to "
                    "leave it out."
                )

    def _check_layers(self) -> None:
        given = self.lora_target_modules
        names = isinstance(given, tuple) and all(isinstance(name, str) for name in given)
        if not names and given != ALL_LINEAR:
            raise ValueError(
                f"lora_target_modules is {given!r}, but must be a list of layers' names, or "
                f"{ALL_LINEAR}."
            )


def load(path: Path, changes: Mapping[str, Any] | None = None) -> AlignRecipe:
    """The recipe in a YAML file.

    Files under its key ``include`` come first, named relative to it; later values replace earlier
    ones, mappings are joined. Another objective or dataset takes the `BELONGINGS` of the one that
    it replaces away. Keys that are no field of `AlignRecipe` belong to its training.

    Args:
        path: the path of the file.
        changes: values in place of the file's; ``objective_parameters.gamma`` reaches inside.

    Raises:
        ValueError: no such file, not YAML, a key that is missing or is a near miss of a recipe's,
            or a value of the wrong kind. The message names the file.
    """
    content = _read(path, (), itertools.count(1))
    changed: dict[str, Any] = {}
    for key, value in (changes or {}).items():
        outer, dot, inner = key.partition(".")
        changed = _joined(changed, {outer: {inner: value}} if dot else {key: value})
    content = _joined(content, changed)
    names = [item.name for item in dataclasses.fields(AlignRecipe) if item.name != "training"]
    own = {name: content.pop(name) for name in names if name in content}
    missing = [
        item.name
        for item in dataclasses.fields(AlignRecipe)
        if item.default is item.default_factory is dataclasses.MISSING and item.name not in own
    ]
    if missing:
        raise ValueError(f"{path} is not a complete recipe: it has no {', '.join(missing)}.")
    if isinstance(own.get("lora_target_modules"), list):
        own["lora_target_modules"] = tuple(own["lora_target_modules"])
    try:
        if "chat_template" in own:
            own["chat_template"] = _template(own["chat_template"])
        return AlignRecipe(**own, training=content)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _template(given: Any) -> Any:
    """The text of a template that a file holds, so that a run records what it trained with."""
    if not isinstance(given, str) or not given.endswith(_TEMPLATE_FILE):
        return given
    try:
        return bounded.read_text(Path(given).expanduser(), "a chat template")
    except OSError as error:
        raise ValueError(f"No chat template at {given}: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{given} is not a chat template: it is not UTF-8 ({error}).") from None


def _read(path: Path, above: tuple[Path, ...], count: Iterator[int]) -> dict[str, Any]:
    if next(count) > _MOST_FILES:
        raise ValueError(f"{above[0]} includes more than {_MOST_FILES} files.")
    if path.resolve() in above:
        raise ValueError(f"{path} includes itself.")
    content = yaml_settings.read(path, "recipe")
    names = content.pop(INCLUDE, [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"{path}: {INCLUDE} must be a list of files.")
    whole: dict[str, Any] = {}
    for name in names:
        whole = _joined(whole, _read(path.parent / name, (*above, path.resolve()), count))
    return _joined(whole, content)


def _joined(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    joined = dict(first)
    for owner, belongings in BELONGINGS.items():
        if owner in first and second.get(owner, first[owner]) != first[owner]:
            for name in belongings:
                joined.pop(name, None)
    for key, value in second.items():
        old = joined.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            value = {**old, **value}
        joined[key] = value
    return joined
