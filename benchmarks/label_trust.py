"""How many wrong labels `slic-filtered` leaves out on the bench of reviews, whose labels are known.

    python benchmarks/label_trust.py

For each drawing of the labels: the share of wrong ones among all pairs and among those that stay,
by the model's own hidden states, which `PreferenceTrainer` asks, and by a model of words.
"""

import tempfile
from pathlib import Path

import numpy as np
import tyro

from mirrorpo import objectives, variants
from mirrorpo.advising import text_features
from mirrorpo.cross_fitting import cross_fitted_margins, groups
from mirrorpo.preference_texts import reading

DROPPED = (0.2, 0.4, 0.6)


def main(
    variant: str = "noisy:0.3",
    drawings: int = 3,
    model: str = "smollm2",
    sample_batch: int = 128,
    cache: Path | None = None,
) -> None:
    """Print the table.

    Args:
        variant: fault of the labels.
        drawings: how often labels are drawn anew, on the same continuations.
        model: that writes the continuations, and that is asked.
        sample_batch: continuations at once, of the bench whose continuations are taken.
        cache: folder of the bench's continuations; the user's cache by default.
    """
    from mirrorpo.language.text_task import preparation, task
    from mirrorpo.language.text_task.settings import TextSettings

    settings = TextSettings(model=model, sample_batch=sample_batch, bf16=False)
    ready = preparation.prepare(task.reviews(model), settings, lambda *_: None, cache)
    pool = ready.pool(0, lambda *_: None)
    rewards, fault = pool.rewards.reshape(-1), variants.parse(variant)
    print(
        "| labels | by | agrees with the truth | wrong | wrong among those that stay, dropped "
        f"{', '.join(f'{share:g}' for share in DROPPED)} |"
    )
    print("| --- | --- | ---: | ---: | --- |")
    for seed in range(drawings):
        chosen, rejected = pool.draw(fault, seed)
        wrong = rewards[chosen] < rewards[rejected]
        texts = reading.from_rows(pool.pairs(fault, seed), "the pool")
        for name, margins in (("hidden states", hidden(model, texts)), ("words", words(texts))):
            order = np.argsort(margins, kind="stable")
            stay = [wrong[order[round(share * len(order)) :]].mean() for share in DROPPED]
            agrees = np.mean((margins > 0) == ~wrong)
            print(
                f"| {seed} | {name} | {agrees:.2f} | {wrong.mean():.3f} | "
                f"{', '.join(f'{share:.3f}' for share in stay)} |",
                flush=True,
            )


def hidden(model: str, texts: reading.PreferenceTexts) -> np.ndarray:
    """How far models of the language model's hidden states agree with each label."""
    from mirrorpo.language import PreferenceConfig, PreferenceTrainer
    from mirrorpo.language.models import loading
    from mirrorpo.language.training import ranking

    loaded, tokenizer = loading.load(model)
    tokenizer.bos_token = tokenizer.chat_template = None  # as the bench reads prompts
    with tempfile.TemporaryDirectory() as folder:
        config = PreferenceConfig(
            folder, max_steps=1, max_length=2**31 - 1, bf16=False, report_to=[], disable_tqdm=True
        )
        trainer = PreferenceTrainer(
            loaded, objectives.get("slic"), config, texts, processing_class=tokenizer
        )
        return ranking.margins(trainer.train_dataset, trainer.model, trainer.data_collator, 8)


def words(texts: reading.PreferenceTexts) -> np.ndarray:
    """How far models of words agree with each label."""
    sides = [[row.answer(side) for row in texts.rows] for side in ("chosen", "rejected")]
    return cross_fitted_margins(
        text_features.difference(*sides),
        groups(row.question for row in texts.rows),
        text_features.REGULARISATION,
    )


if __name__ == "__main__":
    tyro.cli(main)
