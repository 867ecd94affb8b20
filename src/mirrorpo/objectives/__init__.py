"""Preference objectives, written once for NumPy, JAX and PyTorch arrays.

>>> import numpy as np
>>> from mirrorpo import objectives
>>> pairs = objectives.PairLogProbs(np.array([-1.0]), np.array([-2.0]))
>>> objectives.get("simpo", beta=2.0, gamma=0.5)(pairs).shape
(1,)
"""

from .base import Objective, Paper
from .component import Component, choice, function, number
from .discopop import (
    AdaptiveDecay,
    AdaptiveQuantile,
    AdaptiveQuantileFeedback,
    DynamicBlend,
    LogisticPlusExponential,
    LogRatioModulated,
)
from .links import (
    Cubic,
    Hinge,
    Identity,
    LogSigmoid,
    NegativeReverseKL,
    RobustLogSigmoid,
    SmoothedLogSigmoid,
    Square,
    SquareOrLine,
)
from .mirror import MirrorObjective, OneStep, Terms, TwoStep
from .pairs import PairLogProbs
from .registry import available, get
from .scalars import (
    ChiSquared,
    JensenShannon,
    Log,
    Logit,
    Power,
    Probability,
    ScalarFunction,
    Zero,
)
from .schedules import Linear, Quadratic, Sigmoid
from .storage import from_dict, load, save, to_dict
from .trees import tree_classes, tree_flatten, tree_unflatten

__all__ = [
    "AdaptiveDecay",
    "AdaptiveQuantile",
    "AdaptiveQuantileFeedback",
    "ChiSquared",
    "Component",
    "Cubic",
    "DynamicBlend",
    "Hinge",
    "Identity",
    "JensenShannon",
    "Linear",
    "Log",
    "LogRatioModulated",
    "LogSigmoid",
    "LogisticPlusExponential",
    "Logit",
    "MirrorObjective",
    "NegativeReverseKL",
    "Objective",
    "OneStep",
    "PairLogProbs",
    "Paper",
    "Power",
    "Probability",
    "Quadratic",
    "RobustLogSigmoid",
    "ScalarFunction",
    "Sigmoid",
    "SmoothedLogSigmoid",
    "Square",
    "SquareOrLine",
    "Terms",
    "TwoStep",
    "Zero",
    "available",
    "choice",
    "from_dict",
    "function",
    "get",
    "load",
    "number",
    "save",
    "to_dict",
    "tree_classes",
    "tree_flatten",
    "tree_unflatten",
]
