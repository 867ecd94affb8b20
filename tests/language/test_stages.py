"""Which objective trains at which step."""

import pytest

from mirrorpo import objectives
from mirrorpo.language.training.stages import TrainingStages, stage_at


def plan(name, steps, epochs):
    shares = TrainingStages.of(objectives.get(name), aggregation="objective", sft_stage=True)
    return [(stage.objective.name, stage.start, stage.end) for stage in shares.plan(steps, epochs)]


def test_four_epochs_of_dpo_are_three_of_sft_and_one_of_dpo():
    assert plan("dpo", 400, 4) == [("sft", 0, 300), ("dpo", 300, 400)]


def test_an_objective_of_one_phase_has_all_steps():
    assert plan("ta-mpo", 400, 4) == [("ta-mpo", 0, 400)]


@pytest.mark.parametrize("epochs", [0.0, 1.5])
def test_without_whole_epochs_stages_share_the_steps(epochs):
    assert plan("simpo", 12, epochs) == [("sft", 0, 10), ("simpo", 10, 12)]


@pytest.mark.parametrize("epochs", range(2, 30))
def test_shares_are_those_of_the_robots(epochs):
    from mirrorpo.training.learner import stage_epochs

    found = [(name, end - start) for name, start, end in plan("dpo", epochs, epochs)]
    assert found == list(stage_epochs(objectives.get("dpo"), epochs))


@pytest.mark.parametrize(("steps", "epochs", "unit"), [(10, 1, "epochs"), (1, 0, "steps")])
def test_too_short_a_training_is_an_error_that_says_what_to_change(steps, epochs, unit):
    with pytest.raises(ValueError, match=rf"dpo trains in 2 stages \(sft, dpo\).* 2 {unit}, not 1"):
        plan("dpo", steps, epochs)


def test_without_its_sft_stage_an_objective_has_all_steps():
    shares = TrainingStages.of(objectives.get("dpo"), "objective", sft_stage=False)
    (only,) = shares.plan(7, 1)
    assert (only.objective.name, only.start, only.end) == ("dpo", 0, 7)


@pytest.mark.parametrize(
    ("given", "expected"),
    [("objective", ("mean", "sum")), ("sum", ("sum", "sum")), ("mean", ("mean", "mean"))],
)
def test_aggregation_holds_for_all_stages_if_given(given, expected):
    shares = TrainingStages.of(objectives.get("dpo"), given, sft_stage=True)
    assert tuple(objective.aggregation for objective in shares.objectives) == expected


def test_progress_is_the_share_of_the_stage():
    shares = TrainingStages.of(objectives.get("dpo"), "objective", sft_stage=True)
    stages = shares.plan(400, 4)
    assert [stage_at(stages, step).progress(step) for step in (0, 150, 300, 350, 400)] == [
        0.0,
        0.5,
        0.0,
        0.5,
        1.0,
    ]
