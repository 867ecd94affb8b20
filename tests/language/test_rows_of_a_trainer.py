"""What a trainer does with the rows that it is given: it pads, cuts, and names a wrong one."""

import logging

import pytest

pytest.importorskip("torch")
pytest.importorskip("trl")

import datasets

from mirrorpo.language import PreferenceConfig, PreferenceTrainer
from mirrorpo.language.models import loading, stand_ins

from . import tiny
from .chat_rows import TEXTS, tokenizer


def test_a_tokenizer_without_a_padding_token_gets_one(tmp_path):
    folder = tmp_path / "model"
    asking = stand_ins.tokenizer()
    asking.pad_token = None
    asking.save_pretrained(folder)
    stand_ins.model().save_pretrained(folder)
    for given in ({"model": str(folder)}, {"model": loading.load(str(folder))[0]}):
        made = PreferenceTrainer(
            objective="cpo",
            args=PreferenceConfig(**tiny.arguments(tmp_path)),
            train_dataset=datasets.Dataset.from_list([TEXTS, {**TEXTS, "chosen": "much more"}]),
            **given,
        )
        made.train()
        assert made.processing_class.pad_token == "<eos>"
    assert loading.load(str(folder))[1].pad_token == "<eos>"
    asking.eos_token = None
    with pytest.raises(ValueError, match="neither a padding token nor one that ends a text"):
        loading.with_padding(asking)


def test_answers_that_are_cut_are_counted(tmp_path, caplog):
    data = [{**TEXTS, "chosen": "y" * length} for length in (1, 40, 50)]
    with caplog.at_level(logging.WARNING):
        PreferenceTrainer(
            stand_ins.model(),
            "cpo",
            PreferenceConfig(**tiny.arguments(tmp_path, max_length=30)),
            train_dataset=datasets.Dataset.from_list(data),
            processing_class=tokenizer(None),
        )
    assert "train_dataset: 2 chosen and 0 rejected answers of 3 pairs do not fit" in caplog.text


def test_a_trainer_takes_hub_layouts_too_and_names_a_wrong_row(tmp_path, caplog):
    data = [
        {"question": f"{n}?", "system": "", "chosen": "yes", "rejected": "no"} for n in range(3)
    ]

    def made(given):
        return PreferenceTrainer(
            stand_ins.model(),
            "cpo",
            PreferenceConfig(**tiny.arguments(tmp_path)),
            train_dataset=datasets.Dataset.from_list(given),
            processing_class=tokenizer(),
        )

    with caplog.at_level(logging.WARNING):
        ids = made(data).train_dataset[1]["chosen_input_ids"]
    assert caplog.text.count("train_dataset: read in the layout orca: question is the prompt") == 1
    assert tokenizer().decode(ids) == "<user>1?<end><assistant>yes<end><eos>"
    with pytest.raises(ValueError, match="train_dataset, row 2: rejected is null"):
        made([*data[:2], {**data[2], "rejected": None}])
