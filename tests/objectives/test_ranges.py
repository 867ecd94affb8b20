"""Tuning's ranges: valid everywhere, short of plain SFT, and what widening does to them."""

import itertools

import pytest
import torch

from mirrorpo import objectives
from mirrorpo.objectives import PairLogProbs, ranges
from mirrorpo.objectives.base import grid
from mirrorpo.objectives.ranges import Range

TUNED = [name for name in objectives.available() if ranges.of(type(objectives.get(name)))]

SFT_SHARE = 0.04
"""Share of its pull on the rejected sequence below which a loss counts as plain SFT."""

NOT_SEEN_IN_A_PAIR = {
    # The share of pairs whose loss is DPO.
    ("mixdpo", "easy"),
}


def of(name):
    return ranges.of(type(objectives.get(name)))


def pull(objective):
    """How much of what the loss does is not SFT: its push on the rejected log-prob, downwards.

    Against a reference: when the chosen trajectory of 1000 steps has become e^3 times likelier
    than the rejected one, beside the push at the reference and that on the chosen log-prob.
    Without one: of a pair ranked wrongly by half a nat a step, beside that on the chosen.
    """
    reference = torch.full((2,), -10.0, dtype=torch.float64)
    others = (reference, reference) if objective.needs_reference else (None, None)

    def slopes(margin):
        chosen = (reference + margin / 2).requires_grad_()
        rejected = (reference - margin / 2).requires_grad_()
        objective(PairLogProbs(chosen, rejected, *others), 0.5).sum().backward()
        return abs(float(chosen.grad[0])), float(rejected.grad[0])

    if not objective.needs_reference:
        chosen, rejected = slopes(-0.5)
        return rejected / max(chosen, 1e-30)
    _, at_first = slopes(0.0)
    chosen, rejected = slopes(0.003)
    return min(rejected / max(abs(at_first), 1e-30), rejected / max(chosen, 1e-30))


def made(name, **values):
    return objectives.get(name, aggregation="mean", **values)


@pytest.mark.parametrize("name", objectives.available())
def test_a_loss_has_ranges_for_what_its_grid_searches(name):
    kind = type(objectives.get(name))
    assert set(ranges.of(kind)) == set(kind.search_grid)
    declared = next((base for base in kind.__mro__ if "search_ranges" in vars(base)), None)
    assert declared is not None
    assert issubclass(declared, kind) or "search_grid" not in vars(kind)


@pytest.mark.parametrize("name", TUNED)
def test_every_value_that_widening_may_reach_is_valid(name):
    found = of(name)
    for key, one in found.items():
        for value in (one.low, one.high, one.start, one.least, one.most):
            if value is not None:
                made(name, **{key: value})


@pytest.mark.parametrize("name", TUNED)
def test_every_corner_of_a_losss_ranges_stops_short_of_sft(name):
    found = of(name)
    for corner in itertools.product(*[(one.low, one.high) for one in found.values()]):
        share = pull(made(name, **dict(zip(found, corner, strict=True))))
        # DiscoPOP pushes the wrong way near the reference, by design.
        assert abs(share) >= SFT_SHARE, (name, corner, share)


@pytest.mark.parametrize(
    ("name", "key"),
    sorted(
        {(name, key) for name in TUNED for key, one in of(name).items() if one.sft_end}
        - NOT_SEEN_IN_A_PAIR
    ),
)
def test_far_beyond_an_sft_end_the_loss_is_plain_sft(name, key):
    one = of(name)[key]
    far = one.high * 1e5 if one.sft_end == "high" else one.low * 1e-5
    if "smoothing" in key:
        far = 0.4999
    others = {other: span.start for other, span in of(name).items() if other != key}
    assert pull(made(name, **others, **{key: far})) < SFT_SHARE


def test_a_range_without_room_or_with_a_start_outside_is_refused():
    for values in ((2.0, 1.0, 1.5), (0.0, 1.0, 0.5), (1.0, 3.0, 4.0)):
        with pytest.raises(ValueError):
            Range(*values)
    Range(0.0, 1.0, 0.5, log=False)


def test_distances_are_by_the_logarithm_for_a_scale():
    one = Range(1.0, 100.0, 10.0)
    assert one.share(10.0) == pytest.approx(0.5)
    assert one.distance_from_edge(10.0**0.2) == pytest.approx(0.1)
    assert one.distance_from_edge(10.0**1.9) == pytest.approx(0.05)
    assert (one.edge(1.2), one.edge(10.0), one.edge(95.0)) == ("low", "", "high")
    plain = Range(0.0, 10.0, 5.0, log=False)
    assert plain.distance_from_edge(1.0) == pytest.approx(0.1)


@pytest.mark.parametrize("share", [0.0, 0.1, 1 / 3, 0.77, 1.0])
def test_a_value_lies_where_it_was_asked_for(share):
    for one in (Range(0.03, 177.0, 1.0), Range(-0.4, 0.4, 0.1, log=False)):
        assert one.low <= one.at(share) <= one.high
        assert one.share(one.at(share)) == pytest.approx(share, abs=1e-3)


def test_widening_adds_half_the_width_up_to_the_hard_end_and_never_toward_sft():
    one = Range(1.0, 100.0, 10.0, least=0.5, most=1e6, sft_end="")
    assert one.added("high") == Range(100.0, 1000.0, 100.0, least=0.5, most=1e6)
    assert one.widened("high").high == 1000.0
    assert one.widened("high").low == 1.0
    assert one.widened("low").low == 0.5
    assert Range(1.0, 100.0, 10.0).added("high") is None
    toward = Range(1.0, 100.0, 10.0, least=0.01, most=1e6, sft_end="high")
    assert toward.added("high") is None
    assert toward.widened("high") == toward
    assert toward.added("low") is not None


def test_a_class_with_a_grid_of_its_own_has_that_grids_spans():
    class Mine(type(objectives.get("dpo"))):
        search_grid = grid(beta=(0.5, 2.0, 4.0))

    assert ranges.of(Mine) == {"beta": Range(0.5, 4.0, 2.0)}

    class Shifted(type(objectives.get("dpo"))):
        search_grid = grid(beta=(0.0, 2.0), other=(1.0,))

    assert ranges.of(Shifted) == {"beta": Range(0.0, 2.0, 2.0, log=False)}

    class Chosen(type(objectives.get("dpo"))):
        search_grid = grid(aggregation=("mean", "sum"), beta=(1.0, 2.0))

    assert ranges.of(Chosen) == {"beta": Range(1.0, 2.0, 2.0)}


def test_where_the_sft_limit_lies_is_said_in_words():
    assert ranges.sft_limit(of("cpo")) == "outside, beyond small beta and large sft_weight"
    assert ranges.sft_limit(of("simpo")) == "none"


def test_the_ranges_are_read_only():
    with pytest.raises(TypeError):
        objectives.get("dpo").search_ranges["beta"] = Range(1.0, 2.0, 1.0)
