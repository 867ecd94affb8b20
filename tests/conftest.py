"""Two CPU devices for every test, compiled programs kept, and two small real agents."""

import gc
import os
import shutil
import signal
import tempfile
from pathlib import Path

# Before JAX is imported: it reads both when it starts, and so do the processes that tests start.
os.environ["JAX_NUM_CPU_DEVICES"] = "2"
os.environ.setdefault("MIRRORPO_CACHE", str(Path(tempfile.gettempdir()) / "mirrorpo-tests"))

# Most of the tests' time would go into compiling, so programs are compiled without optimisations;
# those whose last digits a test is about ask for the fixture `optimised`.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")

# Two processes work at a time, one a core: further threads would wait for a core, and spin.
for library in ("OMP", "OPENBLAS"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

# A shell that starts the tests in the background has them ignore these, and what they start too.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

import jax
import numpy as np
import pytest

from mirrorpo.agents.agent_files import AgentCard, save
from mirrorpo.runtime.start import start_jax
from mirrorpo.simulation import tasks
from mirrorpo.simulation.policy import new_policy
from tests.few_objectives import few_in_the_explorer

start_jax()

_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, _NAMES)), None)


def pytest_collection_finish():
    """What is imported stays: collecting garbage need not go through it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


@pytest.fixture(scope="module", autouse=True)
def programs_are_dropped():
    """Thousands of compiled programs in one process exhaust its memory maps, and it crashes."""
    yield
    jax.clear_caches()


@pytest.fixture
def optimised():
    """Programs as a user's process compiles them."""
    jax.clear_caches()
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", True)
    jax.clear_caches()


@pytest.fixture
def few_objectives():
    """The explorer of a page that the test makes offers few objectives."""
    with few_in_the_explorer():
        yield


@pytest.fixture
def offline_and_single_threaded(monkeypatch):
    """Hugging Face's hub is not asked, and PyTorch computes on one core."""
    import torch

    for name in ("HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY"):
        monkeypatch.setenv(name, "1")
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def hopper():
    """Hopper with short episodes."""
    return tasks.load("hopper", episode_length=60)


@pytest.fixture(scope="session")
def two_agents(tmp_path_factory):
    """Files of two random Hopper agents that differ."""
    folder = tmp_path_factory.mktemp("agents")
    paths = []
    for seed, name in enumerate(("first", "second")):
        policy = new_policy(jax.random.key(seed), 3, np.zeros(11, "f4"), np.ones(11, "f4"), (8,))
        card = AgentCard(name, "hopper", "positional", 100.0 - seed, 1.0, 100, 0, 1000, seed)
        save(folder / name, policy, card)
        paths.append(folder / f"{name}.safetensors")
    return tuple(paths)


@pytest.fixture(scope="session")
def chromium():
    """A headless browser."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(
            executable_path=CHROMIUM,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ],
        )
        yield browser
        browser.close()
