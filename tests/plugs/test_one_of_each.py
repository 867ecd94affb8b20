"""One of each kind from a file outside the package: nothing of MirrorPO's is changed for it."""

import dataclasses
import importlib.util
import math
import textwrap

import jax
import numpy as np
import pytest

import mirrorpo as mpo
from mirrorpo import objectives, variants
from mirrorpo.agents import agent_files
from mirrorpo.agents.agent_files import AgentCard
from mirrorpo.discovery import strategy
from mirrorpo.discovery.settings import DiscoverySettings
from mirrorpo.execution import executor
from mirrorpo.objectives import PairLogProbs, component
from mirrorpo.preferences import data
from mirrorpo.reporting import export_figures, figures
from mirrorpo.reporting.page import reading
from mirrorpo.simulation import evaluation, policy_kinds, tasks
from mirrorpo.simulation.policy import new_policy
from mirrorpo.training_settings import TrainSettings
from tests import point_task
from tests.reporting.bench_folders import real_lines, write_bench

REGISTRIES = (
    *(component._registry, tasks._REGISTRY, variants._FAULTS, strategy._MAKERS),
    *(executor._OPENERS, policy_kinds._KINDS, figures._FIGURES),
)


@pytest.fixture
def plug(tmp_path, monkeypatch):
    """Runs the text of a file that adds something; what it added is gone after the test."""
    kept = [{key: dict(v) if isinstance(v, dict) else v for key, v in one.items()}
            for one in REGISTRIES]  # fmt: skip

    def add(text):
        path = tmp_path / "plug.py"
        path.write_text(textwrap.dedent(text))
        spec = importlib.util.spec_from_file_location("plug", path)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(__import__("sys").modules, "plug", module)
        spec.loader.exec_module(module)
        return module

    yield add
    for registry, before in zip(REGISTRIES, kept, strict=True):
        registry.clear()
        registry.update(before)


def synthetic_pool(rows=400):
    """Trajectories of one step whose returns are 100 of the better source and 0 of the worse."""
    draw = np.random.default_rng(0)
    returns = np.tile(np.array([100.0, 100.0, 0.0, 0.0], np.float32), rows)
    trajectories = data.Trajectories(
        observations=draw.normal(size=(4 * rows, 1, 2)).astype(np.float32),
        actions=draw.uniform(-1, 1, (4 * rows, 1, 1)).astype(np.float32),
        length=np.ones(4 * rows, np.int32),
        returns=returns,
        agent=np.tile(np.array([0, 0, 1, 1], np.int32), rows),
        start=np.repeat(np.arange(rows, dtype=np.int32), 4),
    )
    return data.Pool(trajectories, {"task": "point"})


def test_a_loss(plug):
    plug(
        """
        from dataclasses import dataclass
        from typing import ClassVar
        from mirrorpo.objectives import Objective, number

        @dataclass(frozen=True, kw_only=True)
        class Steep(Objective):
            name: ClassVar[str] = "steep"
            slope: float = number(2.0, above=0)

            def loss(self, batch, progress):
                return self.slope * (batch.rejected - batch.chosen)
        """
    )
    assert "steep" in objectives.available()
    loss = mpo.objective("steep[slope=3]")
    np.testing.assert_allclose(loss(PairLogProbs(np.array([-1.0]), np.array([-3.0]))), [-6.0])


def test_a_task(plug):
    plug(
        """
        from brax import envs
        from mirrorpo.simulation import tasks
        from tests.point_task import Point

        class Slope(Point):
            def step(self, state, action):
                after = super().step(state, action)
                return after.replace(reward=after.reward - 2.0)

        envs.register_environment("slope", Slope)
        tasks.register("slope", "slope", backend="positional")
        """
    )
    assert "slope" in tasks.available()
    steep, flat = (mpo.tasks.load(name, episode_length=3) for name in ("slope", point_task.NAME))
    stepped = [task.step(task.reset(jax.random.key(0)), np.ones(1)) for task in (steep, flat)]
    assert float(stepped[0].reward) == pytest.approx(float(stepped[1].reward) - 2.0)


def test_a_variant_of_the_data(plug):
    plug(
        """
        from dataclasses import dataclass
        from typing import ClassVar
        from mirrorpo import variants

        @variants.register
        @dataclass(frozen=True)
        class FirstWins(variants.Fault):
            '''A judge who prefers the first of two with probability `share`, whatever they are.'''

            name: ClassVar[str] = "first-wins"
            example: ClassVar[str] = "first-wins:0.2"
            share: float = 0.0

            def wins(self, wins, draws):
                return wins | (draws.own.random(len(wins)) < self.share)
        """
    )
    pool = synthetic_pool()
    wrong = {
        text: data.label(pool, text, 0).flipped.mean()
        for text in ("base", "first-wins:0.5", "noisy:0.2+first-wins:1")
    }
    assert wrong["base"] == 0.0
    assert abs(wrong["first-wins:0.5"] - 0.25) < 0.07
    assert abs(wrong["noisy:0.2+first-wins:1"] - 0.5) < 0.08
    assert str(variants.parse("first-wins:0.5 + noisy:0.2")) == "noisy:0.2+first-wins:0.5"
    with pytest.raises(ValueError, match=r"first-wins needs a number, as in first-wins:0\.2"):
        variants.parse("first-wins")
    with pytest.raises(ValueError, match=r"first-wins:SHARE, joined"):
        variants.parse("first-loses")


def test_a_strategy(plug):
    plug(
        """
        import numpy as np
        import jax
        from dataclasses import dataclass
        from mirrorpo.discovery import strategy

        @dataclass(frozen=True)
        class Climb:
            '''Goes to the best of its vectors.'''

            population: int
            sigma: float
            pairs: bool = False

            def start(self, mean):
                return np.asarray(mean)

            def ask(self, key, state):
                steps = jax.random.normal(key, (self.population, len(state)))
                return state + self.sigma * np.asarray(steps), state

            def tell(self, state, population, fitness):
                return population[np.nanargmax(fitness)]

            def mean(self, state):
                return state

            def spread(self, state):
                return self.sigma

        @strategy.register("climb")
        def climb(settings, size):
            return Climb(settings.population, settings.sigma)
        """
    )
    settings = DiscoverySettings(strategy="climb", population=32, sigma=0.2)
    made = strategy.make(settings, 2)
    state = made.start(np.zeros(2))
    for generation in range(30):
        population, state = made.ask(jax.random.key(generation), state)
        state = made.tell(state, population, -np.sum((population - 1.0) ** 2, axis=1))
    np.testing.assert_allclose(made.mean(state), 1.0, atol=0.2)
    with pytest.raises(ValueError, match="open-es, snes, cma-es, climb, not 'clim'"):
        DiscoverySettings(strategy="clim")


def test_a_place_where_work_runs(plug):
    plug(
        """
        from contextlib import contextmanager
        from mirrorpo.execution import executor

        class Desk:
            def __init__(self, at):
                self.at = at

            @contextmanager
            def workers(self, supply):
                yield executor.Alone(supply)

        @contextmanager
        def desk(rest):
            yield Desk(rest)

        executor.register("desk", desk)
        """
    )
    with executor.workplace("desk:window") as place:
        assert place.at == "window"
    with executor.workplace("desk") as place:
        assert place.at == ""
    with pytest.raises(ValueError, match="cannot be named 'local'"):
        executor.register("local", lambda rest: None)


def test_a_kind_of_policy(plug, tmp_path):
    plug(
        """
        import jax
        import jax.numpy as jnp
        from flax import linen as nn
        from mirrorpo.simulation import policy_kinds

        class UniformActor(nn.Module):
            '''Draws within 1 of a centre.'''

            outputs: int
            hidden: tuple = (8,)

            def setup(self):
                self.layers = [nn.Dense(size) for size in self.hidden]
                self.centre = nn.Dense(self.outputs)

            def mode(self, observation):
                for layer in self.layers:
                    observation = nn.tanh(layer(observation))
                return self.centre(observation)

            __call__ = mode

            def sample(self, observation, key):
                centre = self.mode(observation)
                return centre + jax.random.uniform(key, centre.shape, minval=-1.0, maxval=1.0)

            def log_prob(self, observation, action):
                # Smooth, so that training has a gradient.
                return -jnp.sum((action - self.mode(observation)) ** 2, axis=-1)

            def log_agreement(self, observation):
                return -jnp.sum(0 * self.mode(observation), axis=-1)

            def entropy(self, observation):
                return self.outputs * jnp.log(2.0)

        policy_kinds.register(
            policy_kinds.PolicyKind(
                "uniform", last="centre", actor=lambda size, hidden, std, limit:
                UniformActor(size, hidden),
            )
        )
        """
    )
    made = new_policy(jax.random.key(0), 1, np.zeros(2, "f4"), np.ones(2, "f4"), (8,),
                      kind="uniform")  # fmt: skip
    assert (made.kind.name, made.action_size, made.choices) == ("uniform", 1, None)
    seen = np.ones((50, 2), "f4")
    drawn, middle = made.act(seen, jax.random.key(1)), made.act(seen, None)
    assert 0.5 < float(np.abs(drawn - middle).max()) <= 1.0

    card = AgentCard("own", point_task.NAME, "positional", 0, 1, 100, 0, 60, 0)
    agent_files.save(tmp_path / "own", made, card)
    again, _ = agent_files.load(tmp_path / "own.safetensors")
    np.testing.assert_array_equal(again.act(seen, None), middle)

    stacked = jax.tree.map(lambda leaf: leaf[None], again)
    task = tasks.load(point_task.NAME, episode_length=4)
    assert np.isfinite(evaluation.returns(stacked, task, 2)).all()

    from mirrorpo.training import learner

    pairs = data.label(synthetic_pool(rows=8), "base", 0)
    settings = TrainSettings(epochs=2, minibatch=8, std="learned")
    trained = learner.train(
        mpo.objective("cpo"), pairs, settings=settings, start=again, seeds=[0]
    ).policies
    assert trained.kind.name == "uniform"
    moved = np.abs(np.asarray(trained.parameters["params"]["centre"]["kernel"])[0]
                   - np.asarray(made.parameters["params"]["centre"]["kernel"]))  # fmt: skip
    assert 0 < moved.max() < math.inf


def test_a_plot(plug, tmp_path):
    plug(
        """
        from mirrorpo.reporting import figures
        from mirrorpo.reporting.page.benches import BenchPart
        from mirrorpo.reporting.picture import Picture

        @figures.register(BenchPart, "seconds")
        def seconds(bench):
            figure = Picture(figsize=(2, 2))
            figure.subplots().hist(bench.run.agents.train_seconds)
            return figure
        """
    )
    agents = [line for line in real_lines() if line["agent"]["variant"] == "base"]
    write_bench(tmp_path / "run", agents[:6], seeds=3)
    parts = reading.read([tmp_path / "run"])
    export_figures._of_part(parts.benches[0], "run", tmp_path)
    for name in ("run-seconds.png", "run-seconds.svg", "run-agents.png"):
        assert (tmp_path / name).stat().st_size > 500


def test_a_name_that_is_taken_is_refused():
    fault = dataclasses.make_dataclass("Taken", [], bases=(variants.Fault,), frozen=True)
    fault.name = "noisy"
    kind = policy_kinds.PolicyKind("other", last="mean", actor=lambda *given: None)
    for add in (
        lambda: variants.register(fault),
        lambda: strategy.register("snes"),
        lambda: policy_kinds.register(kind),
        lambda: tasks.register("hopper", "hopper", "positional"),
        lambda: figures.register(figures.BenchPart, "agents"),
    ):
        with pytest.raises(ValueError):
            add()
