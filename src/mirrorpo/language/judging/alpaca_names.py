"""Every name of alpaca_eval that MirrorPO builds on: the one file to change when they move."""

import logging
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any

from sklearn.exceptions import ConvergenceWarning

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
    AsyncClient: Any = openai.DefaultAsyncHttpxClient
    # openai has changed its HTTP library; it retries the exceptions of its own alone.
    _http: Any = import_module(
        next(c.__module__ for c in AsyncClient.__mro__ if c.__name__ == "AsyncClient").split(".")[0]
    )
    ReadTimeout: Any = _http.ReadTimeout
    _length_controlled: Callable[..., dict[str, float]] = glm_winrate.get_length_controlled_winrate
    _ = utils.tqdm, glm_winrate.hf_hub_download, glm_winrate.GLM_INFO["length_controlled_v1"]
except (AttributeError, KeyError, StopIteration) as error:
    raise ImportError(
        f"alpaca_eval {version('alpaca-eval')} or openai {version('openai')} has moved a name that "
        f"mirrorpo.language builds on ({error}): pip install 'alpaca-eval==0.6.6'"
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


@contextmanager
def _without_stderr() -> Iterator[None]:
    """Without what compiled code writes there.

    The library liblinear prints a line for each regression whose verdicts are all the same, where
    the weights name both.
    """
    kept = os.dup(2)
    nothing = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(nothing)
        os.close(kept)


def length_controlled(annotations: Any, model: str, difficulty: str) -> tuple[float, bool]:
    """alpaca_eval's length-controlled win rate in percent, without its download and its warnings.

    Args:
        annotations: data frame with preference, output_1, output_2, generator_1, generator_2; its
            index is the number of the instruction in `difficulty`.
        model: name of the regression.
        difficulty: path of the file that alpaca_eval would fetch from a hub.

    Returns:
        The rate, and whether the regression converged.
    """
    fetch = glm_winrate.hf_hub_download
    glm_winrate.hf_hub_download = lambda **_: difficulty
    try:
        with _without_stderr(), warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            found = _length_controlled(
                annotations,
                glm_name=model,
                save_weights_dir=None,
                is_add_glm_preference_inplace=False,
                is_warn_extreme_changes=False,
            )
    finally:
        glm_winrate.hf_hub_download = fetch
    converged = not any(issubclass(one.category, ConvergenceWarning) for one in said)
    return float(found["length_controlled_winrate"]), converged


__all__ = [
    "CONFIGURATIONS",
    "AsyncClient",
    "PairwiseAnnotator",
    "ReadTimeout",
    "evaluate",
    "length_controlled",
    "openai",
    "prompt_to_messages",
    "silence",
]
