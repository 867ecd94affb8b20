"""Leaving out the pairs whose labels are trusted least, before a language model trains."""

import numpy as np
import pytest

from mirrorpo import objectives
from mirrorpo.language.training import ranking
from mirrorpo.preference_texts import reading

from . import tiny


def pairs(count):
    rows = [{"prompt": f"{n}", "chosen": f"yes {n}", "rejected": f"no {n}"} for n in range(count)]
    return reading.from_rows(rows, "some pairs")


def made(folder, objective, dataset, **more):
    from mirrorpo.language import PreferenceConfig, PreferenceTrainer

    return PreferenceTrainer(
        tiny.model(),
        objective,
        PreferenceConfig(**tiny.arguments(folder)),
        train_dataset=dataset,
        processing_class=tiny.tokenizer(),
        **more,
    )


def test_labels_that_contradict_the_other_pairs_are_left_out(tmp_path, caplog):
    wrong, draw, written = {3, 17, 18, 40, 55, 59}, np.random.default_rng(0), []
    for number in range(60):
        good, bad = (" ".join(draw.choice(words, 3)) for words in (("4", "5"), ("17", "18")))
        sides = (bad, good) if number in wrong else (good, bad)
        written.append((f"{number % 22 + 1} {number // 22 + 1}", *sides))
    trainer = made(tmp_path, "slic-filtered[drop=0.1]", tiny.dataset(written))
    everything = made(tmp_path, "slic", tiny.dataset(written)).train_dataset
    right = [row for row in range(60) if row not in wrong]
    for column in ("chosen_input_ids", "rejected_input_ids"):
        assert trainer.train_dataset[column] == everything.select(right)[column]
    assert "train_dataset: slic-filtered leaves out 6 of 60 pairs." in caplog.text


def test_too_few_pairs_to_rank_are_said_in_one_line(tmp_path):
    with pytest.raises(ValueError, match=r"8 pairs are too few .*at least 40") as caught:
        made(tmp_path, "slic-filtered", tiny.dataset())
    assert "\n" not in str(caught.value)


def test_the_pairs_that_are_trusted_least_are_left_out_whatever_the_unit(caplog):
    texts = pairs(5)
    left = ranking.kept(
        texts, objectives.get("dpo-filtered", drop=0.4), [-70.0, 1e6, 2.0, -71.0, 0.0]
    )
    assert left.rows == (texts.rows[1], texts.rows[2], texts.rows[4])
    assert "some pairs: dpo-filtered leaves out 2 of 5 pairs." in caplog.text


def test_one_pair_stays_at_least():
    texts = pairs(5)
    assert len(ranking.kept(texts, objectives.get("slic-filtered", drop=0.99), range(5)).rows) == 1


def test_other_objectives_leave_out_nothing():
    texts = pairs(3)
    assert ranking.kept(texts, objectives.get("slic"), None) is texts


@pytest.mark.parametrize(
    ("name", "ease", "message"),
    [
        ("slic-filtered", [1.0, 2.0], r"shape \(2,\), but must be one finite number .* 5 pairs"),
        ("slic-filtered", [1.0, 2.0, 3.0, 4.0, float("nan")], "one finite number"),
        ("slic", range(5), "slic leaves none out"),
    ],
)
def test_what_cannot_be_ranked_is_said_in_one_line(name, ease, message):
    with pytest.raises(ValueError, match=message) as caught:
        ranking.kept(pairs(5), objectives.get(name), ease)
    assert "\n" not in str(caught.value)


def trained(folder, objective, dataset, **more):
    trainer = made(folder, objective, dataset, **more)
    trainer.train()
    return [value.detach().numpy() for value in trainer.model.parameters()]


def test_training_equals_that_without_the_pairs(tmp_path):
    every = tiny.dataset()
    ease = [0.0 if row in (1, 4) else 1.0 + row for row in range(len(every))]
    found = trained(tmp_path / "a", "slic-filtered[weight=1,drop=0.25]", every, ease=ease)
    fewer = every.select([row for row in range(len(every)) if row not in (1, 4)])
    expected = trained(tmp_path / "b", "slic[weight=1]", fewer)
    with_all = trained(tmp_path / "c", "slic[weight=1]", every)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    assert any((one != other).any() for one, other in zip(found, with_all, strict=True))
