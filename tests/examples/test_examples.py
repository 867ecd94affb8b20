"""The examples run, at sizes smaller than their own."""

import importlib.util
import math
import threading
from pathlib import Path

import pytest
from PIL import Image

from mirrorpo import objectives
from mirrorpo.discovery import artefact
from tests import point_task

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
def light(monkeypatch, tmp_path):
    """A point on a line in place of Hopper, which takes no minutes to compile."""
    point_task.stand_in_for_hopper(monkeypatch, tmp_path)


@pytest.mark.usefixtures("light")
def test_own_objective_on_the_bench(tmp_path):
    sizes = {"rows": 8, "seeds": 1, "epochs": 6, "time_steps": 4, "episodes": 2}
    table = load("own_objective_on_the_bench").main(tmp_path / "run", **sizes)
    assert "my_loss.py:SoftLPO" in table
    assert "noisy:0.3" in table


@pytest.mark.slow  # the notebook's story, in tests/front, discovers and plots too
@pytest.mark.usefixtures("light")
def test_discover_and_plot(tmp_path):
    sizes = {"rows": 8, "validation_rows": 8, "generations": 1, "population": 2, "episodes": 2}
    pictures = load("discover_and_plot").main(tmp_path / "run", validation_episodes=2, **sizes)
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


def test_judge_server_judges_by_its_models_own_log_probs(tmp_path):
    for package in ("trl", "alpaca_eval"):
        pytest.importorskip(package, reason="the extra llm is not installed")
    from mirrorpo.language.judging import comparison, settings
    from mirrorpo.language.judging.answers import Pair
    from mirrorpo.language.judging.store import Store

    pairs = [Pair(f"Question {n}?", f"first answer {n}", f"second answer {n}") for n in range(6)]
    calls = []
    with load("judge_server").JudgeServer("smoke") as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        own = server.log_probs

        def noted(messages):
            found = own(messages)
            calls.append((messages[-1]["content"], found))
            return found

        server.log_probs = noted
        endpoint = f"http://127.0.0.1:{server.server_port}/v1"
        judge = settings.ModelJudge(model="smoke", endpoint=endpoint, retries=1)
        found = comparison.verdicts(judge, pairs, Store(tmp_path / "calls.jsonl"))
        server.shutdown()
    assert len(calls) == len(pairs)
    assert not found.reasons
    for pair, preference in zip(pairs, found.preferences, strict=True):
        ((text, given),) = (call for call in calls if pair.instruction in call[0])
        # The candidate is m where it is shown first.
        names = ("m", "M") if text.index(pair.candidate) < text.index(pair.baseline) else ("M", "m")
        odds = given[names[0]] - given[names[1]]
        assert preference == pytest.approx(1 / (1 + math.exp(-odds)), abs=1e-6)
    assert len({round(value, 6) for value in found.preferences}) > 2
