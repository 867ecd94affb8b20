"""The facts of datasets that a run folder keeps."""

from dataclasses import replace

from mirrorpo.preferences import facts

BASE = facts.Facts(
    task="hopper",
    variant="base",
    rows=4,
    flipped=0.0,
    chosen_better=1.0,
    pairings=(0.0, 1.0, 0.0),
    chosen_return=(2.0, 1.0),
    rejected_return=(1.0, 1.0),
    chosen_length=9.0,
    rejected_length=9.0,
    agents=("better", "worse"),
    short=0.0,
)


def test_facts_told_again_by_a_resumed_run_stay_in_their_place(tmp_path):
    both = [BASE, replace(BASE, variant="noisy:0.3", flipped=0.25)]
    for one in (*both, BASE, replace(BASE, rows=5)):
        facts.remember(tmp_path, one)
    assert facts.recall(tmp_path) == [replace(BASE, rows=5), both[1]]
