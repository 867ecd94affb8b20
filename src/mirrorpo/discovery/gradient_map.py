"""How hard an objective pulls at a pair, as a map over its two log-probs (paper, Figures 2-6)."""

import functools
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from mirrorpo.discovery.visited import Visited
from mirrorpo.objectives import Objective, PairLogProbs
from mirrorpo.runtime.pytrees import as_pytree

_TIMES = (0.0, 0.5, 1.0)


@dataclass(frozen=True, eq=False)
class GradientMap:
    """The gradient of a loss in its two log-probs, on a grid; all arrays float64.

    Fields:
        log_probs: (n,), the values of both axes.
        chosen, rejected: (n, n), the derivatives of the loss in the chosen and in the rejected
            log-prob; row i has the chosen log-prob ``log_probs[i]``, column j the rejected one
            ``log_probs[j]``. Training moves each log-prob against its derivative.
        progress: the progress of training, in [0, 1].
        reference: the reference's log-probs of chosen and rejected; None without one.
    """

    log_probs: np.ndarray
    chosen: np.ndarray
    rejected: np.ndarray
    progress: float
    reference: tuple[float, float] | None

    @property
    def size(self) -> np.ndarray:
        """(n, n): the gradient's Euclidean norm."""
        return np.hypot(self.chosen, self.rejected)

    def extreme(self, largest: bool) -> tuple[float, float, float]:
        """The largest or smallest size, and the chosen and rejected log-probs it is at."""
        found = np.argmax(self.size) if largest else np.argmin(self.size)
        row, column = np.unravel_index(found, self.size.shape)
        at = float(self.log_probs[row]), float(self.log_probs[column])
        return float(self.size[row, column]), *at

    def mean_sizes(self) -> tuple[float, float]:
        """The mean size where the rejected is likelier than the chosen, and the other way."""
        wrong = np.triu_indices_from(self.size, 1)
        return float(self.size[wrong].mean()), float(self.size.T[wrong].mean())


def gradient_map(
    objective: Objective,
    visited: Visited,
    progress: float = 0.0,
    n: int = 101,
    reference: tuple[float, float] | None = None,
) -> GradientMap:
    """The gradient's map over the range of log-probs that was visited.

    Args:
        objective: any.
        visited: states the range and the default of ``reference``.
        progress: the progress of training, in [0, 1].
        n: points along each axis.
        reference: the reference's log-probs of chosen and rejected, the same at every point; by
            default the means of those visited. Ignored by an objective without a reference.

    Raises:
        ValueError: ``n`` below 2, or a reference that is needed and neither given nor visited.
    """
    if n < 2:
        raise ValueError(f"The gradient map has n = {n!r} points per axis, but needs at least 2.")
    if not objective.needs_reference:
        reference = None
    elif reference is None:
        require_reference(objective, visited)
        reference = visited.mean_reference
    axis = np.linspace(*visited.range, n)
    chosen, rejected = (values.ravel() for values in np.meshgrid(axis, axis, indexing="ij"))
    fixed = [np.full(n * n, value) for value in (*(reference or (np.nan, np.nan)), progress)]
    gradients = loss_gradients(objective, np.stack([chosen, rejected, *fixed], axis=1))
    found = gradients.reshape(n, n, 2)
    return GradientMap(axis, found[..., 0], found[..., 1], progress, reference)


def loss_gradients(objective: Objective, points: np.ndarray) -> np.ndarray:
    """The derivatives of the loss in the chosen and in the rejected log-prob.

    Computed in float32, as in training. Each pair is a batch of its own: an objective that
    compares pairs with each other sees only the one.

    Args:
        objective: any.
        points: (n, 5), the columns of `Visited`.

    Returns:
        (n, 2) float64.
    """
    return np.asarray(_gradients(as_pytree(objective), jnp.asarray(points, jnp.float32)), float)


@jax.jit
def _gradients(objective: Objective, points: jax.Array) -> jax.Array:
    loss = functools.partial(loss_of_pair, objective)
    return jax.vmap(jax.grad(loss))(points[:, :2], points[:, 2:])


def loss_of_pair(objective: Objective, pair: jax.Array, rest: jax.Array) -> jax.Array:
    """The loss of one pair, a scalar, from a row of `Visited`.

    Args:
        objective: any.
        pair: log-probs of chosen and rejected, shape (2,).
        rest: those of the reference, and the progress, shape (3,).
    """
    reference = (rest[0:1], rest[1:2]) if objective.needs_reference else (None, None)
    return objective(PairLogProbs(pair[0:1], pair[1:2], *reference), rest[2])[0]


def depends_on_progress(objective: Objective, visited: Visited) -> bool:
    """Whether the gradient at the visited pairs changes during training."""
    found = []
    for progress in _TIMES:
        points = np.array(visited.points)
        points[:, -1] = progress
        found.append(loss_gradients(objective, points))
    size = max(np.abs(gradients).max() for gradients in found)
    return bool(np.abs(np.diff(found, axis=0)).max() > 1e-5 * size)


def require_reference(objective: Objective, visited: Visited) -> None:
    """Raise ValueError if the objective needs the reference's log-probs and none were visited."""
    if objective.needs_reference and not visited.has_reference:
        raise ValueError(
            f"{objective.name} compares the policy with a reference policy, but the visited "
            "points have no reference log-probs."
        )
