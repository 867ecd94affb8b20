"""``mirrorpo sentiment``: every objective on a language model, scored by a known reward.

A command beside ``mirrorpo bench``, and no task of it: its settings are a model, tokens and
adapters in place of a simulator and episodes. Table, files and resuming are the same.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tyro

from mirrorpo.cli.console import console, progress
from mirrorpo.language.sentiment_task.settings import SentimentSettings

SMOKE: Mapping[str, Any] = {
    "model": "smoke",
    "seeds": 1,
    "rows": 8,
    "test_prompts": 4,
    "episodes": 4,
    "search_episodes": 4,
    "max_new_tokens": 8,
    "best_of": 2,
    "target_steps": 2,
    "steps": 2,
    "batch": 2,
    "lora_r": 2,
    "sample_batch": 8,
}


def sentiment(
    settings: tyro.conf.OmitArgPrefixes[SentimentSettings],
    smoke: bool = False,
    out: Path | None = None,
    cache: Path | None = None,
) -> None:
    """Fine-tune a language model with every objective on reviews of known reward (extra `llm`).

    An interrupted run continues with the same command.

    Args:
        settings: what to measure.
        smoke: two steps of a tiny random model, to see that a set-up works; its rewards mean
            nothing.
        out: run folder; by default runs/sentiment-MODEL-... named by the settings.
        cache: folder of samples, target and pool; the user's cache by default.
    """
    from mirrorpo import runs

    settings = _in_full(dataclasses.replace(settings, **SMOKE) if smoke else settings)
    text = json.dumps(dataclasses.asdict(settings), sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    out = out or runs.default_out("sentiment", f"{Path(settings.model).name}-{digest}")

    import warnings

    # TRL's own defaults have names that transformers will drop.
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    from mirrorpo.language.trl_names import datasets, transformers
    from mirrorpo.runtime import cache as kept
    from mirrorpo.study import sentiment as bench
    from mirrorpo.study import table_files, table_notes, tables
    from mirrorpo.study.terminal_table import TerminalTable

    kept.check(cache)
    datasets.disable_progress_bars()
    transformers.utils.logging.disable_progress_bar()
    with progress("agents") as report:
        log, sources = bench.run(settings, out, report, cache)
    frame = log.frame()
    table = tables.build(frame, bench.TASK, settings.algorithms, settings.variants, sources)
    won = bench.win_rates(frame, settings, out)
    table_files.write(out, table, 1, [("Win rate against the original, in percent", won)])
    console.print(TerminalTable(table, 1, "mean true reward in points ± standard error"))
    console.print(TerminalTable(won, 1, "win rate against the original, % ± standard error"))
    console.print(
        f"{settings.episodes} continuations of test prompts per fine-tuned model; a win is a "
        "higher true reward than the original's continuation of the same prompt. "
        f"{table_notes.errors(table)} {table_notes.bold(table)} Every model's KL divergence, "
        f"variety and perplexity are in {out / 'results.csv'}."
    )
    tables.refuse_diverged(table, out)


def _in_full(settings: SentimentSettings) -> SentimentSettings:
    """The settings with lists split and variants in their usual spelling."""
    from mirrorpo import variants
    from mirrorpo.objectives.naming import split_list
    from mirrorpo.objectives.user_text import users_own

    spelled = tuple(str(variants.parse(text)) for text in split_list(settings.variants))
    return dataclasses.replace(
        settings, variants=spelled, algorithms=users_own(split_list(settings.algorithms))
    )
