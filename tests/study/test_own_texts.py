"""The bench on a user's own model, prompts and reward, from files to a table."""

import json

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("torch")
pytest.importorskip("trl")
pytest.importorskip("vaderSentiment")

import torch

import mirrorpo as mpo
from mirrorpo import variants
from mirrorpo.cli import main
from mirrorpo.language.text_task.pool import ContinuationPool
from mirrorpo.reporting import written
from mirrorpo.reporting.page import reading
from tests.language import tiny_reviews, tiny_rewards

TINY = {
    "variants": "base",
    "algorithms": "dpo[beta=1]",
    "seeds": 1,
    "data_draws": 1,
    "episodes": 6,
    "max_new_tokens": 6,
    "best_of": 2,
    "target_steps": 2,
    "steps": 2,
    "minibatch": 4,
    "lora_r": 2,
}
REWARD = """
def score(prompts, completions):
    assert all(isinstance(prompt, str) for prompt in prompts)
    return [sum(map(ord, text)) % 97 / 1000 for text in completions]
"""


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    for name in ("HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY"):
        monkeypatch.setenv(name, "1")
    torch.set_num_threads(1)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_reward.py").write_text(REWARD)
    rows = [{"prompt": f"The truth about {thing} is that"} for thing in THINGS]
    (tmp_path / "prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


THINGS = [f"{word} {kind}" for word in ("the new", "this old") for kind in "abcdefgh"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_reviews.write(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def chat_model(tmp_path_factory):
    return tiny_rewards.write_chat_model(tmp_path_factory.mktemp("chat"))


def words(**given):
    """The command of a tiny bench on texts; what is None is left out."""
    values = {
        **TINY,
        "task": "text",
        "prompts": "prompts.jsonl",
        "reward": "my_reward.py:score",
        "out": "run",
        "cache": "cache",
        **given,
    }
    options = [(f"--{name.replace('_', '-')}", value) for name, value in values.items()]
    return ["bench", *(str(word) for pair in options if pair[1] is not None for word in pair)]


def read_lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def refused(capfd, **given):
    """What a command says that ends in exit code 2 and leaves nothing behind."""
    capfd.readouterr()
    with pytest.raises(SystemExit) as stop:
        main(words(**given))
    assert stop.value.code == 2
    return capfd.readouterr().err


def test_a_function_of_the_users_goes_all_the_way_to_a_table_and_a_report(model, tmp_path, capfd):
    main(words(model=model))
    said = " ".join(capfd.readouterr().out.split())
    assert "better: target" in said
    assert "Mean reward, 6 continuations of test prompts" in said
    (agent,) = pd.read_csv("run/results.csv").to_dict("records")
    kept = read_lines(tmp_path / "run/samples/original.jsonl")
    expected = [sum(map(ord, row["text"])) % 97 / 1000 for row in kept]
    assert [row["reward"] for row in kept] == pytest.approx(expected)
    assert 0 <= agent["return_mean"] < 0.1
    table = (tmp_path / "run/table.md").read_text()
    assert f"{agent['return_mean']:.4f}" in table  # a small unit has digits enough

    # What is scored on was never trained on.
    (pool,) = (tmp_path / "cache").glob("*/pool-0.json")
    trained, scored = set(json.loads(pool.read_text())["prompts"]), {row["prompt"] for row in kept}
    assert (len(trained), len(scored)) == (13, 3)
    assert trained | scored == {f"The truth about {thing} is that" for thing in THINGS}

    settings = json.loads((tmp_path / "run/config.json").read_text())
    assert settings["settings"]["reward"] == "my_reward.py:score"
    assert (settings["settings"]["rows"], settings["settings"]["test_prompts"]) == (13, 3)
    assert set(settings["contents"]) >= {"prompts.jsonl", "my_reward.py:score"}

    main(words(model=model))  # is finished: nothing is trained again
    assert len(pd.read_csv("run/results.csv")) == 1

    # A run folder is data: a report runs none of the code that it names.
    (tmp_path / "my_reward.py").write_text("raise SystemError('it ran')")
    parts = reading.read([tmp_path / "run"])
    written.attempt(parts)
    part = parts.benches[0]
    assert part.quantities.score == "reward"
    assert f"{agent['return_mean']:.4f}" in part.measured[0].rows[2][1][0]
    (tmp_path / "my_reward.py").write_text(REWARD.replace("97", "89"))
    assert "another content of my_reward.py:score" in refused(capfd, model=model)


def test_a_reward_model_scores_answers_to_conversations(chat_model, tmp_path):
    folder = tiny_rewards.write_reward_model(tmp_path / "reward")
    rows = [{"messages": [{"role": "user", "content": f"Say {number}."}]} for number in range(12)]
    pd.DataFrame(rows).to_parquet(tmp_path / "chat.parquet")
    result = mpo.bench(
        task="text",
        model=chat_model,
        prompts=tmp_path / "chat.parquet",
        reward=tmp_path / "reward",
        out=tmp_path / "run",
        cache=tmp_path / "cache",
        **TINY,
    )
    assert list(result.table.algorithm) == ["dpo[beta=1]"]
    assert np.isfinite(result.table["mean"]).all()
    (pool,) = (tmp_path / "cache").glob("*/pool-0.json")
    asked = json.loads(pool.read_text())["prompts"]
    assert all(text.startswith("<|im_start|>user\nSay ") for text in asked)
    assert all(text.endswith("<|im_end|>\n<|im_start|>assistant\n") for text in asked)
    kept = read_lines(tmp_path / "run/samples/target.jsonl")
    assert all(row["prompt"].startswith("Say ") for row in kept)
    held = json.loads((tmp_path / "run/config.json").read_text())["contents"]
    assert {f"{folder}/config.json", f"{folder}/model.safetensors"} <= set(held)


def test_the_judge_sees_rewards_of_any_unit_alike():
    rewards = np.random.default_rng(0).normal(size=(50, 2, 2))
    fault = variants.parse("bad-judge:20")
    first = ContinuationPool([], [], 40 * rewards).draw(fault, 0)
    for unit in (0.01, 300.0):
        again = ContinuationPool([], [], unit * rewards, 40 / unit).draw(fault, 0)
        np.testing.assert_array_equal(again, first)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("return [0.0]", "must return one number per completion, a list of 2, not of 1"),
        ("return [float('nan')] * len(completions)", "returned nan for the completion"),
        ("raise RuntimeError('no\\nway')", "RuntimeError: no way"),
        ("return ['good'] * len(completions)", "returned the text 'good'"),
        ("return [0.5] * len(completions)", "is 0.5 for all 26 completions"),
        (None, "my_reward.py has no function 'score'. Did you mean other?"),
    ],
)
def test_a_bad_function_is_one_line_and_leaves_nothing(code, said, model, tmp_path, capfd):
    name = "score" if code else "other"
    (tmp_path / "my_reward.py").write_text(f"def {name}(prompts, completions):\n    {code}\n")
    line = refused(capfd, model=model)
    assert said in line
    assert len(line.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_bad_reward_models_and_templates_are_one_line_and_leave_nothing(
    model, chat_model, tmp_path, capfd
):
    chat = "".join(
        json.dumps({"messages": [{"role": "user", "content": f"Say {number}."}]}) + "\n"
        for number in range(12)
    )
    (tmp_path / "chat.jsonl").write_text(chat)
    two = tiny_rewards.write_reward_model(tmp_path / "two", labels=2)
    plain = tiny_rewards.write_reward_model(tmp_path / "plain", template=False)
    (tmp_path / "empty").mkdir()
    for given, said in (
        ({"reward": two}, "gives 2 logits per text"),
        ({"reward": "./empty"}, "The reward model ./empty cannot be loaded"),
        ({"reward": chat_model}, "no weights of a classifier's head"),
        (
            {"model": model, "prompts": "chat.jsonl", "reward": "opinion"},
            "model has no chat template",
        ),
        ({"reward": plain, "prompts": "chat.jsonl"}, "has no chat template to read it by"),
        ({"prompts": "none.jsonl"}, "There is no file of prompts at none.jsonl"),
        ({"rows": 40}, "There are 13 training prompts in prompts.jsonl: ask for 1 to 13, not 40"),
        ({"prompts": None}, "task text needs prompts"),
        ({"prompts": None, "reward": None}, "task text needs prompts and reward"),
    ):
        line = refused(capfd, **{"model": chat_model, **given})
        assert said in line
        lines = [one for one in line.strip().splitlines() if "Loading weights" not in one]
        assert len(lines) == 1, line
        assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"task": "hopper", "prompts": "a.txt"}, "prompts: not for task hopper.*name text as"),
        ({"task": "reviews", "prompts": "a.txt"}, "prompts: not for task reviews.*name text as"),
        ({"task": "reviews", "reward": "opinion"}, "reward: not for task reviews.*name text as"),
        ({"task": "hopper", "prompts": "a", "reward": "b"}, "prompts, reward: not for task hopper"),
        ({"task": "text", "epochs": 3}, "epochs: not for task text.*name a robot as the task"),
    ],
)
def test_options_that_do_not_fit_together_are_refused_in_one_line(given, said):
    with pytest.raises(ValueError, match=said) as caught:
        mpo.bench(**given)
    assert "\n" not in str(caught.value)


def test_the_reviews_prompts_may_have_another_reward(model, tmp_path):
    given = {**TINY, "rows": 6, "test_prompts": 3}
    result = mpo.bench(
        task="text",
        model=model,
        prompts="reviews",
        reward="opinion",
        cache=tmp_path / "cache",
        **given,
    )
    assert np.isfinite(result.table["mean"]).all()
    assert result.settings["rows"] == 6
