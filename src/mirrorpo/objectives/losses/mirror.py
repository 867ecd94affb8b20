"""Mirror Preference Optimization: the one formula that most objectives are members of.

    loss = -[ w_sft psi(pi(chosen)) + w_po g(beta (Phi(chosen) - Phi(rejected)) - gamma) ]

with increasing scalar functions psi and g, and Phi an inverse potential ``phi^-1``: of the policy
alone (one-step, eq. 11), of policy and reference, as their difference (two-step, eq. 10), or of
the ratio of the two (an f-divergence in place of the Bregman divergence, appendix E).
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from ..arrays import Array, Number
from ..base import BETAS, Batch, Objective, Paper, grid
from ..component import function, number
from ..functions.links import LogSigmoid
from ..functions.scalars import Log, Logit, ScalarFunction, Zero
from ..ranges import Range, ranges, scale

MIRROR_PAPER = "Meta-Learning Objectives for Preference Optimization"
MIRROR_AUTHORS = "Alfano, Sapora, Foerster, Rebeschini and Teh"


def mirror_paper(equation: str) -> Paper:
    """A place in the paper that introduces the family."""
    return Paper(MIRROR_PAPER, MIRROR_AUTHORS, 2024, "2411.06568", equation)


@dataclass(frozen=True, kw_only=True)
class Terms:
    """The scalars of the formula. A weight of None leaves its term out."""

    psi: ScalarFunction = Log()
    inverse_potential: ScalarFunction = Log()
    link: ScalarFunction = LogSigmoid()
    beta: Number = 1.0
    gamma: Number = 0.0
    sft_weight: Number | None = None
    po_weight: Number | None = 1.0


@dataclass(frozen=True, kw_only=True)
class MirrorObjective(Objective):
    """A member of the family: it supplies `Terms`, and this class evaluates them."""

    reference: ClassVar[Literal["uniform", "difference", "ratio"]] = "uniform"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.needs_reference = cls.reference != "uniform"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("psi", "inverse_potential", "link"):
            wants = getattr(getattr(self, name, None), "input", None)
            if isinstance(wants, str) and (wants == "margin") != (name == "link"):
                given = "a margin" if name == "link" else "a log-prob"
                raise ValueError(
                    f"{self.name}: {name} is given {given}, but its network is one of a {wants}; "
                    f"start from MonotoneNetwork.{name}()"
                )

    @abstractmethod
    def terms(self, batch: Batch, progress: Array) -> Terms:
        """The member's scalars; they may depend on the lengths and on training's progress."""

    def loss(self, batch: Batch, progress: Array) -> Array:
        terms = self.terms(batch, progress)
        total: Array = 0.0
        if terms.sft_weight is not None:
            total = total + terms.sft_weight * _at(terms.psi, progress)(batch.chosen)
        if terms.po_weight is not None:
            phi = _at(terms.inverse_potential, progress)
            chosen = self._potential(phi, batch.chosen, batch.reference_chosen)
            rejected = self._potential(phi, batch.rejected, batch.reference_rejected)
            margin = terms.beta * (chosen - rejected) - terms.gamma
            total = total + terms.po_weight * _at(terms.link, progress)(margin)
        return -total

    def _potential(self, phi: ScalarFunction, log_prob: Array, reference: Array) -> Array:
        if self.reference == "uniform":
            return phi(log_prob)
        if self.reference == "ratio":
            return phi(log_prob - reference)
        return phi(log_prob) - phi(reference)


def _at(function: Any, progress: Array) -> Any:
    """``function`` at this progress; a callable of another library has none."""
    return function.at(progress) if isinstance(function, ScalarFunction) else function


@dataclass(frozen=True, kw_only=True)
class OneStep(MirrorObjective):
    """Any one-step member: ``psi(pi(chosen)) + weight g(beta (Phi(chosen) - Phi(rejected)))``.

    The functions may be objects or registered names. The defaults are ORPO's.
    """

    name: ClassVar[str] = "1s-mpo"
    paper: ClassVar[Paper] = mirror_paper("eq. (11)")
    formula: ClassVar[tuple[str, ...]] = (
        "psi(chosen) + weight * g(beta * (Phi(chosen) - Phi(rejected)))",
    )
    search_grid = grid(beta=(0.3, 1.0, 3.0), weight=(0.3, 3.0))
    search_ranges = ranges(
        beta=Range(0.5, 5.0, 1.0, most=100.0, sft_end="low"),
        weight=Range(0.2, 30.0, 1.0, most=1000.0, sft_end="low"),
    )

    psi: ScalarFunction = function(Log())
    inverse_potential: ScalarFunction = function(Logit())
    link: ScalarFunction = function(LogSigmoid())
    beta: Number = number(1.0, above=0)
    weight: Number = number(0.1, above=0)

    def terms(self, batch: Batch, progress: Array) -> Terms:
        return Terms(
            psi=self.psi,
            inverse_potential=self.inverse_potential,
            link=self.link,
            beta=self.beta,
            sft_weight=1.0,
            po_weight=self.weight,
        )


@dataclass(frozen=True, kw_only=True)
class TwoStep(OneStep):
    """Any two-step member: the same with ``Phi`` relative to the reference policy.

    Eq. (10) has no SFT term, so psi is the constant 0 unless given. The defaults are DPO's.
    """

    name: ClassVar[str] = "2s-mpo"
    reference = "difference"
    after_sft: ClassVar[bool] = True
    paper: ClassVar[Paper] = mirror_paper("eq. (10)")
    formula: ClassVar[tuple[str, ...]] = (
        "d = (Phi(chosen) - Phi(reference_chosen)) - (Phi(rejected) - Phi(reference_rejected))",
        "psi(chosen) + weight * g(beta * d)",
    )
    search_grid = grid(beta=BETAS)
    search_ranges = ranges(beta=scale())

    psi: ScalarFunction = function(Zero())
    inverse_potential: ScalarFunction = function(Log())
    beta: Number = number(0.1, above=0)
    weight: Number = number(1.0, above=0)
