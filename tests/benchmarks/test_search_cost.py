"""The cost of searches is counted from their settings, and the documents' table is that count."""

import pytest

from benchmarks import search_cost
from tests.docs.test_documents import ROOT


def test_the_paper_s_searches_have_its_numbers_of_agents_and_pairs():
    hopper, tla = (search_cost.of_paper(*one) for one in search_cost.PAPER.items())
    assert (hopper.search.agents, tla.search.agents) == (256 * 128, 256 * 256)
    assert hopper.agent_steps == 256 * 128 * 12 * 5120 / 2
    assert tla.agent_steps == 256 * 256 * 12 * 1280 / 2
    assert tla.environment_steps == 256 * 256 * 100 * 1000


def card(**changes):
    settings = {
        "task": "hopper",
        "variants": ["noisy:0.3"],
        "screen_epochs": None,
        "rows": 100,
        "epochs": 3,
        "minibatch": 2,
        "time_steps": None,
        "episodes": 5,
        "validation_rows": 10,
        "validation_minibatch": 5,
        "validation_episodes": 7,
    }
    settings.update(changes)
    return {"settings": settings, "agents_trained": 20, "validation": [{"seeds": 4}, {"seeds": 4}]}


def test_a_search_costs_its_candidates_and_their_validation_on_every_variant_and_task():
    one = search_cost.of_search("one", card())
    assert one.agent_steps == 20 * 3 * 50 + 8 * 12 * 2
    assert one.environment_steps == (20 * 5 + 8 * 7) * 1000
    assert one.time_steps == 1000
    four = search_cost.of_search("four", card(task="hopper,tla", variants=["base", "noisy:0.3"]))
    assert four.agent_steps == 4 * one.agent_steps


def test_tasks_with_their_own_numbers_of_pairs_are_counted_each_with_its_own():
    both, hopper, tla = (
        search_cost.of_search("", card(task=task, rows=None, validation_rows=None)).agent_steps
        for task in ("hopper,tla", "hopper", "tla")
    )
    assert both == hopper + tla


def test_a_search_that_trains_some_agents_briefly_is_refused():
    with pytest.raises(ValueError, match="trains some of its agents briefly"):
        search_cost.of_search("screened", card(screen_epochs=1))


def test_the_documents_table_is_the_count():
    page = (ROOT / "docs" / "discovery.md").read_text(encoding="utf-8")
    counted = "\n".join(search_cost.table(search_cost.published()))
    assert counted in page, "python benchmarks/search_cost.py prints the table as it is now"
