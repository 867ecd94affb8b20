"""The design of the protocol study: each arm is a bench that can be run."""

import pytest

from benchmarks import protocol_study as study


@pytest.mark.parametrize("arm", study.ARMS, ids=lambda arm: arm.name)
@pytest.mark.parametrize("task", study.STEPS)
def test_every_arm_is_the_protocol_paper_with_its_own_levels(task, arm):
    settings = study.settings_of(task, arm)
    assert (settings.protocol, settings.schedule, settings.std) == ("paper", arm.schedule, arm.std)
    assert (settings.actions, settings.training.learning_rate) == (arm.actions, arm.rate)
    assert settings.trials == (8 if arm.tuning == "trials" else None)
    assert settings.training.single_stage == ("kto",)


def test_arms_have_names_of_their_own():
    names = [arm.name for arm in study.ARMS]
    assert len(set(names)) == len(names)
