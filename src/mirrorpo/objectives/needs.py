"""What an objective may declare that it needs of training, beyond a batch of pairs."""

from dataclasses import dataclass

from .arrays import Number


@dataclass(frozen=True)
class ReferenceUpdate:
    """A reference policy that follows the trained one through the objective's stage.

    After each ``every`` steps its parameters become ``rate policy + (1 - rate) reference``.

    Attributes:
        rate: in (0, 1]; 1 copies the policy.
        every: steps between updates, at least 1.
    """

    rate: Number
    every: Number


@dataclass(frozen=True)
class PairPlan:
    """Which pairs the objective's stage trains on, and in which order.

    A pair's ease is the share of pairs whose label is less likely to be right in the eyes of a
    preference model that has not seen the pair: 0 is the hardest pair, 1 the easiest.

    Attributes:
        dropped: share of the pairs, the hardest, that are left out, also of an SFT stage before
            the objective's own; in [0, 1). An epoch has as many steps as without, so it comes back
            to the others sooner.
        easy_first: whether each epoch of the objective's own stage goes from the easiest pair to
            the hardest; else the order is random.
    """

    dropped: Number = 0.0
    easy_first: bool = False
