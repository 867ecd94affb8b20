"""Source agents that are trained side by side, with a learning rate each."""

import jax

from benchmarks import source_agents
from mirrorpo.training_settings import PPOSettings


def test_each_run_has_its_own_learning_rate_within_one_compiled_program():
    settings = PPOSettings(total_steps=1000)

    def rate_of(rate):
        changed = source_agents.with_rate(settings, rate)
        assert changed.total_steps == 1000
        return changed.learning_rate

    assert jax.jit(rate_of)(0.25) == 0.25
    assert settings.learning_rate == PPOSettings.learning_rate
