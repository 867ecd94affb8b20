"""The packages of the extra `llm`, and every name of TRL that MirrorPO builds on.

This is the one file to change when TRL moves them.
"""

import warnings
from importlib import import_module
from importlib.metadata import version
from typing import Any

EXTRA = ("torch", "transformers", "trl", "peft", "datasets", "accelerate")

try:
    datasets: Any = import_module("datasets")  # has no types
    # One by one, so that the error names the package that is missing.
    import peft
    import torch
    import transformers
    import trl
except ModuleNotFoundError as error:
    if (error.name or "").split(".")[0] not in EXTRA:
        raise
    raise ModuleNotFoundError(
        f"mirrorpo.language needs the package {error.name}, which is not installed: "
        "pip install 'mirrorpo[llm]'",
        name=error.name,
    ) from None

try:
    with warnings.catch_warnings():
        # TRL warns that the names may move: the tests look out for that, users need not.
        warnings.filterwarnings("ignore", message="You are importing from 'trl.experimental'")
        from trl import models
        from trl.experimental import cpo
    # Their types say less than they accept, so they are not checked against.
    CPOConfig: Any = cpo.CPOConfig
    CPOTrainer: Any = cpo.CPOTrainer
    DPOConfig: Any = trl.DPOConfig
    prepare_deepspeed: Any = models.prepare_deepspeed
    prepare_fsdp: Any = models.prepare_fsdp
    broadcast_object_list: Any = import_module("accelerate.utils").broadcast_object_list
except (ImportError, AttributeError) as error:
    raise ImportError(
        f"TRL {version('trl')} has moved a name that mirrorpo.language builds on ({error}): "
        "pip install 'trl>=1.16,<1.17'"
    ) from error

__all__ = [
    "CPOConfig",
    "CPOTrainer",
    "DPOConfig",
    "broadcast_object_list",
    "datasets",
    "peft",
    "prepare_deepspeed",
    "prepare_fsdp",
    "torch",
    "transformers",
    "trl",
]
