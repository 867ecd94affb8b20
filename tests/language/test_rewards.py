"""Rewards by name: a user's function, a reward model, and those that are built in."""

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("trl")
pytest.importorskip("vaderSentiment")

import torch
import transformers

from mirrorpo.language.models import loading, log_probs, stand_ins
from mirrorpo.language.models.chat import CHATML
from mirrorpo.language.models.log_probs import LogProbs
from mirrorpo.language.text_task.rewards import naming, opinion
from mirrorpo.language.text_task.rewards.reward import Said
from mirrorpo.language.text_task.rewards.user_function import finite_rewards
from mirrorpo.preference_texts.place import Place
from mirrorpo.preference_texts.prompts import Prompt
from mirrorpo.user_text import UserText

from . import tiny_rewards

AT = Place("prompts.jsonl", 1)
TEXT = Prompt("Say a colour:", AT)
CHAT = Prompt(({"role": "user", "content": "Say a colour."},), AT)


def said(prompts, texts):
    nothing = LogProbs(np.zeros(len(texts)), np.ones(len(texts)))
    return Said(prompts, [prompt.question for prompt in prompts], texts, nothing)


# A function


def write(folder, code, name="score"):
    path = folder / "my_reward.py"
    path.write_text(code)
    return UserText(f"{path}:{name}")


def test_a_function_gets_texts_and_messages_and_its_numbers_are_the_rewards(tmp_path):
    reward = naming.reward(
        write(
            tmp_path,
            "def score(prompts, completions):\n"
            "    sizes = [len(p) if type(p) is str else -len(p[0]['content']) for p in prompts]\n"
            "    completions[0] += 'x'\n"
            "    prompts[0] = None\n"
            "    return [size + len(text) / 10 for size, text in zip(sizes, completions)]\n",
        )
    )
    reward.check([TEXT, CHAT])
    texts = [" red", "", " blue"]
    found = reward.scorer(None, None, 2)(said([TEXT, CHAT, TEXT], texts), 0.0)
    np.testing.assert_allclose(found, [13 + 0.5, -13, 13 + 0.6])
    assert texts == [" red", "", " blue"]


@pytest.mark.parametrize(
    "values",
    [[0, 1], (0.0, 1.0), np.array([0.0, 1.0], "f4"), torch.tensor([0.0, 1.0]), [False, True]],
)
def test_lists_arrays_and_tensors_of_numbers_are_rewards(values):
    np.testing.assert_array_equal(finite_rewards(values, ["a", "b"], "mine"), [0.0, 1.0])


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ("[1.0]", "must return one number per completion, a list of 2, not of 1"),
        ("[1.0, 2.0, 3.0]", "a list of 2, not of 3"),
        ("0.5", "a list of 2, not the number 0.5"),
        ("None", "a list of 2, not null"),
        ("np.ones((2, 1))", r"a list of 2, not an array of shape \(2, 1\)"),
        ("{'a': 1.0, 'b': 2.0}", "a list of 2, not an object with a, b"),
        ("[[1.0, 2.0], [3.0, 4.0]]", "returned a list of 2 for the completion ' A first"),
        ("[0.0, float('nan')]", "returned nan for the completion ''"),
        ("[float('inf'), 0.0]", "returned inf for the completion ' A first"),
        ("['good', 'bad']", "returned the text 'good' for the completion"),
        ("[None, 1.0]", "returned null for the completion"),
        ("[1 / len(text) for text in completions]", "fails on 2 completions.*ZeroDivisionError"),
        ("exit(3)", "fails on 2 completions.*SystemExit: 3"),
    ],
)
def test_what_a_function_may_not_return_is_said_at_once_in_one_line(result, message, tmp_path):
    code = f"import numpy as np\ndef score(prompts, completions):\n    return {result}\n"
    with pytest.raises(ValueError, match=message) as caught:
        naming.reward(write(tmp_path, code)).check([TEXT, CHAT])
    assert "\n" not in str(caught.value)


def test_a_function_that_is_not_there_and_a_file_that_fails_are_one_line(tmp_path):
    text = write(tmp_path, "def scores(prompts, completions): ...\n")
    with pytest.raises(ValueError, match=r"no function 'score'. Did you mean scores\?"):
        naming.reward(text).check([TEXT])
    with pytest.raises(ValueError, match="fails when imported: ZeroDivisionError"):
        naming.reward(write(tmp_path, "1 / 0\n")).check([TEXT])
    with pytest.raises(ValueError, match=r"No reward file at none\.py"):
        naming.reward(UserText("none.py:score")).check([TEXT])


def test_text_from_a_file_runs_no_code_and_loads_no_model(tmp_path):
    text = write(tmp_path, "raise SystemError('it ran')\n")
    with pytest.raises(ValueError, match="name it yourself, by --reward"):
        naming.reward(str(text)).check([TEXT])
    folder = tiny_rewards.write_reward_model(tmp_path / "model")
    with pytest.raises(ValueError, match="name it yourself, by --reward"):
        naming.reward(folder).check([TEXT])
    with pytest.raises(ValueError, match="name it yourself, by --reward"):
        naming.reward(folder).scorer(None, None, 1)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("review", r"Unknown reward 'review'. Did you mean reviews\? Rewards: reviews, opinion"),
        ("my_model", "Unknown reward 'my_model'. Rewards: "),
    ],
)
def test_an_unknown_reward_is_said_with_the_near_names(name, message):
    with pytest.raises(ValueError, match=message):
        naming.reward(UserText(name))


def test_a_file_without_its_function_is_said(tmp_path):
    write(tmp_path, "")
    path = tmp_path / "my_reward.py"
    with pytest.raises(ValueError, match=r"is a file: name a function in it, as in .*py:score"):
        naming.reward(UserText(path))


def test_another_content_is_another_reward(tmp_path):
    text = write(tmp_path, "def score(prompts, completions): return [0.0] * len(completions)\n")
    before = naming.reward(text).facts(), naming.reward(text).contents()
    write(tmp_path, "def score(prompts, completions): return [1.0] * len(completions)\n")
    after = naming.reward(text).facts(), naming.reward(text).contents()
    assert before[0] != after[0]
    assert before[1] != after[1]


# A reward model


@pytest.fixture(scope="module")
def reward_folder(tmp_path_factory):
    return tiny_rewards.write_reward_model(tmp_path_factory.mktemp("rewards") / "model")


def loaded(folder, batch=2):
    return naming.reward(UserText(folder)).scorer(None, None, batch)


def test_a_reward_model_reads_its_own_template_whatever_shares_the_batch(reward_folder):
    texts = [" red", "", " a very light blue"]
    found = loaded(reward_folder)(said([TEXT, CHAT, CHAT], texts), 0.0)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(reward_folder)
    tokenizer = stand_ins.tokenizer()
    asked = ("Say a colour:", "Say a colour.", "Say a colour.")
    for prompt, text, number in zip(asked, texts, found, strict=True):
        whole = f"<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n{text}<|im_end|>\n"
        with torch.no_grad():
            (logit,) = model(**tokenizer(whole, return_tensors="pt")).logits[0]
        assert number == pytest.approx(float(logit), abs=1e-4)
    assert CHATML.count("im_start") == 2


def test_without_a_template_texts_are_read_as_they_stand_and_conversations_refused(tmp_path):
    folder = tiny_rewards.write_reward_model(tmp_path / "plain", template=False)
    score = loaded(folder)
    (found,) = score(said([TEXT], [" red"]), 0.0)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder)
    whole = stand_ins.tokenizer()("Say a colour: red", return_tensors="pt")
    with torch.no_grad():
        assert found == pytest.approx(float(model(**whole).logits), abs=1e-5)
    with pytest.raises(ValueError, match=r"row 1 is a conversation, but the reward .* no chat"):
        score(said([CHAT], [" red"]), 0.0)
    with pytest.raises(ValueError, match=r"but the reward model .* takes 512"):
        score(said([TEXT], [" red" * 200]), 0.0)


def test_what_is_no_reward_model_is_one_line(tmp_path, capfd):
    two = tiny_rewards.write_reward_model(tmp_path / "two", labels=2)
    other = tiny_rewards.write_chat_model(tmp_path / "other")
    (tmp_path / "empty").mkdir()
    for folder, message in (
        (two, "gives 2 logits per text: a reward is one"),
        (other, r"no weights of a classifier's head \(score.weight\)"),
        (str(tmp_path / "empty"), "cannot be loaded"),
        (str(tmp_path / "none"), "cannot be loaded"),
    ):
        capfd.readouterr()
        with pytest.raises(ValueError, match=message) as caught:
            loaded(folder)
        assert "\n" not in str(caught.value)
        assert "score.weight" not in capfd.readouterr().err


# Built in


def test_the_opinion_is_the_models_own_odds_of_praise():
    model, tokenizer = loading.load(stand_ins.NAME)
    texts = [" loved it.", " hated it."]
    asked = [TEXT.said] * 2
    original = log_probs.measure(model, tokenizer, asked, texts)
    given = Said([TEXT] * 2, asked, texts, original)
    usual = float(original.mean.mean())
    found = naming.reward("opinion").scorer(model, tokenizer, 2)(given, usual)
    for row, text in enumerate(texts):
        before = f"{TEXT.said}{text}\nSentiment:"
        logits = []
        for answer in (" positive", " negative"):
            ids = tokenizer(before + answer, return_tensors="pt")["input_ids"]
            start = len(tokenizer(before)["input_ids"])
            with torch.no_grad():
                odds = model(ids).logits[0].log_softmax(-1)
            logits.append(float(odds[start - 1 : -1].gather(1, ids[0, start:, None]).sum()))
        penalty = opinion.PENALTY * max(0.0, usual - original.mean[row])
        assert found[row] == pytest.approx(logits[0] - logits[1] - penalty, abs=1e-3)
