"""Preference objectives, written once for NumPy, JAX and PyTorch arrays.

>>> import numpy as np
>>> from mirrorpo import objectives
>>> pairs = objectives.PairLogProbs(np.array([-1.0]), np.array([-2.0]))
>>> objectives.get("simpo", beta=2.0, gamma=0.5)(pairs).shape
(1,)
"""

from .base import Objective, Paper
from .component import Component, array, choice, function, number
from .functions.augmented import Augmented
from .functions.extension import Extended
from .functions.links import (
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
from .functions.networks import MonotoneNetwork
from .functions.scalars import (
    ChiSquared,
    JensenShannon,
    Log,
    Logit,
    Power,
    Probability,
    Rescaled,
    ScalarFunction,
    Zero,
)
from .functions.schedules import Linear, Quadratic, Sigmoid
from .functions.timed import LearnedSchedule, TimedNetwork
from .losses.closed_form import ClosedForm, ClosedFormReference
from .losses.discopop import (
    AdaptiveDecay,
    AdaptiveQuantile,
    AdaptiveQuantileFeedback,
    DynamicBlend,
    LogisticPlusExponential,
    LogRatioModulated,
)
from .losses.gated import Gated, GatedReference
from .losses.mirror import MirrorObjective, OneStep, Terms, TwoStep
from .naming import get
from .needs import PairPlan, ReferenceUpdate
from .pairs import PairLogProbs
from .registry import available
from .storage import from_dict, load, load_notes, save, to_dict
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
    "GatedReference",
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
