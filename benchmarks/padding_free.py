"""Training steps with padded rows, and with sequences that share rows: seconds and memory.

    python benchmarks/padding_free.py --out padding-free.json

The same random Llama on the same pairs, whose answers are of very unequal lengths: most of a padded
batch is padding. `--equal` gives all answers one length, where nothing can be saved. Seconds are of
`train()`, in pairs of runs, one of each kind after the other; on a CPU they are the processor's,
which count no other work. Memory is the peak that a process of its own reaches above what it held
before `train()`, on a CPU.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from mirrorpo import files, versions
from mirrorpo.language import PreferenceConfig, PreferenceTrainer
from mirrorpo.language.models import stand_ins
from mirrorpo.language.trl_names import datasets, torch, transformers

SIDES = {"padded": False, "free": True}


@dataclass(frozen=True)
class Size:
    """How large the model and its batches are.

    Attributes:
        shortest, longest: lengths of an answer, in tokens; the logarithm is drawn evenly.
        equal: whether all answers are of the longest length.
    """

    steps: int = 4
    batch: int = 8
    shortest: int = 8
    longest: int = 512
    hidden: int = 256
    layers: int = 4
    vocabulary: int = 8192
    equal: bool = False


def main(
    out: Path | None = None,
    repeats: int = 3,
    memory: bool = True,
    size: tyro.conf.OmitArgPrefixes[Size] = Size(),
    one: str | None = None,
) -> None:
    """Compare, and print the figures.

    Args:
        out: file for the figures, as JSON.
        repeats: pairs of runs that are timed.
        memory: measure memory too, in two processes.
        size: the model's and the batches' sizes.
        one: padded or free: only measure its memory, as the command does in processes of its own.
    """
    if one is not None:
        print(json.dumps({"mib": _peak(one, size)}))
        return
    found = compare(size, repeats)
    if memory:
        found |= {f"{side}_mib": _in_a_process(side, size) for side in SIDES}
    print(json.dumps(found, indent=1))
    if out is not None:
        content = {"machine": versions.machine(), "versions": versions.installed(language=True)}
        content |= {"git_commit": versions.git_commit(), "size": asdict(size), **found}
        files.write_json(out, content)


def compare(size: Size, repeats: int) -> dict[str, Any]:
    """Losses of both kinds, and the seconds of pairs of runs."""
    seconds: dict[str, list[float]] = {side: [] for side in SIDES}
    losses = {}
    for repeat in range(repeats):
        # Which is first alternates: the machine may get faster or slower meanwhile.
        for side in sorted(SIDES, reverse=repeat % 2 == 1):
            losses[side], took = run(side, size)
            seconds[side].append(took)
    ratios = [a / b for a, b in zip(seconds["free"], seconds["padded"], strict=True)]
    lengths = [len(pair["chosen"]) for pair in pairs(size)]
    return {
        "mean_answer": statistics.mean(lengths),
        "largest_difference": max(abs(a - b) for a, b in zip(*losses.values(), strict=True)),
        **{f"{side}_seconds": statistics.median(own) for side, own in seconds.items()},
        "ratio": statistics.median(ratios),
        "ratios": sorted(ratios),
    }


def run(side: str, size: Size) -> tuple[list[float], float]:
    """Train once: the loss of each step, and the seconds of `train()`."""
    with tempfile.TemporaryDirectory() as folder:
        trainer = made(side, size, folder)
        clock = time.perf_counter if torch.cuda.is_available() else time.process_time
        began = clock()
        trainer.train()
        seconds = clock() - began
    return [row["loss"] for row in trainer.state.log_history if "loss" in row], seconds


def made(side: str, size: Size, folder: str) -> PreferenceTrainer:
    """A trainer of either kind."""
    transformers.utils.logging.set_verbosity_error()
    datasets.disable_progress_bars()
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=size.vocabulary,
        hidden_size=size.hidden,
        intermediate_size=2 * size.hidden,
        num_hidden_layers=size.layers,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=size.longest + 64,
        bos_token_id=None,
        eos_token_id=256,
        pad_token_id=257,
    )
    arguments = PreferenceConfig(
        folder,
        max_steps=size.steps,
        per_device_train_batch_size=size.batch,
        gradient_checkpointing=False,
        learning_rate=1e-3,
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        bf16=False,
        use_cpu=not torch.cuda.is_available(),
        padding_free=SIDES[side],
        max_length=size.longest + 64,
        sft_stage=False,
    )
    trainer = PreferenceTrainer(
        transformers.LlamaForCausalLM(config),
        "simpo",
        arguments,
        train_dataset=datasets.Dataset.from_list(pairs(size)),
        processing_class=stand_ins.tokenizer(),
    )
    trainer.remove_callback(transformers.PrinterCallback)
    return trainer


def pairs(size: Size) -> list[dict[str, str]]:
    """Random letters: short prompts, and answers whose lengths differ as `size` says."""
    draw = np.random.default_rng(0)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))

    def answer() -> str:
        low, high = np.log(size.shortest), np.log(size.longest)
        length = size.longest if size.equal else int(np.exp(draw.uniform(low, high)))
        return "".join(draw.choice(letters, length))

    return [
        {"prompt": "".join(draw.choice(letters, 8)), "chosen": answer(), "rejected": answer()}
        for _ in range(size.steps * size.batch)
    ]


def _peak(side: str, size: Size) -> float:
    """MiB that training takes beyond what there was, after a step that loads all code."""
    from speed.memory import peak_mib  # where this file is the command, as in such a process

    run(side, Size(steps=1, batch=2, shortest=2, longest=8, hidden=8, layers=1, vocabulary=258))
    before = peak_mib()
    run(side, size)
    return peak_mib() - before


def _in_a_process(side: str, size: Size) -> float:
    given = asdict(size)
    options = ["--equal"] if given.pop("equal") else []
    options += [f"--{name}={value}" for name, value in given.items()]
    done = subprocess.run(
        [sys.executable, __file__, f"--one={side}", *options],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(json.loads(done.stdout.splitlines()[-1])["mib"])


if __name__ == "__main__":
    tyro.cli(main)
