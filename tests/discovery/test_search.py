"""A search is reproducible, survives a kill, and keeps the best on validation."""

import json
import math
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mirrorpo import objectives
from mirrorpo.agents.sources import SOURCES, Sources
from mirrorpo.discovery import artefact, search
from mirrorpo.discovery.fitness import Bench, Score
from mirrorpo.discovery.ground import Budget
from mirrorpo.discovery.settings import DiscoverySettings
from mirrorpo.simulation import tasks
from tests import point_task

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MIRRORPO_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def two_agents(tmp_path_factory):
    return point_task.write_agents(tmp_path_factory.mktemp("points"))


def tiny(two_agents, better=0, **changes):
    settings = {
        "task": point_task.NAME,
        "variants": ("noisy:0.3",),
        "learn": ("link",),
        "generations": 3,
        "population": 4,
        "sigma": 0.3,
        "rows": 8,
        "epochs": 12,
        "time_steps": 8,
        "episodes": 4,
        "validate_every": 2,
        "validation_seeds": 4,
        "validation_rows": 8,
        "validation_time_steps": 8,
        "validation_episodes": 4,
        "better": str(two_agents[better]),
        "worse": str(two_agents[1 - better]),
    }
    return DiscoverySettings(**{**settings, **changes})


def stable(path):
    """A run's lines without what depends on the clock."""
    lines = [json.loads(text) for text in path.read_text().splitlines()]
    return [{k: v for k, v in line.items() if "seconds" not in k} for line in lines]


@pytest.fixture(scope="module")
def better(two_agents):
    """Which of the two random agents is the better one."""
    try:
        Bench(tiny(two_agents, 0))
    except ValueError:
        return 1
    return 0


@pytest.fixture(scope="module")
def whole(two_agents, better, tmp_path_factory):
    out = tmp_path_factory.mktemp("search") / "whole"
    return out, search.discover(tiny(two_agents, better), out)


def test_a_search_writes_a_line_a_generation_and_its_result(whole):
    out, found = whole
    lines = stable(out / "metrics.jsonl")
    assert [line["generation"] for line in lines] == [0, 1, 2]
    for line in lines:
        assert len(line["fitness"]) == 4
        assert line["fitness_best"] >= line["fitness_mean"]
        assert line["return_start"] is not None
    assert list((out / "tensorboard").iterdir())
    read = artefact.load(out / search.RESULT)
    assert read.objective == found.objective
    assert read.provenance == json.loads(json.dumps(found.provenance))
    assert found.objective.aggregation == "mean"
    assert found.visited.measured


def test_the_start_meets_the_random_numbers_of_its_generation(whole):
    """At sigma's mirror image the mean of the first generation is the start itself."""
    lines = stable(whole[0] / "metrics.jsonl")
    assert lines[0]["fitness_start"] == lines[0]["fitness_of_mean"]
    assert lines[2]["fitness_start"] != lines[2]["fitness_of_mean"]


def test_the_result_is_the_candidate_with_the_best_validation(whole):
    out, found = whole
    lines = [json.loads(text) for text in (out / search.VALIDATIONS).read_text().splitlines()]
    assert [line["candidate"] for line in lines[:2]] == ["start", "mean"]
    assert [line["generation"] for line in lines][0::2][0] == 0
    assert found.provenance["winner"]["score"] == max(line["score"] for line in lines)
    assert all(line["seeds"] == 4 for line in lines)


@pytest.mark.parametrize("stop_at", [1, 2])
def test_an_interrupted_search_ends_with_the_same_parameters_bit_by_bit(
    stop_at, whole, two_agents, better, tmp_path
):
    class Killed(Exception):
        pass

    def kill(done, total, doing):
        if done >= stop_at:
            raise Killed

    settings = tiny(two_agents, better)
    with pytest.raises(Killed):
        search.discover(settings, tmp_path / "cut", kill)
    # As a kill in the middle of a write leaves it.
    with (tmp_path / "cut" / "metrics.jsonl").open("a") as file:
        file.write('{"generation": 7, "fit')
    again = search.discover(settings, tmp_path / "cut")
    assert again.objective == whole[1].objective
    for name in ("metrics.jsonl", search.VALIDATIONS):
        assert stable(tmp_path / "cut" / name) == stable(whole[0] / name)


def test_a_finished_search_is_read_back_and_another_one_is_refused(
    whole, two_agents, better, monkeypatch
):
    def never(*args, **kwargs):
        raise AssertionError("searched again")

    monkeypatch.setattr(search, "Bench", never)
    assert search.discover(tiny(two_agents, better), whole[0]).objective == whole[1].objective
    with pytest.raises(ValueError, match="sigma"):
        search.discover(tiny(two_agents, better, sigma=0.2), whole[0])


def test_an_ended_search_goes_on_with_more_generations_as_if_it_had_not_ended(
    whole, two_agents, better, tmp_path
):
    out = tmp_path / "grown"
    short = search.discover(tiny(two_agents, better, generations=2), out)
    assert short.provenance["settings"]["generations"] == 2
    found = search.discover(tiny(two_agents, better), out)
    assert stable(out / "metrics.jsonl") == stable(whole[0] / "metrics.jsonl")
    assert found.objective == whole[1].objective
    assert found.provenance["settings"]["generations"] == 3
    with pytest.raises(ValueError, match="generations differ"):
        search.discover(tiny(two_agents, better, generations=2), out)


@pytest.mark.parametrize("generations", [3, 4])
def test_the_log_of_a_search_whose_state_is_lost_is_not_emptied(
    generations, whole, two_agents, better, tmp_path
):
    out = tmp_path / "copy"
    out.mkdir()
    for name in ("config.json", "metrics.jsonl", search.VALIDATIONS):
        shutil.copy(whole[0] / name, out / name)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(ValueError, match=r"but not state\.safetensors, from which it would resume"):
        search.discover(tiny(two_agents, better, generations=generations), out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_a_search_does_not_go_on_with_another_source_agent_of_the_same_name(
    whole, two_agents, better, tmp_path
):
    out = tmp_path / "run"
    out.mkdir()
    config = json.loads((whole[0] / "config.json").read_text())
    config["contents"][str(two_agents[0])] = "another"
    (out / "config.json").write_text(json.dumps(config))
    shutil.copy(whole[0] / "metrics.jsonl", out)  # it has begun
    with pytest.raises(ValueError, match=r"another content of .*first"):
        search.discover(tiny(two_agents, better), out)


def test_a_discovery_loads_as_an_objective_and_keeps_its_checksum(whole, tmp_path):
    path = whole[0] / search.RESULT
    assert objectives.load(path) == whole[1].objective
    assert objectives.load_notes(path)["winner"] == whole[1].provenance["winner"]
    card = json.loads(path.with_suffix(".json").read_text())
    low, high = card["log_prob_range"]
    assert low < high <= 0
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(path.read_bytes())
    copy.with_suffix(".json").write_text(json.dumps({**card, "sha256": "0" * 64}))
    with pytest.raises(ValueError, match="checksum"):
        artefact.load(copy)
    with pytest.raises(ValueError, match="No discovered objective named"):
        artefact.load("hopper-nosy")


def test_the_better_agent_must_be_better(two_agents, better):
    with pytest.raises(ValueError, match="the better agent must be better"):
        Bench(tiny(two_agents, 1 - better))


class Fixed(Bench):
    """A bench whose agents earn what their objective's beta says, with the screening's error."""

    def __init__(self, settings, errors):
        self.settings, self.better, self.worse, self.errors = settings, 1.0, 0.0, errors
        self.calls = []

    def _in_full(self, given, seeds, budget, episodes_seed, par=0.0):
        self.calls.append(len(given))
        value = np.array([[objective.beta] for objective in given])
        if budget.episodes == 1:
            value = value + np.array(self.errors)[:, None]
        return Score(value, self.fitness(value), 1.0, 1.0, len(given))


def test_screening_trains_the_best_share_in_full_and_ranks_the_others_below():
    small, whole_budget = Budget(8, None, 1), Budget(8, None, 2)
    given = [objectives.get("1s-mpo", beta=beta) for beta in (0.1, 0.2, 0.3, 0.4)]
    # The third looks worse than it is, the second better.
    bench = Fixed(DiscoverySettings(variants=("base",)), [0.0, 0.5, -0.25, 0.0])
    score = bench.score(given, [0] * 4, whole_budget, 0, (small, 0.5))
    assert bench.calls == [4, 2]
    assert np.isnan(score.returns[[0, 2], 0]).all()
    np.testing.assert_allclose(score.fitness[[1, 3]], [0.2, 0.4])
    assert score.fitness[[0, 2]].max() < 0.2
    assert score.fitness[2] < score.fitness[0]
    assert np.isfinite(score.fitness).all()


def test_an_agent_that_diverges_in_the_screening_stays_without_fitness():
    given = [objectives.get("1s-mpo", beta=beta) for beta in (0.1, 0.2)]
    bench = Fixed(DiscoverySettings(variants=("base",)), [math.nan, 0.0])
    score = bench.score(given, [0] * 2, Budget(8, None, 2), 0, (Budget(8, None, 1), 0.5))
    assert np.isnan(score.fitness[0])
    assert score.fitness[1] == pytest.approx(0.2)


def test_robust_fitness_is_the_mean_or_the_worst_of_normalised_scores():
    returns = np.array([[1500.0, 1000.0], [1300.0, 1250.0], [np.nan, 2000.0]])
    for robust, expected in (("mean", [0.25, 0.275, np.nan]), ("worst", [0.0, 0.25, np.nan])):
        bench = Fixed(DiscoverySettings(variants=("base", "noisy:0.1"), robust=robust), [])
        bench.better, bench.worse = 2000.0, 1000.0
        np.testing.assert_allclose(bench.fitness(returns), expected)


def test_a_search_on_two_tasks_is_scored_by_the_worst_column_above_its_best_rival(
    two_agents, better, tmp_path, monkeypatch
):
    names = (point_task.NAME, "mass")
    monkeypatch.setitem(tasks._REGISTRY, "mass", tasks._REGISTRY[point_task.NAME])
    own = Sources(str(two_agents[better]), str(two_agents[1 - better]), start=None, rows=8)
    for name in names:
        monkeypatch.setitem(SOURCES, name, own)
    few = {"generations": 1, "population": 2, "better": None, "worse": None}
    settings = replace(
        tiny(two_agents, better),
        **few,
        task=",".join(names),
        robust="worst",
        against=("sft", "cpo[sft_weight=2]"),
    )
    found = search.discover(settings, tmp_path / "run")
    columns = [f"{name} noisy:0.3" for name in names]
    par = json.loads((tmp_path / "run" / search.PAR).read_text())
    assert list(par) == columns
    assert par[columns[0]] == par[columns[1]] >= 0, "the same task under two names"
    source = found.provenance["source_agents"]
    assert list(source["better"]) == list(names)
    low, high = source["worse"]["mass"], source["better"]["mass"]
    for line in found.provenance["validation"]:
        assert list(line["returns"]) == columns
        score = (line["returns"]["mass noisy:0.3"] - low) / (high - low) - par[columns[1]]
        assert line["score"] == pytest.approx(score, rel=1e-6)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"task": "hopper,hopper"}, "names of tasks, each once"),
        ({"task": "hopper,"}, "names of tasks, each once"),
        ({"task": "hopper,tla", "better": "hopper-expert"}, "left out with several tasks"),
    ],
)
def test_tasks_that_cannot_be_searched_together_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        DiscoverySettings(**given)


def test_no_time_steps_stand_for_all_of_them_in_validation_too():
    settings = DiscoverySettings(time_steps=0, validation_time_steps=0)
    assert settings.fitness_training.time_steps is None
    assert settings.validation_training.time_steps is None


@pytest.mark.parametrize("given", [{"epochs": 1}, {"epochs": 3, "screen_epochs": 1}])
def test_a_family_of_two_stages_is_refused_one_epoch_before_it_simulates(given, tmp_path):
    settings = DiscoverySettings(family="two-step", learn=("link",), **given)
    with pytest.raises(ValueError, match="needs at least 2 epochs, not 1"):
        search.discover(settings, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_par_of_a_column_is_its_best_rivals_mean_and_at_least_the_worse_agents():
    bench = Fixed(DiscoverySettings(variants=("base",)), [])
    budget = Budget(8, None, 2)
    rivals = [objectives.get("1s-mpo", beta=beta) for beta in (0.1, 0.4)]
    assert bench.par([], [0], budget, 0) == 0.0
    np.testing.assert_allclose(bench.par(rivals, [0, 1], budget, 0), [0.4])
    bench.worse = 0.5
    np.testing.assert_allclose(bench.par(rivals, [0, 1], budget, 0), [0.0])


def test_antithetic_pairs_share_their_seed(two_agents):
    class Only(search._Search):
        def __init__(self, settings, pairs):
            self.settings = settings
            self.strategy = type("Pairs", (), {"pairs": pairs})()

    shared = Only(tiny(two_agents), True)._seeds(3, 6)
    assert len(set(shared)) == 1
    paired = Only(tiny(two_agents, shared_seed=False), True)._seeds(3, 6)
    assert paired[:3] == paired[3:]
    assert len(set(paired)) == 3
    assert not set(paired) & set(Only(tiny(two_agents, shared_seed=False), True)._seeds(4, 6))
    assert len(set(Only(tiny(two_agents, shared_seed=False), False)._seeds(3, 6))) == 6


@pytest.mark.slow
def test_the_fitness_of_a_population_does_not_depend_on_the_number_of_devices(two_agents, better):
    settings = tiny(two_agents, better)
    script = (
        "import json, sys, numpy as np\n"
        "from tests import point_task\n"
        "from mirrorpo.runtime.devices import use_all_cores\n"
        "use_all_cores(int(sys.argv[1]))\n"
        "from mirrorpo.discovery.fitness import Bench\n"
        "from mirrorpo.discovery.ground import Budget\n"
        "from mirrorpo.discovery.settings import DiscoverySettings\n"
        "from mirrorpo import objectives\n"
        "s = DiscoverySettings(**json.loads(sys.argv[2]))\n"
        "given = [objectives.get('1s-mpo', beta=b, aggregation='mean') for b in (0.5, 1.0, 2.0)]\n"
        "bench = Bench(s)\n"
        "budget = Budget(8, s.fitness_training, 4)\n"
        "score = bench.score(given, [1, 2, 3], budget, bench.draws(5))\n"
        "print(json.dumps(score.returns.tolist()))\n"
    )
    arguments = json.dumps(vars(settings))
    found = [
        subprocess.run(
            [sys.executable, "-c", script, str(devices), arguments],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            env={**os.environ, "JAX_DISABLE_MOST_OPTIMIZATIONS": "0"},
        ).stdout.splitlines()[-1]
        for devices in (1, 2, 3)
    ]
    assert found[1] == found[2]
    # XLA compiles for a single device to other last digits.
    np.testing.assert_allclose(json.loads(found[0]), json.loads(found[1]), rtol=1e-4)
