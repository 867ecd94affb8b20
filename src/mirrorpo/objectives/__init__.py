"""Preference objectives, written once for NumPy, JAX and PyTorch arrays.

>>> import numpy as np
>>> from mirrorpo import objectives
>>> pairs = objectives.PairLogProbs(np.array([-1.0]), np.array([-2.0]))
>>> objectives.get("simpo", beta=2.0, gamma=0.5)(pairs).shape
(1,)
"""

from .augmented import Augmented
from .base import Objective, Paper
from .closed_form import ClosedForm, ClosedFormReference
from .component import Component, array, choice, function, number
from .discopop import (
    AdaptiveDecay,
    AdaptiveQuantile,
    AdaptiveQuantileFeedback,
    DynamicBlend,
    LogisticPlusExponential,
    LogRatioModulated,
)
from .extension import Extended
from .gated import Gated
from .links import (
    Cubic,
    FocalLogSigmoid,
    Hinge,
    Identity,
    LogSigmoid,
    NegativeReverseKL,
    NoiseTolerant,
    RobustLogSigmoid,
    SmoothedHinge,
    SmoothedLogSigmoid,
    Square,
    SquareOrLine,
)
from .mirror import MirrorObjective, OneStep, Terms, TwoStep
from .naming import get
from .needs import PairPlan, ReferenceUpdate
from .networks import MonotoneNetwork
from .pairs import PairLogProbs
from .potentials import Rescaled
from .registry import available
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
from .storage import from_dict, load, load_notes, save, to_dict
from .timed import LearnedSchedule, TimedNetwork
from .trees import tree_classes, tree_flatten, tree_unflatten
from .vectors import parameter_vector

__all__ = [
    "AdaptiveDecay",
    "AdaptiveQuantile",
    "AdaptiveQuantileFeedback",
    "Augmented",
    "ChiSquared",
    "ClosedForm",
    "ClosedFormReference",
    "Component",
    "Cubic",
    "DynamicBlend",
    "Extended",
    "FocalLogSigmoid",
    "Gated",
    "Hinge",
    "Identity",
    "JensenShannon",
    "LearnedSchedule",
    "Linear",
    "Log",
    "LogRatioModulated",
    "LogSigmoid",
    "LogisticPlusExponential",
    "Logit",
    "MirrorObjective",
    "MonotoneNetwork",
    "NegativeReverseKL",
    "NoiseTolerant",
    "Objective",
    "OneStep",
    "PairLogProbs",
    "PairPlan",
    "Paper",
    "Power",
    "Probability",
    "Quadratic",
    "ReferenceUpdate",
    "Rescaled",
    "RobustLogSigmoid",
    "ScalarFunction",
    "Sigmoid",
    "SmoothedHinge",
    "SmoothedLogSigmoid",
    "Square",
    "SquareOrLine",
    "Terms",
    "TimedNetwork",
    "TwoStep",
    "Zero",
    "array",
    "available",
    "choice",
    "from_dict",
    "function",
    "get",
    "load",
    "load_notes",
    "number",
    "parameter_vector",
    "save",
    "to_dict",
    "tree_classes",
    "tree_flatten",
    "tree_unflatten",
]
