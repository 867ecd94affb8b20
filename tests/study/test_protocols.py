from dataclasses import replace

import pytest

from mirrorpo import protocols
from mirrorpo.discovery.settings import DiscoverySettings
from mirrorpo.study.settings import BenchSettings


def test_the_papers_protocol_is_table_7_with_a_constant_rate_and_no_sft_stage_for_kto():
    settings = BenchSettings(protocol="paper")
    training, scoring = settings.training, settings.scoring
    assert (training.epochs, training.minibatch, training.learning_rate) == (12, 2, 1e-3)
    assert (training.max_gradient_norm, training.schedule) == (1.3, "constant")
    assert training.single_stage == ("kto",)
    assert not training.reset_optimiser
    assert training.time_steps is None
    assert (scoring.seeds, scoring.episodes, scoring.data_draws) == (25, 100, 1)
    assert settings.searched == [settings.draw_of(0)]


def test_the_nearest_protocol_is_the_papers_but_for_three_choices_that_it_leaves_open():
    paper, nearest = protocols.PROTOCOLS["paper"], protocols.PROTOCOLS["paper-nearest"]
    assert {k for k in paper if paper[k] != nearest[k]} == {"schedule", "single_stage", "hidden"}
    assert BenchSettings(protocol="paper-nearest").training.hidden == (256, 256)
    assert BenchSettings(protocol="paper-nearest", hidden=(9,)).training.hidden == (9,)


def test_what_is_given_wins_over_the_protocol():
    settings = BenchSettings(protocol="paper", schedule="cosine", seeds=3, single_stage=())
    assert settings.training.schedule == "cosine"
    assert settings.training.single_stage == ()
    assert settings.scoring.seeds == 3
    assert settings.scoring.episodes == 100


def test_the_recommended_protocol_tunes_on_data_that_no_score_uses():
    settings = BenchSettings(seeds=5)
    scored = {settings.draw_of(seed) for seed in range(5)}
    assert len(scored) == 2
    assert not scored & set(settings.searched)


def test_the_paper_tunes_over_a_grid_and_the_recommended_protocol_by_equal_trials():
    assert BenchSettings(protocol="paper", search=True).tune_by == "grid"
    settings = BenchSettings(search=True)
    assert (settings.tune_by, settings.trials, settings.search_seeds) == ("trials", 24, 2)
    assert BenchSettings(protocol="paper", search=True, tune_by="trials").trials == 24


def test_a_run_records_how_it_tunes_by_trials_and_nothing_new_where_it_does_not():
    assert {"tune_by", "trials"} <= set(BenchSettings(search=True).recorded)
    for settings in (BenchSettings(), BenchSettings(search=True, tune_by="grid")):
        assert not {"tune_by", "trials"} & set(settings.recorded)


def test_the_agents_of_a_trial_are_spread_over_draws_that_no_score_uses():
    settings = BenchSettings(task="reviews", protocol="small", search=True)
    assert len(set(settings.searched)) == settings.search_seeds == 2
    scored = [settings.draw_of(seed) for seed in range(8)]
    assert len({*scored, *settings.searched}) == 10
    assert len(replace(settings, search_draws=None, search_seeds=1).searched) == 1


@pytest.mark.parametrize("kind", [BenchSettings, DiscoverySettings, protocols.Training])
def test_an_unknown_protocol_names_the_near_one(kind):
    with pytest.raises(ValueError, match=r"Unknown protocol 'papr'\. Did you mean paper\?"):
        kind(protocol="papr")


def test_a_protocol_of_other_tasks_says_so():
    with pytest.raises(ValueError, match="smoke is one of texts: name reviews or text as the task"):
        BenchSettings(protocol="smoke")
    with pytest.raises(ValueError, match="paper is one of robots: choose one of mirror, small"):
        BenchSettings(task="reviews", protocol="paper")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"schedule": "step"}, "schedule must be one of constant, linear, cosine"),
        ({"std": "fixed:0.1"}, "std must be"),
        ({"data_draws": 0}, "data_draws must be at least 1"),
        ({"tune_on": "both"}, "tune_on must be own or score"),
        ({"tune_by": "hand"}, "tune_by must be grid or trials"),
        ({"search": True, "trials": 0}, "trials must be at least 1"),
        ({"trials": 3}, "trials: only with --search"),
        ({"search": True, "finalists": 0}, "finalists must be at least 1"),
        ({"finalists": 3}, "finalists: only with --search"),
        ({"tune_by": "grid", "search_draws": 2}, "tune_by, search_draws: only with --search"),
        ({"search": True, "tune_by": "grid", "trials": 3}, "trials: only with --tune-by trials"),
        ({"search": True, "protocol": "paper", "trials": 3}, "only with --tune-by trials"),
        ({"search_draws": 0}, "search_draws must be between 1 and search_seeds"),
        ({"search_draws": 3}, "search_draws must be between 1 and search_seeds"),
        ({"data": "pool.safetensors", "search_draws": 2}, "search_draws must be 1 with data"),
    ],
)
def test_settings_out_of_range_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        BenchSettings(**given)


@pytest.mark.parametrize(
    ("given", "names"),
    [(("kto,dpo",), ("kto", "dpo")), (("",), ()), (("kto", "dpo"), ("kto", "dpo"))],
)
def test_losses_of_one_stage_are_listed_with_commas_as_all_else_is(given, names):
    assert BenchSettings(single_stage=given).training.single_stage == names
