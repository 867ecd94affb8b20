"""The examples run, at sizes smaller than their own."""

import importlib.util
from pathlib import Path

import pytest
from PIL import Image

from mirrorpo import objectives
from mirrorpo.discovery import artefact

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MIRRORPO_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def load(name):
    specification = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture
def sources(two_agents):
    return {"better": str(two_agents[0]), "worse": str(two_agents[1])}


def test_own_objective_on_the_bench(tmp_path, sources):
    sizes = {"rows": 8, "seeds": 1, "epochs": 6, "time_steps": 4, "episodes": 2}
    # Random agents fall at once.
    table = load("own_objective_on_the_bench").main(
        tmp_path / "run", allow_short=True, **sizes, **sources
    )
    assert "my_loss.py:SoftLPO" in table
    assert "noisy:0.3" in table


def test_discover_and_plot(tmp_path, sources):
    sizes = {"rows": 8, "validation_rows": 8, "generations": 1, "population": 2, "episodes": 2}
    discover = load("discover_and_plot").main
    try:
        pictures = discover(tmp_path / "run", validation_episodes=2, **sizes, **sources)
    except ValueError:  # the other of the two random agents is the better one
        turned = {"better": sources["worse"], "worse": sources["better"]}
        pictures = discover(tmp_path / "other", validation_episodes=2, **sizes, **turned)
    assert len(pictures) == 3
    for picture in pictures:
        with Image.open(picture) as image:
            assert min(image.size) > 200


@pytest.mark.parametrize("discovered", [False, True])
def test_trl_with_saved_objective(tmp_path, discovered):
    pytest.importorskip("trl", reason="the extra llm is not installed")
    path = artefact.find("hopper-all") if discovered else tmp_path / "orpo.json"
    if not discovered:
        objectives.save(objectives.get("orpo", weight=3.0), path)
    last = load("trl_with_saved_objective").main(str(path), out=str(tmp_path / "out"))
    assert last["step"] == 4
    assert (tmp_path / "out" / "model.safetensors").is_file()
