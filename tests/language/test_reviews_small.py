"""The small language model that comes with the package."""

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("trl")
pytest.importorskip("vaderSentiment")

import mirrorpo as mpo
from mirrorpo import files
from mirrorpo.language.models import loading, log_probs, model_files, reviews_small
from mirrorpo.language.text_task.prompts import reviews

OPENINGS = [str(prompt.said) for prompt in (*reviews.PROMPTS.training, *reviews.PROMPTS.tested)]


@pytest.fixture(scope="module")
def loaded():
    return loading.load(reviews_small.NAME)


def test_the_card_says_what_the_model_is(loaded):
    card = files.read_json(reviews_small.folder() / "card.json", "a card")
    assert card["parameters"] == sum(weight.numel() for weight in loaded[0].parameters())
    assert 3 < card["nats_per_piece_seen"] < card["nats_per_piece_unseen"] < 4.6
    assert card["nats_per_unseen_text_of_the_teacher"] < card["nats_per_unseen_text"] < 180


def test_another_model_of_this_name_would_not_meet_its_pools(tmp_path, monkeypatch):
    files_of = {path.name: files.checksum(path) for path in reviews_small.folder().iterdir()}
    known = model_files.checksums(reviews_small.NAME)
    assert known == {f"{reviews_small.NAME}/{name}": sum_ for name, sum_ in files_of.items()}
    assert dict(model_files.stamps(reviews_small.NAME)) == files_of
    for name in files_of:
        (tmp_path / name).write_bytes((reviews_small.folder() / name).read_bytes())
    monkeypatch.setattr(reviews_small, "folder", lambda: tmp_path)
    assert model_files.checksums(reviews_small.NAME) == known, "wherever it is installed"
    (tmp_path / "model.safetensors").write_bytes(b"another")
    assert model_files.checksums(reviews_small.NAME) != known
    assert dict(model_files.stamps(reviews_small.NAME)) != files_of


@pytest.mark.parametrize("text", [*OPENINGS[::97], "Ω ≠ ω,\n\t naïve 漢字 🙂 2026!", ""])
def test_any_text_comes_back_from_its_tokens(loaded, text):
    tokenizer = loaded[1]
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_sentences_are_likelier_than_their_words_in_another_order(loaded):
    said = [" loved every minute of it.", " was very disappointed with the service."]
    mixed = [" minute it every of loved.", " service disappointed very the with was."]
    begun = OPENINGS[:12]
    found = [
        log_probs.measure(*loaded, begun, (texts * 6)[:12], 12).total.mean()
        for texts in (said, mixed)
    ]
    assert found[0] > found[1] + 5


def bench(tmp_path, **settings):
    found = mpo.bench(
        task="reviews",
        protocol="small",
        variants="base",
        data_draws=1,
        cache=tmp_path / "cache",
        out=tmp_path / "run",
        **settings,
    )
    return found.agents, files.read_json(tmp_path / "run" / "sources.json", "source agents")


def test_a_bench_on_it_needs_nothing_that_is_not_in_the_package(tmp_path):
    small = {"rows": 24, "best_of": 2, "target_steps": 4, "test_prompts": 12, "episodes": 12}
    agents, sources = bench(tmp_path, algorithms="sft,dpo", seeds=1, steps=4, **small)
    assert np.isfinite(agents.return_mean).all()
    assert [source["label"] for source in sources] == ["better: target", "worse: original"]


@pytest.mark.slow
def test_its_target_earns_more_than_the_original_and_true_labels_teach_it(tmp_path):
    agents, sources = bench(tmp_path, algorithms="slic[weight=1,delta=5]", seeds=2)
    target, original = (source["mean"] for source in sources)
    assert target > original + 10
    assert (agents.return_mean > original + 2).all()
