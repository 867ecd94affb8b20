"""Agents drawn anew: data draws first, then the agents of each."""

import numpy as np


def nested_sample(draws: np.ndarray, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """Positions of agents redrawn in two steps: data draws first, then agents within each.

    One draw fewer than there are is chosen, with replacement: the variance between draws is then
    right for any number of them (as many as there are would halve it for two). Redrawing agents
    on top makes intervals of few draws wide rather than narrow.

    Args:
        draws: the data draw of each agent, shape (agents,).
        resamples: how often.
        rng: source of chance.

    Returns:
        Shape (resamples, agents chosen), int. Where draws differ in their number of agents, every
        chosen draw gives as many as the largest has, so that all draws weigh alike.
    """
    _, index = np.unique(draws, return_inverse=True)
    members = [np.flatnonzero(index == draw) for draw in range(index.max() + 1)]
    chosen = rng.integers(len(members), size=(resamples, max(len(members) - 1, 1)))
    most = max(len(found) for found in members)
    sizes = np.array([len(found) for found in members])
    padded = np.array([np.resize(found, most) for found in members])
    within = np.floor(rng.random((*chosen.shape, most)) * sizes[chosen][..., None]).astype(int)
    return np.asarray(padded[chosen[..., None], within].reshape(resamples, -1))


def agents_sample(draws: np.ndarray, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """As `nested_sample`; of agents of one data draw, one agent fewer than there are is drawn."""
    if len(np.unique(draws)) > 1:
        return nested_sample(draws, resamples, rng)
    return rng.integers(len(draws), size=(resamples, max(len(draws) - 1, 1)))
