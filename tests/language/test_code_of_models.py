"""A model that comes with code of its own is refused: the code is not run, and nobody is asked."""

import json

import pytest

pytest.importorskip("torch")
pytest.importorskip("trl")

from mirrorpo.language.models import loading, stand_ins
from mirrorpo.language.text_task.rewards import reward_model

CODE = "raise SystemExit('the code of the model was run')"


@pytest.fixture
def asked(monkeypatch):
    """The questions that are asked at the terminal."""
    found = []
    monkeypatch.setattr("builtins.input", lambda *question: found.append(question) or "n")
    return found


def with_code(folder, name, content):
    """A model, of whose files one names code beside it."""
    stand_ins.model().save_pretrained(folder)
    stand_ins.tokenizer().save_pretrained(folder)
    (folder / "mine.py").write_text(CODE)
    before = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps(before | content))
    return str(folder)


MODEL = {
    "model_type": "mine",
    "auto_map": {
        "AutoConfig": "mine.Config",
        "AutoModelForCausalLM": "mine.Model",
        "AutoModelForSequenceClassification": "mine.Model",
    },
}
TOKENIZER = {"tokenizer_class": "Mine", "auto_map": {"AutoTokenizer": ["mine.Mine", None]}}


@pytest.mark.parametrize(
    ("load", "file", "content"),
    [
        (loading.load, "config.json", MODEL),
        (loading.load, "tokenizer_config.json", TOKENIZER),
        (loading.tokenizer_of, "tokenizer_config.json", TOKENIZER),
        (reward_model._load, "config.json", MODEL),
    ],
)
def test_code_of_a_model_is_not_run_and_nobody_is_asked(load, file, content, tmp_path, asked):
    with pytest.raises(ValueError, match="contains custom code"):
        load(with_code(tmp_path, file, content))
    assert not asked
