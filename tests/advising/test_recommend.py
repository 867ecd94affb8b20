"""Estimates of a dataset against what is known of it, and what is made of them."""

import json
import subprocess
import sys

import jax
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from mirrorpo.advising import (
    conditions,
    noise,
    pairs,
    reference,
    text_pairs,
    trajectory_pairs,
    words,
)
from mirrorpo.agents import agent_files
from mirrorpo.cli import main
from mirrorpo.preference_texts import reading
from mirrorpo.preference_texts.reading import from_rows
from mirrorpo.preferences import data
from mirrorpo.simulation import tasks

ROWS = 100
TOLERANCE = 0.08
"""Of the rate of wrong labels, of 100 pairs and one drawing of the labels."""


@pytest.fixture(scope="module", params=["made", pytest.param("simulated", marks=pytest.mark.slow)])
def pool(request):
    """Trajectories of Hopper's source agents: simulated, or at places that no physics made."""
    if request.param == "simulated":
        return data.simulate(tasks.load("hopper", episode_length=300), ROWS, 0)
    return made_pool()


def made_pool(steps=60):
    """What the source agents do where an even walk of observations takes them. The better one's
    walk is the shorter, so is each trajectory of a higher return."""
    draw = np.random.default_rng(0)
    agent = np.tile(np.repeat(np.int8([data.BETTER, data.WORSE]), 2), ROWS)
    skill = draw.standard_normal(len(agent))
    size = np.where(agent == data.BETTER, 0.5, 1.0) - 0.1 * skill
    observations, actions = [], []
    for which, name in enumerate(("hopper-expert", "hopper-bad")):
        policy, _ = agent_files.load(name)
        shape = (2 * ROWS, steps, policy.observation_size)
        walk = (
            np.cumsum(draw.standard_normal(shape), axis=1)
            / np.sqrt(np.arange(1, steps + 1))[:, None]
        )
        seen = policy.observation_mean + policy.observation_std * (
            walk * size[agent == which][:, None, None]
        )
        observations.append(np.asarray(seen, np.float32))
        actions.append(np.asarray(jax.jit(policy.act)(seen, jax.random.key(which))))
    order = np.argsort(np.argsort(agent, kind="stable"), kind="stable")
    trajectories = data.Trajectories(
        np.concatenate(observations)[order],
        np.concatenate(actions)[order],
        np.full(len(agent), steps, np.int32),
        np.float32(np.where(agent == data.BETTER, 2361.0, 802.0) + 30.0 * skill),
        agent,
        np.repeat(np.arange(ROWS, dtype=np.int32), 4),
    )
    return data.Pool(trajectories, {"task": "hopper", "rows": ROWS, "episode_length": steps})


def labelled(pool, variant, seed=0):
    dataset = data.label(pool, variant, seed)
    return dataset, conditions.estimate(trajectory_pairs.from_trajectories(dataset), seed)


def test_estimated_noise_is_near_the_true_noise_and_in_its_order(pool):
    rates = []
    for variant in ("base", "noisy:0.1", "noisy:0.3"):
        dataset, found = labelled(pool, variant)
        true = float(dataset.flipped.mean())
        assert abs(found.noise.rate - true) < TOLERANCE, variant
        assert found.noise.low - 0.01 <= true <= found.noise.high + 0.01, variant
        rates.append(found.noise.rate)
    assert rates == sorted(rates)
    assert rates[1] - rates[0] > 0.03
    assert rates[2] - rates[1] > 0.1


def test_a_weak_model_s_own_errors_are_not_taken_for_noise():
    draw = np.random.default_rng(0)
    margin = draw.standard_normal(3000) * 2
    margin /= np.median(np.abs(margin))
    agrees = draw.random(3000) < 1 / (1 + np.exp(-2.5 * np.abs(margin)))
    for rate in (0.0, 0.2):
        flipped = draw.random(3000) < rate
        seen = np.abs(margin) * np.where(agrees ^ flipped, 1, -1)
        found = noise.estimate(seen, "trajectories")
        assert found.disagreement > rate + 0.05
        assert abs(found.rate - rate) < 0.03


@pytest.mark.parametrize("right", [0.5, 0.6])
def test_a_model_that_hardly_predicts_gives_a_wide_interval_and_no_false_certainty(right):
    draw = np.random.default_rng(0)
    size = np.abs(draw.standard_normal(256))
    agrees = draw.random(256) < right
    found = noise.estimate(size / np.median(size) * np.where(agrees, 1, -1), "texts")
    # No label may be wrong, or 0.5 - right less than half of them.
    assert found.low < 0.05
    assert 0.4 - 0.5 * (right - 0.5) < found.high < 0.5


def test_mixed_quality_is_seen_as_pairs_of_nearly_equal_quality(pool):
    mixed = labelled(pool, "mixed-quality")[1].near_equal
    base = labelled(pool, "base")[1].near_equal
    assert base < 0.15
    assert 0.25 < mixed < 0.6


def test_exchanging_chosen_and_rejected_changes_the_margins_sign_alone(pool):
    dataset = data.label(pool, "base", 0)
    turned = data.PreferenceDataset(dataset.trajectories, dataset.rejected, dataset.chosen)
    there = noise.margins(trajectory_pairs.from_trajectories(dataset))
    back = noise.margins(trajectory_pairs.from_trajectories(turned))
    # The models that say so were trained on turned labels.
    np.testing.assert_allclose(there, back, rtol=1e-3, atol=1e-3)


def test_log_probs_of_a_policy_that_made_the_data_are_its_own(pool):
    dataset = data.label(pool, "base", 0, 10)
    policy, _ = agent_files.load("hopper-expert")
    found = reference.log_probs(dataset, policy)
    trajectories = dataset.trajectories
    for column, which in enumerate((dataset.chosen, dataset.rejected)):
        index = which[3]
        steps = trajectories.length[index]
        seen = policy.normalise(trajectories.observations[index, :steps])
        own = jax.vmap(lambda x, a: policy.log_prob(policy.parameters, x, a))(
            seen, trajectories.actions[index, :steps]
        )
        assert found[3, column] == pytest.approx(float(own.mean()), rel=1e-4)
    cover = conditions.coverage(found)
    assert cover.prefers_chosen > 0.9
    assert cover.chosen[1] > cover.rejected[1]


def texts(count=200, rate=0.0, seed=0):
    """Answers of which polite and long ones are chosen."""
    draw = np.random.default_rng(seed)
    words = ["stone", "river", "cloud", "paper", "engine", "garden", "window", "letter"]
    rows = []
    for number in range(count):
        plain, kind = (" ".join(draw.choice(words, draw.integers(4, 9))) for _ in range(2))
        good, bad = f"Thank you, gladly: {kind} and more", f"No. {plain}"
        chosen, rejected = (bad, good) if draw.random() < rate else (good, bad)
        rows.append({"prompt": f"question {number}", "chosen": chosen, "rejected": rejected})
    return rows


def of_texts(rows):
    return text_pairs.from_texts(from_rows(rows, "texts"))


@pytest.mark.parametrize("rate", [0.0, 0.2])
def test_noise_of_texts(rate):
    found = conditions.estimate(of_texts(texts(rate=rate)))
    assert abs(found.noise.rate - rate) < 0.08
    assert found.kind == "texts"
    assert (found.longer_chosen > 0.8) == (rate == 0.0)


@pytest.mark.parametrize("limit", ["MOST_MODELLED", "MOST_LETTERS"])
def test_labels_of_a_large_dataset_are_judged_from_some_of_its_pairs(limit, monkeypatch):
    rows = texts(600, rate=0.2)
    letters = sum(len(row["chosen"]) + len(row["rejected"]) for row in rows)
    monkeypatch.setattr(pairs, limit, 200 if limit == "MOST_MODELLED" else letters // 3)
    monkeypatch.setattr(pairs, "FEWEST_MODELLED", 50)
    found = of_texts(rows)
    assert len(found) == 600
    assert 190 <= len(found.modelled) == found.difference.shape[0] <= 210
    assert (np.diff(found.modelled) > 0).all()
    fitted = []
    facts = conditions.estimate(found, fitted=fitted.append)
    assert fitted == [1, 2, 3, 4, 5]
    assert facts.noise.low <= 0.2 <= facts.noise.high
    # What costs nothing is told of all pairs.
    longer = [len(row["chosen"].split()) - len(row["rejected"].split()) for row in rows]
    assert facts.longer_chosen == np.mean(np.array(longer)[np.array(longer) != 0] > 0)
    assert f"judged from {facts.modelled} of them" in words.about(facts)[0]


def test_pairs_whose_sides_are_the_same_are_no_labels(tmp_path):
    rows = texts(60)
    alike = [
        {**row, "rejected": row["chosen"], "prompt": f"again {n}"} for n, row in enumerate(rows)
    ]
    found = conditions.estimate(of_texts([*rows, *alike]))
    assert found.identical == 0.5
    assert found.near_equal >= 0.5
    # Neither right nor wrong: counted as labels, half of all would have a margin of nothing.
    assert found.noise.rate < 0.05
    assert found.noise.disagreement == conditions.estimate(of_texts(rows)).noise.disagreement
    with pytest.raises(ValueError, match="Only 20 of 80 pairs differ between chosen and rejected"):
        conditions.estimate(of_texts([*rows[:20], *alike]))


def test_advice_on_texts_starts_no_simulator(tmp_path):
    data = tmp_path / "data.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in texts(60)))
    code = (
        "import sys, mirrorpo as mpo; found = mpo.recommend(sys.argv[1]); "
        "assert found.lines; assert not {'jax', 'brax', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(data)], check=True, timeout=300)


@pytest.mark.parametrize("form", ["jsonl", "json", "csv", "parquet", "arrow", "messages"])
def test_texts_are_read_alike_from_every_format(tmp_path, form):
    rows = texts(60)
    expected = of_texts(rows)
    if form == "messages":
        rows = [
            {
                side: [
                    {"role": "user", "content": row["prompt"]},
                    {"role": "assistant", "content": row[side]},
                ]
                for side in ("chosen", "rejected")
            }
            for row in rows
        ]
    path = tmp_path / f"data.{form}"
    if form == "json":
        path.write_text(json.dumps(rows))
    elif form == "csv":
        pd.DataFrame(rows).to_csv(path, index=False)
    elif form == "parquet":
        pd.DataFrame(rows).to_parquet(path)
    elif form == "arrow":
        path = tmp_path / "saved"
        path.mkdir()
        table = pa.Table.from_pylist(rows)
        with pa.ipc.new_stream(path / "data-00000-of-00001.arrow", table.schema) as stream:
            stream.write_table(table)
    else:
        path = tmp_path / "data.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = text_pairs.from_texts(reading.read(path, reference=True))
    assert abs(found.difference - expected.difference).max() == 0
    np.testing.assert_array_equal(found.group, expected.group)


def test_the_command_says_what_it_found(tmp_path, capsys, pool):
    data.label(pool, "noisy:0.1", 0).save(tmp_path / "data.safetensors")
    out = tmp_path / "found.json"
    arguments = ["--policy", "hopper-expert", "--out", str(out)]
    main(["recommend", str(tmp_path / "data.safetensors"), *arguments])
    text = capsys.readouterr().out
    assert "100 pairs of trajectories" in text
    assert "its probability of being the best" in " ".join(text.split())
    document = json.loads(out.read_text())
    assert document["coverage"]["prefers_chosen"] > 0.5
    assert list(document["recommendations"]) == ["Robots"]
    first = document["recommendations"]["Robots"]["ranking"][0]
    assert f'mirrorpo train "{first["text"]}" --data' in " ".join(text.split())
    assert document["recommendations"]["Robots"]["nearest"]["cell"]["variant"] in text


def test_for_texts_the_evidence_of_a_language_model_comes_first_and_apart(tmp_path, capsys):
    path = tmp_path / "data.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in texts()))
    main(["recommend", str(path), "--out", str(tmp_path / "found.json")])
    text = " ".join(capsys.readouterr().out.split())
    assert text.index("A small language model, on plain-english, reviews:") < text.index(
        "Robots, on"
    )
    assert "has 1.6 million parameters" in text
    assert text.count("mirrorpo align") == 1
    assert f'mirrorpo align RECIPE --set objective="{words.HELD_ON_TEXTS}"' in text
    found = json.loads((tmp_path / "found.json").read_text())["recommendations"]
    assert found["A small language model"]["tasks"] == ["plain-english", "reviews"]
    assert found["Robots"]["tasks"] == ["hopper", "tla", "walker2d"]


def test_a_table_of_the_user_s_own_benches_counts_in_place_of_all_evidence(tmp_path, capsys):
    path, own = tmp_path / "data.jsonl", tmp_path / "results.csv"
    path.write_text("".join(json.dumps(row) + "\n" for row in texts()))
    rows = ["task,variant,algorithm,hyperparameters,agents,normalised,normalised_error,run"]
    for name, values, score in (("slic", '"{""delta"": 5.0}"', 0.9), ("dpo", "{}", 0.2)):
        rows.append(f"reviews,base,{name},{values},3,{score},0.1,mine")
    own.write_text("\n".join(rows) + "\n")
    main(["recommend", str(path), "--results", str(own), "--out", str(tmp_path / "own.json")])
    text = " ".join(capsys.readouterr().out.split())
    assert "Your benches, on reviews:" in text
    assert 'mirrorpo align RECIPE --set objective="slic[delta=5' in text
    found = json.loads((tmp_path / "own.json").read_text())["recommendations"]
    assert [one["algorithm"] for one in found["Your benches"]["ranking"]] == ["slic", "dpo"]


@pytest.mark.parametrize("conversation", [False, True])
def test_a_model_s_scores_are_its_own_losses(conversation, tmp_path):
    pytest.importorskip("trl", reason="the extra llm is not installed")
    from mirrorpo.language.models import pair_scores, stand_ins
    from mirrorpo.language.trl_names import torch

    rows = texts(5)
    name, begin, middle, end = stand_ins.NAME, "", "", ""
    if conversation:
        asked = {"role": "user", "content": "a question"}
        for row in rows:
            del row["prompt"]
            for side in ("chosen", "rejected"):
                row[side] = [asked, {"role": "assistant", "content": row[side]}]
        name, begin, middle, end = str(tmp_path), "<u>", "</u><a>", "</a>"
        asking = stand_ins.tokenizer()
        asking.chat_template = (
            "{% for m in messages %}{% set letter = m.role[0] %}"
            "<{{ letter }}>{{ m.content }}</{{ letter }}>{% endfor %}"
            "{% if add_generation_prompt %}<a>{% endif %}"
        )
        asking.save_pretrained(tmp_path)
        stand_ins.model().save_pretrained(tmp_path)
    found = pair_scores.mean_log_probs(name, from_rows(rows, "texts").rows)
    assert found.shape == (5, 2)
    model, tokenizer = stand_ins.model().eval(), stand_ins.tokenizer()
    prompt = "a question" if conversation else rows[3]["prompt"]
    answer = rows[3]["rejected"][-1]["content"] if conversation else rows[3]["rejected"]
    prompt, answer = f"{begin}{prompt}{middle}", f"{answer}{end}"
    ids = torch.tensor([tokenizer(prompt + answer)["input_ids"]])
    labels = ids.clone()
    labels[:, : len(tokenizer(prompt)["input_ids"])] = -100
    with torch.no_grad():
        loss = model(ids, labels=labels).loss
    assert found[3, 1] == pytest.approx(-float(loss), rel=1e-4)


def test_a_pair_that_the_model_cannot_take_is_named():
    pytest.importorskip("trl", reason="the extra llm is not installed")
    from mirrorpo.language.models import pair_scores, stand_ins

    rows = texts(2)
    rows[1]["rejected"] *= 40
    rows = from_rows(rows, "texts").rows
    with pytest.raises(ValueError, match=r"texts, row 1 has \d+ tokens, but the model takes 512"):
        pair_scores.mean_log_probs(stand_ins.NAME, rows)


def test_a_model_scores_texts_and_no_trajectories(tmp_path, capsys, pool):
    pytest.importorskip("trl", reason="the extra llm is not installed")
    path = tmp_path / "data.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in texts(60)))
    main(["recommend", str(path), "--model", "smoke", "--out", str(tmp_path / "found.json")])
    cover = json.loads((tmp_path / "found.json").read_text())["coverage"]
    # The tiny random model finds every byte about alike.
    assert cover["chosen"][1] == pytest.approx(-np.log(258), abs=0.5)
    data.label(pool, "base", 0).save(tmp_path / "data.safetensors")
    with pytest.raises(SystemExit):
        main(["recommend", str(tmp_path / "data.safetensors"), "--model", "smoke"])
    assert "scored by --policy" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"prompt": "a", "chosen": "b"}\n', "no column rejected"),
        ("", "holds no pairs"),
        ("not json\n", "cannot be read"),
        ('{"prompt": "a", "chosen": "b", "rejected": "c"}\n' * 3, "too few"),
        ('{"prompt": "a", "chosen": "b", "rejected": "c"}\n' * 60, "none can be held out"),
    ],
)
def test_unusable_data_are_one_clear_line_and_code_2(tmp_path, capsys, content, message):
    path = tmp_path / "data.jsonl"
    path.write_text(content)
    with pytest.raises(SystemExit) as stop:
        main(["recommend", str(path)])
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert error.count("\n") == 1
    assert message in error
