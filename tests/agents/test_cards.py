"""The shipped agents are as strong as they were asked to be, and as their documents say."""

import re
from pathlib import Path

import numpy as np
import pytest

from mirrorpo.agents import agent_files
from mirrorpo.simulation import evaluation, tasks

PAGE = (Path(__file__).parents[2] / "docs" / "tasks.md").read_text("utf-8")
CARDS = {card.name: card for card in agent_files.shipped()}

ASKED = {
    "ant-original": (6000, 150),
    "tla-target": (3900, 150),
    "hopper-expert": (2100, 75),
    "hopper-bad": (900, 75),
}
"""Return and how far from it an agent may be: the paper's source agents."""

OUTSIDE = {"ant-original": 6165, "tla-target": 3654}
"""Returns of those that are further, which docs/tasks.md says; a better one is to be taken out."""

STUMBLES = {"tla-target": 0.02}
"""The share of short episodes of those that have 1 % or more."""


def test_the_agents_are_shipped_for_the_tasks_they_say():
    assert set(CARDS) == {*ASKED, "walker2d-expert", "walker2d-bad", "walker2d-steady"}
    for card in CARDS.values():
        policy, _ = agent_files.load(card.name)
        evaluation.check_sizes(policy, tasks.load(card.task, card.backend))


@pytest.mark.parametrize("name", ASKED)
def test_a_card_s_return_is_what_was_asked_for_but_in_two_named_cases(name):
    card, (asked, room) = CARDS[name], ASKED[name]
    assert card.episodes >= 400
    if name in OUTSIDE:
        assert abs(card.return_mean - asked) > room
        assert round(card.return_mean) == OUTSIDE[name]
    else:
        assert abs(card.return_mean - asked) <= room


@pytest.mark.parametrize("name", ["walker2d-expert", "walker2d-steady"])
def test_walker2d_s_agents_are_twenty_standard_errors_apart(name):
    better, worse = CARDS[name], CARDS["walker2d-bad"]
    error = np.hypot(better.return_standard_error, worse.return_standard_error)
    assert better.return_mean - worse.return_mean >= 20 * error


@pytest.mark.parametrize("name", sorted(CARDS))
def test_a_card_says_noise_and_short_episodes(name):
    card = CARDS[name]
    # Of a standard deviation of 0.4 motor commands or more, less what clipping takes away.
    assert 0.25 < card.noise < 0.6
    assert card.short_episodes < STUMBLES.get(name, 0.01)


@pytest.mark.parametrize("name", sorted(CARDS))
def test_the_page_of_tasks_says_what_the_card_says(name):
    card = CARDS[name]
    row = rf"\| {name}(?: on \w+)? \| (.+?) \| .+? \| (.+?) \| (.+?) % \| ([\d,]+) \|"
    found = re.search(row, PAGE).groups()
    assert found == (
        f"{card.return_mean:.0f} ± {card.return_standard_error:.0f}",
        f"{card.noise:.2f}",
        f"{100 * card.short_episodes:.1f}",
        f"{card.environment_steps:,}",
    )


@pytest.mark.slow  # fast tests of start states simulate a shipped agent, too
@pytest.mark.parametrize("name", sorted(CARDS))
def test_fresh_episodes_agree_with_the_card(name):
    policy, card = agent_files.load(name)
    task = tasks.load(card.task, card.backend)
    mean, error = agent_files.evaluate(policy, task, episodes=50, seed=11)
    assert abs(mean - card.return_mean) < 5 * np.hypot(error, card.return_standard_error) + 5


@pytest.mark.slow
def test_the_original_agent_of_ant_earns_what_was_asked_for_on_the_three_legged_ant():
    policy, _ = agent_files.load("ant-original")
    mean, error = agent_files.evaluate(policy, tasks.load("tla"), episodes=100, seed=12)
    assert error < 50
    assert abs(mean - 1700) <= 150
