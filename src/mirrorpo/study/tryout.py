"""A user's objective on a few pairs, before hours are spent on it: does it give losses at all?"""

import dataclasses
import math
from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any, Literal

import numpy as np

from mirrorpo.objectives import Objective, PairLogProbs
from mirrorpo.objectives.ranges import Range
from mirrorpo.runtime.pytrees import as_pytree

Library = Literal["jax", "torch"]

# Ordinary log-probs, summed over ten steps, with no two alike: a kink at a tie is no fault.
_LENGTH = 10.0
_LOG_PROBS = {
    "chosen": (-12.0, -17.0, -23.0),
    "rejected": (-14.0, -13.0, -29.0),
    "reference_chosen": (-15.0, -16.0, -22.0),
    "reference_rejected": (-13.5, -18.0, -27.0),
}
_PROGRESS = (0.0, 0.5)


def by(library: Library) -> Callable[[Objective, str], None]:
    """The trial of an objective that `library` is to train, see `check`."""
    return lambda objective, text: check(objective, text, library)


def check(objective: Objective, text: str, library: Library) -> None:
    """See that an objective can be trained: losses and gradients of three ordinary pairs.

    Args:
        objective: the objective of the user's.
        text: as the user named it.
        library: that will train it. In JAX the loss is compiled, its numbers traced, as in a bench.

    Raises:
        ValueError: its training would not end with itself; it raises, or returns something else
            than a finite loss for each pair with finite gradients. The message is one line and
            names the class.
    """
    _check_stages(objective, text)
    _check_grid(objective, text)
    _check_ranges(objective, text)
    *_, (last, _) = objective.stages
    if last != objective.name:
        raise ValueError(
            f"{text}: {type(objective).__name__}.stages ends with {last!r:.60}, so the loss itself "
            f"would never train: its last stage must be called {objective.name!r}, or leave stages "
            "out."
        )
    where = f"{text}: {type(objective).__name__}.loss"
    for progress in _PROGRESS:
        try:
            losses, gradients = _IN[library](objective, progress)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            said = " ".join(str(error).split())
            # The base class has said it of the shape already.
            reason = (
                said
                if said.startswith(f"{type(objective).__name__}.loss")
                else (f"{type(objective).__name__}.loss raises {type(error).__name__}: {said:.160}")
            )
            raise ValueError(f"{text}: {reason}") from error
        for name, values in (("a loss", losses), ("a gradient", gradients)):
            if not np.isfinite(values).all():
                bad = values[~np.isfinite(values)][0]
                raise ValueError(
                    f"{where} has {name} of {bad} for ordinary log-probs (chosen "
                    f"{_LOG_PROBS['chosen']}, rejected {_LOG_PROBS['rejected']}, sums of "
                    f"{_LENGTH:g} steps): it must be finite."
                )


def _check_stages(objective: Objective, text: str) -> None:
    """See that stages are names with shares of the epochs."""
    stages = objective.stages
    fits = isinstance(stages, tuple | list) and len(stages) > 0
    for one in stages if fits else ():
        pair = tuple(one) if isinstance(one, tuple | list) else ()
        fits = fits and len(pair) == 2 and isinstance(pair[0], str) and _is_positive(pair[1])
    if not fits:
        raise ValueError(
            f"{text}: {type(objective).__name__}.stages is {stages!r:.80}: give pairs of a name "
            'and the epochs of its share, as in (("sft", 10), ("mine", 2)).'
        )


def _check_grid(objective: Objective, text: str) -> None:
    """See that a grid names the class's own numbers, with values to try."""
    numbers = {one.name for one in dataclasses.fields(objective)}
    grid: Any = objective.search_grid
    fits = isinstance(grid, Mapping) and set(grid) <= numbers
    for values in grid.values() if fits else ():
        fits = fits and isinstance(values, tuple | list) and len(values) > 0
        fits = fits and all(map(_is_finite, values))
    if not fits:
        raise ValueError(
            f"{text}: {type(objective).__name__}.search_grid is {grid!r:.80}: give the values to "
            "try for each of its numbers, as in grid(beta=(0.1, 1.0))."
        )


def _check_ranges(objective: Objective, text: str) -> None:
    """See that ranges name the class's own numbers."""
    numbers = {one.name for one in dataclasses.fields(objective)}
    declared: Any = objective.search_ranges
    fits = isinstance(declared, Mapping) and set(declared) <= numbers
    if not fits or not all(isinstance(one, Range) for one in declared.values()):
        raise ValueError(
            f"{text}: {type(objective).__name__}.search_ranges is {declared!r:.80}: give a Range "
            "for each of its numbers, as in ranges(beta=Range(0.1, 1.0, 0.3))."
        )


def _is_finite(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, Real) and math.isfinite(value))


def _is_positive(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf


def _in_jax(objective: Objective, progress: float) -> tuple[np.ndarray, np.ndarray]:
    import jax
    import jax.numpy as jnp

    given = {name: jnp.asarray(values) for name, values in _LOG_PROBS.items()}
    length = jnp.full(len(given["chosen"]), _LENGTH)

    def losses(pair: Any, objective: Objective, progress: Any) -> Any:
        reference = {name: given[name] for name in given if name not in pair}
        pairs = PairLogProbs(**pair, **reference, chosen_length=length, rejected_length=length)
        return objective(pairs, progress)

    def total(*arguments: Any) -> Any:
        found = losses(*arguments)
        return found.sum(), found

    pair = {name: given[name] for name in ("chosen", "rejected")}
    traced = jax.tree.map(jnp.asarray, as_pytree(objective))
    gradient = jax.jit(jax.grad(total, has_aux=True))
    slopes, found = gradient(pair, traced, jnp.asarray(progress))
    return np.asarray(found), np.stack([np.asarray(slope) for slope in slopes.values()])


def _in_torch(objective: Objective, progress: float) -> tuple[np.ndarray, np.ndarray]:
    import torch

    given = {name: torch.tensor(values) for name, values in _LOG_PROBS.items()}
    pair = [given[name].requires_grad_() for name in ("chosen", "rejected")]
    length = torch.full((len(pair[0]),), _LENGTH)
    pairs = PairLogProbs(**given, chosen_length=length, rejected_length=length)
    found = objective(pairs, progress)
    if not found.requires_grad:
        return found.numpy(), np.zeros(1)
    slopes = torch.autograd.grad(found.sum(), pair, allow_unused=True)
    known = [slope.numpy() for slope in slopes if slope is not None]
    return found.detach().numpy(), np.stack(known)


_IN = {"jax": _in_jax, "torch": _in_torch}
