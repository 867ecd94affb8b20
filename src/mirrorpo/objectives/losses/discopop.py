"""The losses that a language model proposed in DiscoPOP, as links of DPO's margin.

The losses were found in code with ``beta = tau = 0.05``, where every constant acts on the unscaled
margin; like the paper, we write that margin as ``x / tau``, with ``x`` the scaled one, so that the
shape does not change with beta. Where the paper's formula and its listing differ, we follow the
listing, which is what was scored.

Several links use statistics of the batch: a pair's loss then depends on the whole batch.
"""

from dataclasses import dataclass
from typing import ClassVar

from .. import numerics
from ..arrays import Array, Number, namespace
from ..base import BETAS, Batch, Objective, Paper, grid
from ..component import number
from ..functions.scalars import ScalarFunction
from ..numerics import log_sigmoid, relu, sigmoid
from ..ranges import ranges, scale
from .mirror import Terms
from .two_step import DPO


def _paper(place: str) -> Paper:
    return Paper(
        "Discovering Preference Optimization Algorithms with and for Large Language Models",
        "Lu, Holt, Fanconi, Chan, Foerster, van der Schaar and Lange",
        2024,
        "2406.08414",
        place,
    )


@dataclass(frozen=True, kw_only=True)
class LogRatioModulated(ScalarFunction):
    """Logistic at small margins, exponential at large: blended by ``sigmoid(x / tau)``."""

    name: ClassVar[str] = "log-ratio-modulated"
    tau: Number = number(0.05, above=0)

    def __call__(self, x: Array) -> Array:
        logistic = log_sigmoid(x) * sigmoid(-x / self.tau)
        # exp(-x) alone overflows where its weight vanishes: multiply them as logarithms.
        exponential = numerics.exp(log_sigmoid(x / self.tau) - x)
        return logistic - exponential


@dataclass(frozen=True, kw_only=True)
class LogisticPlusExponential(ScalarFunction):
    """``-(0.5 log(1 + exp(-x)) + 0.5 exp(-x))``."""

    name: ClassVar[str] = "logistic-plus-exponential"

    def __call__(self, x: Array) -> Array:
        return 0.5 * log_sigmoid(x) - 0.5 * numerics.exp(-x)


@dataclass(frozen=True, kw_only=True)
class AdaptiveDecay(ScalarFunction):
    """``decay log sigmoid(x)``, less by the share ``tau`` where the pair is ranked wrongly."""

    name: ClassVar[str] = "adaptive-decay"
    decay: Number = number(0.9, above=0)
    tau: Number = number(0.5, at_least=0, below=1)

    def __call__(self, x: Array) -> Array:
        xp = namespace(x, self.decay, self.tau)
        wrong = xp.where(x < 0, xp.ones_like(x), xp.zeros_like(x))
        return self.decay * (1.0 - self.tau * wrong) * log_sigmoid(x)


@dataclass(frozen=True, kw_only=True)
class AdaptiveQuantile(ScalarFunction):
    """Logistic below a moving quantile of the batch's margins, hinge above."""

    name: ClassVar[str] = "adaptive-quantile"
    tau: Number = number(0.05, above=0)

    def __call__(self, x: Array) -> Array:
        quantile = 0.5 + 0.01 * (sigmoid(numerics.mean(x / self.tau)) - 0.5)
        above = x - self.tau * quantile
        return sigmoid(-above) * log_sigmoid(x) - sigmoid(above) * relu(1.0 - x)


@dataclass(frozen=True, kw_only=True)
class AdaptiveQuantileFeedback(ScalarFunction):
    """Logistic far from an adaptive quantile of the batch's margins, hinge mixed in near it."""

    name: ClassVar[str] = "adaptive-quantile-feedback"
    tau: Number = number(0.05, above=0)

    def __call__(self, x: Array) -> Array:
        margin = x / self.tau
        spread = numerics.standard_deviation(margin)
        quantile = spread * numerics.mean(sigmoid(-margin))
        quantile = quantile + 0.05 * (sigmoid(numerics.mean(margin)) - quantile)
        distance = 0.1 * namespace(x).abs(margin - quantile)
        return sigmoid(distance) * log_sigmoid(x) - sigmoid(-distance) * relu(1.0 - x)


@dataclass(frozen=True, kw_only=True)
class DynamicBlend(ScalarFunction):
    """Exponential while the batch's margins agree, logistic once they spread."""

    name: ClassVar[str] = "dynamic-blend"
    tau: Number = number(0.05, above=0)
    temperature: Number = number(0.9, above=0)

    def __call__(self, x: Array) -> Array:
        spread = numerics.variance(x / self.tau)
        logistic = sigmoid(spread) * log_sigmoid(x / self.temperature)
        return logistic - sigmoid(-spread) * numerics.exp(-x * self.temperature)


@dataclass(frozen=True, kw_only=True)
class _DiscoObjective(DPO):
    search_ranges = ranges(beta=scale(start=50.0))

    beta: Number = number(0.05, above=0)


@dataclass(frozen=True, kw_only=True)
class _DiscoObjectiveWithTau(_DiscoObjective):
    tau: Number = number(0.05, above=0)


@dataclass(frozen=True, kw_only=True)
class DiscoPOP(_DiscoObjectiveWithTau):
    """LRML, the log-ratio modulated loss, which the paper calls DiscoPOP."""

    name: ClassVar[str] = "discopop"
    paper: ClassVar[Paper] = _paper("eq. (5) and appendix E.6")
    formula: ClassVar[tuple[str, ...]] = (
        "x = beta * margin",
        "sigmoid(-x / tau) * log(sigmoid(x)) - sigmoid(x / tau) * exp(-x)",
    )

    def terms(self, batch: Batch, progress: Array) -> Terms:
        return Terms(link=LogRatioModulated(tau=self.tau), beta=self.beta)


@dataclass(frozen=True, kw_only=True)
class DBAQL(_DiscoObjectiveWithTau):
    """The dynamic blended adaptive quantile loss; uses the batch's variance."""

    name: ClassVar[str] = "dbaql"
    paper: ClassVar[Paper] = _paper("appendix E.1")
    formula: ClassVar[tuple[str, ...]] = (
        "x = beta * margin",
        "v = var(x / tau)",
        "sigmoid(v) * log(sigmoid(x / 0.9)) - sigmoid(-v) * exp(-0.9 * x)",
    )

    def terms(self, batch: Batch, progress: Array) -> Terms:
        return Terms(link=DynamicBlend(tau=self.tau), beta=self.beta)


@dataclass(frozen=True, kw_only=True)
class AQL(_DiscoObjectiveWithTau):
    """The adaptive quantile loss; uses the batch's mean."""

    name: ClassVar[str] = "aql"
    paper: ClassVar[Paper] = _paper("appendix E.2")
    formula: ClassVar[tuple[str, ...]] = (
        "x = beta * margin",
        "d = x - tau * (0.5 + 0.01 * (sigmoid(mean(x / tau)) - 0.5))",
        "sigmoid(-d) * log(sigmoid(x)) - sigmoid(d) * max(0, 1 - x)",
    )

    def terms(self, batch: Batch, progress: Array) -> Terms:
        return Terms(link=AdaptiveQuantile(tau=self.tau), beta=self.beta)


@dataclass(frozen=True, kw_only=True)
class PADLL(_DiscoObjective):
    """The performance adaptive decay logistic loss; ``tau`` is its penalty on wrong pairs."""

    name: ClassVar[str] = "padll"
    paper: ClassVar[Paper] = _paper("appendix E.3")
    formula: ClassVar[tuple[str, ...]] = (
        "x = beta * margin",
        "0.9 * (1 - tau * (x < 0)) * log(sigmoid(x))",
    )

    tau: Number = number(0.5, at_least=0, below=1)

    def terms(self, batch: Batch, progress: Array) -> Terms:
        return Terms(link=AdaptiveDecay(tau=self.tau), beta=self.beta)


@dataclass(frozen=True, kw_only=True)
class AQFL(_DiscoObjectiveWithTau):
    """The adaptive quantile feedback loss; uses the batch's mean and deviation."""

    name: ClassVar[str] = "aqfl"
    paper: ClassVar[Paper] = _paper("appendix E.4")
    formula: ClassVar[tuple[str, ...]] = (
        "x = beta * margin",
        "q = 0.95 * std(x / tau) * mean(sigmoid(-x / tau)) + 0.05 * sigmoid(mean(x / tau))",
        "d = 0.1 * abs(x / tau - q)",
        "sigmoid(d) * log(sigmoid(x)) - sigmoid(-d) * max(0, 1 - x)",
    )

    def terms(self, batch: Batch, progress: Array) -> Terms:
        return Terms(link=AdaptiveQuantileFeedback(tau=self.tau), beta=self.beta)


@dataclass(frozen=True, kw_only=True)
class CELL(_DiscoObjective):
    """The combined exponential and logistic loss."""

    name: ClassVar[str] = "cell"
    paper: ClassVar[Paper] = _paper("appendix E.5")
    formula: ClassVar[tuple[str, ...]] = (
        "x = beta * margin",
        "0.5 * log(sigmoid(x)) - 0.5 * exp(-x)",
    )

    def terms(self, batch: Batch, progress: Array) -> Terms:
        return Terms(link=LogisticPlusExponential(), beta=self.beta)


@dataclass(frozen=True, kw_only=True)
class PFL(Objective):
    """The policy focused loss: half a logistic on pairs the policy ranks right, two hinges else.

    Not a mirror member: which branch a pair takes depends on the policy's own log-probs, not on
    the margin to the reference.
    """

    name: ClassVar[str] = "pfl"
    needs_reference: ClassVar[bool] = True
    after_sft: ClassVar[bool] = True
    paper: ClassVar[Paper] = _paper("appendix E.7")
    formula: ClassVar[tuple[str, ...]] = (
        "x = beta * margin / tau",
        "where(chosen > rejected, 0.5 * log(sigmoid(x)), -2 * max(0, 1 - x))",
    )
    # Its margin is beta / tau times DPO's, whose grid this is.
    search_grid = grid(beta=tuple(0.05 * beta for beta in BETAS))
    search_ranges = ranges(beta=scale(0.05, 15.0, 5.0, least=0.001))

    beta: Number = number(0.05, above=0)
    tau: Number = number(0.05, above=0)

    def loss(self, batch: Batch, progress: Array) -> Array:
        chosen = batch.chosen - batch.reference_chosen
        rejected = batch.rejected - batch.reference_rejected
        margin = self.beta * (chosen - rejected) / self.tau
        xp = namespace(margin)
        right = batch.chosen > batch.rejected
        return xp.where(right, -0.5 * log_sigmoid(margin), 2.0 * relu(1.0 - margin))
