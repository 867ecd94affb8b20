"""Two of the paper's recipes, whole, on a small language model: fine-tuned, judged, served.

    python benchmarks/whole_recipe.py runs/whole-recipe
    python benchmarks/whole_recipe.py runs/whole-recipe --model smoke --rows 16 --prompts 4

DPO after an SFT stage, and sigmoid TA-MPO, as recipes/gemma-7b/dpo-mix-7k has them but for model,
pairs, precision and how many pairs are one step. A pair is two continuations of a review, asked for
in a chat; the more positive one is chosen. A judge compares each model's answers to new openings
with those of the untouched model: first VADER, then a language model behind an OpenAI-compatible
endpoint on this machine. The second shows that the whole way works, and is no result: a model of
this size does not know which answer is better. The same command resumes.
"""

import functools
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import tyro

import mirrorpo as mpo
from mirrorpo import files, variants
from mirrorpo.language.text_task import preparation, task
from mirrorpo.language.text_task.settings import TextSettings
from mirrorpo.preference_texts.prompts import Prompt

ROOT = Path(__file__).parents[1]
RECIPES = ("dpo", "ta-mpo-sigmoid")
ASKED = "Continue this review of something in one or two sentences: {}"


def write_pairs(folder: Path, model: str, rows: int, prompts: int, cache: Path | None) -> None:
    """Pairs to train on, and instructions for the answers, as conversations with one question."""
    settings = TextSettings(model=model, rows=rows, test_prompts=prompts, sample_batch=128)
    ground = task.reviews(model)
    made = preparation.prepare(ground, settings, lambda doing, done, of: None, cache)
    pool = made.pool(0, lambda doing, done, of: None)
    given = ground.prompts.train(rows)
    files.write_text(
        folder / "pairs.jsonl",
        "".join(
            json.dumps(
                {
                    "prompt": [{"role": "user", "content": asked(prompt)}],
                    "chosen": [{"role": "assistant", "content": pair["chosen"].strip()}],
                    "rejected": [{"role": "assistant", "content": pair["rejected"].strip()}],
                }
            )
            + "\n"
            for prompt, pair in zip(given, pool.pairs(variants.parse("base"), 0), strict=True)
        ),
    )
    new = ground.prompts.test(prompts)
    files.write_json(folder / "prompts.json", [asked(prompt) for prompt in new])


def asked(prompt: Prompt) -> str:
    """An opening as a question of the user's."""
    return ASKED.format(prompt.question)


@contextmanager
def served(model: str, folder: Path) -> Iterator[Path]:
    """The recipe of a judge that answers on this machine while the block runs."""
    command = [sys.executable, str(ROOT / "examples" / "judge_server.py"), model, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            address = server.stdout.readline().strip()
            if not address:
                raise RuntimeError("The server of the judge has not started; it says why above.")
            recipe = folder / "judge.yaml"
            files.write_text(recipe, f"model: {model}\nendpoint: {address}\nworkers: 1\n")
            yield recipe
        finally:
            server.terminate()


def main(
    out: tyro.conf.Positional[Path],
    model: str = "smollm2",
    rows: int = 256,
    prompts: int = 64,
    pairs_per_step: int = 8,
    cache: Path | None = None,
) -> None:
    """Fine-tune, judge and print.

    Args:
        out: folder of everything.
        model: smollm2, or smoke for a tiny random one.
        rows: pairs.
        prompts: new openings that are answered.
        pairs_per_step: the recipe has 64.
        cache: folder of the pool of continuations; the user's cache by default.
    """
    out.mkdir(parents=True, exist_ok=True)
    if not (out / "prompts.json").is_file():
        write_pairs(out, model, rows, prompts, cache)
    changes = {
        "model_name_or_path": model,
        "dataset_name": str(out / "pairs.jsonl"),
        "dataset_test_split": None,
        "dtype": "float32",
        "bf16": False,
        "gradient_checkpointing": False,
        "gradient_accumulation_steps": pairs_per_step // 2,
    }
    answer = functools.partial(mpo.judge, model, prompts=out / "prompts.json", max_new_tokens=48)
    baseline = answer(out=out / "untouched").folder / "model-outputs.json"
    rates = {}
    for name in RECIPES:
        recipe = ROOT / "recipes" / "gemma-7b" / "dpo-mix-7k" / f"{name}.yaml"
        trained = mpo.align(recipe, out=out / name, set=changes)
        if trained.model is None:
            print(f"{name} diverged.")
            continue
        told = answer(adapter=trained.model, baseline=baseline, out=out / f"{name}-vader")
        print(f"{name}\n{told}", flush=True)
        rates[name] = {"vader": told.win_rate}
        answers = told.folder / "model-outputs.json"
        with served(model, out) as judge:
            told = mpo.judge(answers, baseline=baseline, judge=judge, out=out / f"{name}-served")
        print(told, flush=True)
        rates[name]["served"] = told.win_rate
    files.write_json(out / "win-rates.json", rates)


if __name__ == "__main__":
    tyro.cli(main)
