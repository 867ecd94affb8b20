"""Every name of alpaca_eval that MirrorPO builds on: the one file to change when they move."""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any

_level = logging.getLogger().level
try:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="pkg_resources is deprecated")
        import openai
        from alpaca_eval import annotators, constants, utils
        from alpaca_eval import evaluate as _evaluate
        from alpaca_eval.metrics import glm_winrate
except ModuleNotFoundError as error:
    package = (error.name or "").split(".")[0]
    if package == "pkg_resources":
        package = "setuptools<81"
    raise ModuleNotFoundError(
        f"A language model as a judge needs the package {package}, which is not installed: "
        "pip install 'mirrorpo[llm]'",
        name=error.name,
    ) from None
finally:
    logging.getLogger().setLevel(_level)  # alpaca_eval changes everybody's

try:
    evaluate: Callable[..., tuple[Any, Any]] = _evaluate
    PairwiseAnnotator: Any = annotators.PairwiseAnnotator
    CONFIGURATIONS = constants.EVALUATORS_CONFIG_DIR
    prompt_to_messages: Callable[[str], list[dict[str, str]]] = utils.prompt_to_chatml
    _length_controlled: Callable[..., dict[str, float]] = glm_winrate.get_length_controlled_winrate
    _ = utils.tqdm, glm_winrate.hf_hub_download, glm_winrate.GLM_INFO["length_controlled_v1"]
except (AttributeError, KeyError) as error:
    raise ImportError(
        f"alpaca_eval {version('alpaca-eval')} has moved a name that mirrorpo.language builds on "
        f"({error}): pip install 'alpaca-eval==0.6.6'"
    ) from error


@contextmanager
def silence() -> Iterator[None]:
    """Without alpaca_eval's log of every step and its progress bars."""
    before, bars = logging.root.manager.disable, utils.tqdm
    logging.disable(logging.CRITICAL)
    utils.tqdm = SimpleNamespace(tqdm=lambda items, **_: items)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=FutureWarning)
            yield
    finally:
        logging.disable(before)
        utils.tqdm = bars


def length_controlled(annotations: Any, model: str, difficulty: str) -> float:
    """alpaca_eval's length-controlled win rate in percent, without its download.

    Args:
        annotations: data frame with preference, output_1, output_2, generator_1, generator_2; its
            index is the number of the instruction in `difficulty`.
        model: name of the regression.
        difficulty: path of the file that alpaca_eval would fetch from a hub.
    """
    fetch = glm_winrate.hf_hub_download
    glm_winrate.hf_hub_download = lambda **_: difficulty
    try:
        found = _length_controlled(
            annotations,
            glm_name=model,
            save_weights_dir=None,
            is_add_glm_preference_inplace=False,
            is_warn_extreme_changes=False,
        )
    finally:
        glm_winrate.hf_hub_download = fetch
    return float(found["length_controlled_winrate"])


__all__ = [
    "CONFIGURATIONS",
    "PairwiseAnnotator",
    "evaluate",
    "length_controlled",
    "openai",
    "prompt_to_messages",
    "silence",
]
