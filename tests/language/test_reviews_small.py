"""The small language model that comes with the package."""

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("trl")
pytest.importorskip("vaderSentiment")

import mirrorpo as mpo
from mirrorpo import files
from mirrorpo.language.models import loading, log_probs, reviews_small
from mirrorpo.language.text_task.prompts import reviews

OPENINGS = [str(prompt.said) for prompt in (*reviews.PROMPTS.training, *reviews.PROMPTS.tested)]


@pytest.fixture(scope="module")
def loaded():
    return loading.load(reviews_small.NAME)


def test_the_card_says_what_the_model_is(loaded):
    card = files.read_json(reviews_small.folder() / "card.json", "a card")
    assert card["parameters"] == sum(weight.numel() for weight in loaded[0].parameters())
    assert card["nats_per_piece_unseen"] < 1.05 * card["nats_per_piece_seen"]
    assert card["nats_per_unseen_text"] < 1.25 * card["nats_per_unseen_text_of_the_teacher"]


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


def test_with_true_labels_slic_earns_more_than_the_untouched_model(tmp_path):
    found = mpo.bench(
        task="reviews",
        protocol="small",
        algorithms="slic[weight=1,delta=5]",
        variants="base",
        seeds=2,
        data_draws=1,
        cache=tmp_path / "cache",
        out=tmp_path / "run",
    )
    table = found.table.set_index("algorithm")["mean"]
    assert np.isfinite(table).all()
    assert table["slic[weight=1,delta=5]"] > table["worse: original"] + 5
