"""A Ray cluster gives what this process gives, loses no run with a worker, and says what it lacks.

The cluster is real: two workers of one core each, every address on 127.0.0.1.
"""

import os
import signal
import socket
import time

import numpy as np
import pytest

from mirrorpo import objectives
from mirrorpo.cli import main
from mirrorpo.discovery.fitness import Bench
from mirrorpo.discovery.ground import Budget
from mirrorpo.discovery.settings import DiscoverySettings
from mirrorpo.execution import executor, ray_cluster
from mirrorpo.study import bench
from mirrorpo.study.settings import BenchSettings
from mirrorpo.user_text import UserText
from tests import point_task
from tests.reliability.ray_faults import workers_of

pytest.importorskip("ray")

DEADLY_ONCE = '''
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from mirrorpo.objectives import Objective


@dataclass(frozen=True, kw_only=True)
class DeadlyOnce(Objective):
    """Kills the first worker that trains with it, as a machine that breaks would."""

    name: ClassVar[str] = "deadly-once"

    def loss(self, batch, progress):
        mark = Path("MARK")
        if os.getpid() != DRIVER and not mark.exists():
            mark.write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)
        return batch.rejected - batch.chosen


@dataclass(frozen=True, kw_only=True)
class DeadlyAlways(Objective):
    """Kills each worker that trains with it, as too many agents for its memory would."""

    name: ClassVar[str] = "deadly-always"

    def loss(self, batch, progress):
        if os.getpid() != DRIVER:
            os.kill(os.getpid(), signal.SIGKILL)
        return batch.rejected - batch.chosen


@dataclass(frozen=True, kw_only=True)
class Wrong(Objective):
    """A mistake that shows only on a worker."""

    name: ClassVar[str] = "wrong"

    def loss(self, batch, progress):
        if os.getpid() != DRIVER:
            raise TypeError("this loss has a mistake")
        return batch.rejected - batch.chosen
'''


@pytest.fixture(scope="module")
def cluster():
    with pytest.MonkeyPatch.context() as patch:
        # Ray's workers give way to everything else on a machine, other tests too.
        patch.setenv("RAY_worker_niceness", "0")
        # Programs as a user's workers compile them: only those have the same last digits whatever
        # the number of agents in an order.
        patch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "0")
        with executor.workplace("local:2") as place:
            yield place


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def users_file(tmp_path):
    path = tmp_path / "mine.py"
    text = DEADLY_ONCE.replace("MARK", str(tmp_path / "mark")).replace("DRIVER", str(os.getpid()))
    # Every test's file has names of its own: two files may not define one objective.
    path.write_text(
        text.replace("deadly-", f"deadly-{tmp_path.name}-").replace(
            '"wrong"', f'"wrong-{tmp_path.name}"'
        )
    )
    return path


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    """A light task from a file, which each worker loads for itself."""
    path = tmp_path_factory.mktemp("task") / "mass.py"
    path.write_text("from tests.point_task import Point\n\n\ndef make():\n    return Point()\n")
    return UserText(f"{path}:make")


@pytest.fixture(scope="module")
def point_agents(tmp_path_factory):
    return point_task.write_agents(tmp_path_factory.mktemp("agents"))


def tiny(task, two_agents, *algorithms):
    return BenchSettings(
        task=task,
        variants=("base",),
        algorithms=algorithms,
        seeds=2,
        rows=8,
        epochs=2,
        time_steps=8,
        episodes=4,
        better=str(two_agents[0]),
        worse=str(two_agents[1]),
        data_draws=1,
        allow_short=True,
    )


def rows(folder):
    """The lines of results.csv without their last columns, the seconds."""
    lines = (folder / "results.csv").read_text().splitlines()
    seconds = [lines[0].split(",").index(name) for name in ("train_seconds", "evaluate_seconds")]
    return [
        [x for place, x in enumerate(line.split(",")) if place not in seconds] for line in lines
    ]


def test_a_bench_on_two_workers_of_which_one_is_killed_has_the_table_of_this_process(
    optimised, task, point_agents, tmp_path, cache, cluster, users_file
):
    settings = tiny(task, point_agents, "sft", UserText(f"{users_file}:DeadlyOnce"))
    log, _ = bench.run(settings, tmp_path / "ray", place=cluster, cache=cache)
    assert len(log) == 4
    killed = int((tmp_path / "mark").read_text())
    assert killed != os.getpid()
    assert not os.path.exists(f"/proc/{killed}") or killed_is_zombie(killed)
    bench.run(settings, tmp_path / "here", cache=cache)
    assert rows(tmp_path / "ray") == rows(tmp_path / "here")


def killed_is_zombie(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0] == "Z"


def test_a_mistake_in_a_users_loss_is_told_as_it_is(
    task, point_agents, tmp_path, cache, cluster, users_file
):
    settings = tiny(task, point_agents, UserText(f"{users_file}:Wrong"))
    with pytest.raises(TypeError, match=r"^this loss has a mistake"):
        bench.run(settings, tmp_path / "run", place=cluster, cache=cache)


def test_agents_that_kill_every_worker_end_the_run(
    task, point_agents, tmp_path, cache, cluster, users_file, monkeypatch
):
    monkeypatch.setattr(ray_cluster, "LOSSES_AN_ORDER", 2)
    settings = tiny(task, point_agents, UserText(f"{users_file}:DeadlyAlways"))
    with pytest.raises(ValueError, match=r"^2 workers were lost over the same agents"):
        bench.run(settings, tmp_path / "run", place=cluster, cache=cache)


@pytest.fixture(scope="module")
def scored(task, point_agents):
    """Three objectives' agents as a search trains and scores them, anywhere."""

    def settings(better):
        return DiscoverySettings(
            task=task,
            variants=("base", "noisy:0.3"),
            rows=8,
            epochs=2,
            time_steps=8,
            episodes=4,
            validation_rows=8,
            validation_episodes=4,
            better=str(point_agents[better]),
            worse=str(point_agents[1 - better]),
        )

    try:
        measured = Bench(settings(0))
    except ValueError:  # which of the two random agents is better is known only now
        measured = Bench(settings(1))
    given = [objectives.get("1s-mpo", beta=b, aggregation="mean") for b in (0.5, 1.0, 2.0)]
    budget = Budget(8, measured.settings.fitness_training, 4)
    return measured, lambda: measured.score(given, [1, 2, 3], budget, measured.draws(5))


def test_a_populations_fitness_is_the_same_on_two_workers_and_after_both_were_lost_while_idle(
    optimised, scored, cluster, monkeypatch
):
    monkeypatch.setattr(ray_cluster, "LOSSES_AN_ORDER", 1)  # so that one that counts would end it
    measured, score = scored
    here = score()
    with measured.at(cluster):
        there = score()
        lost = workers_of(os.getpid())
        for worker in lost:
            os.kill(worker, signal.SIGKILL)
        again = score()
        assert lost
        assert not set(lost) & set(workers_of(os.getpid()))
    assert np.isfinite(here.returns).all()
    for other in (there, again):
        assert np.array_equal(here.returns, other.returns)
        assert np.array_equal(here.fitness, other.fitness)


def test_workers_that_are_lost_in_a_row_end_the_run(scored, cluster, monkeypatch):
    monkeypatch.setattr(ray_cluster, "LOSSES_IN_A_ROW", 0.5)  # of two workers: one
    measured, score = scored
    with measured.at(cluster):
        score()
        for worker in workers_of(os.getpid()):
            os.kill(worker, signal.SIGKILL)
        with pytest.raises(ValueError, match=r"^Workers cannot start or stay .* 1 were lost in a"):
            score()


def unused_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.mark.parametrize("command", ["bench", "discover"])
def test_an_address_where_nothing_answers_is_one_line_and_code_2(capsys, tmp_path, command):
    began = time.monotonic()
    address = f"127.0.0.1:{unused_port()}"
    with pytest.raises(SystemExit) as stop:
        main([command, "--ray", address, "--out", str(tmp_path / "run")])
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert error.count("\n") == 1
    assert f"No Ray cluster at {address}" in error
    assert time.monotonic() - began < 60
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("address", ["local:0", "local:", "local:two", "ray://host:1", "head", ""])
def test_what_is_no_address_is_refused(address):
    with (
        pytest.raises(ValueError, match=r"local:N|no Ray address"),
        executor.workplace(address),
    ):
        pass


def test_without_ray_the_message_names_the_extra(monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(SystemExit) as stop:
        main(["bench", "--ray", "auto"])
    assert stop.value.code == 2
    assert "pip install 'mirrorpo[cluster]'" in capsys.readouterr().err
