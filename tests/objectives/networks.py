"""Networks for the tests of this folder: every role, at its start and at random parameters."""

import numpy as np

from mirrorpo.objectives import LearnedSchedule, MonotoneNetwork, TimedNetwork, parameter_vector

ANT, HOPPER, MARGINS = (-14.0, -8.0), (-5.0, -1.0), (-3.0, 3.0)

ROLES = {
    "psi": (MonotoneNetwork.psi(low=-14, high=-8), ANT),
    "psi-of-probability": (MonotoneNetwork.psi(input="probability"), ANT),
    "log": (MonotoneNetwork.inverse_potential(low=-5, high=-1), HOPPER),
    "log-of-probability": (MonotoneNetwork.inverse_potential(input="probability"), HOPPER),
    "logit": (MonotoneNetwork.inverse_potential("logit", low=-14, high=-8), ANT),
    "logit-of-probability": (
        MonotoneNetwork.inverse_potential("logit", input="probability"),
        HOPPER,
    ),
    "link": (MonotoneNetwork.link(low=-3, high=3), MARGINS),
    "identity": (MonotoneNetwork.link("identity", low=-3, high=3), MARGINS),
}
"""Each network at its start, and its working range."""


def perturbed(component, size, seed, hyperparameters=()):
    """``component`` with N(0, size^2) added to its learned parameters, in float32."""
    vector, rebuild = parameter_vector(component, hyperparameters)
    noise = size * np.random.default_rng(seed).normal(size=vector.size)
    return rebuild((vector + noise).astype(np.float32))


def timed(network, size=0.3, seed=0):
    return perturbed(TimedNetwork.of(network), size, seed)


def schedule(size=0.3, seed=0):
    return perturbed(LearnedSchedule(), size, seed)
