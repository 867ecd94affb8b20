"""`PreferenceTrainer` beside TRL's own trainers: loss curves, seconds and memory, in one run.

    python benchmarks/beside_trl.py --out beside-trl.json
    python benchmarks/beside_trl.py --only dpo --steps 4 --repeats 1 --no-memory

The first takes at most eight minutes: repeats that do not fit are left out. The same random Llama,
pairs, order of pairs and optimiser. Losses are compared step by step.
Seconds are of `train()` alone, in pairs of runs, one of each trainer after the other, and the ratio
is the median over pairs. Memory is the peak that a process of its own reaches above what it held
before `train()`; on a GPU, what PyTorch allocated there.
"""

import importlib
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from mirrorpo import files, objectives, versions
from mirrorpo.cli.console import fail
from mirrorpo.language import PreferenceConfig, PreferenceTrainer
from mirrorpo.language.models import stand_ins
from mirrorpo.language.trl_names import datasets, torch, transformers

PAIRS = "any"
ALIKE = "alike"
"""Prompts of one token and chosen answers of one length: where TRL's SFT term, a mean over the
tokens of the batch, and in ORPO of the prompts too, is ours, a mean over answers."""


@dataclass(frozen=True)
class Loss:
    """A loss as both have it.

    Attributes:
        objective: ours, with its hyper-parameters.
        trainer: TRL's trainer, as MODULE:NAME; its configuration is in the same module.
        settings: fields of TRL's configuration.
        pairs: `PAIRS` or `ALIKE`.
        reference: whether there is a reference model, here another than the policy.
        tolerance: difference of losses, relative to the largest, up to which they are equal; None
            where they are not the same loss.
        why: what differs, where something does.
    """

    objective: Any
    trainer: str
    settings: dict[str, Any]
    pairs: str = PAIRS
    reference: bool = False
    tolerance: float | None = 1e-4
    why: str = ""


def _sft(weight: float, length: int) -> float:
    """Our weight of an SFT term on summed log-probs, for TRL's on a mean over tokens."""
    return weight / length


def losses(length: int) -> dict[str, Loss]:
    """The losses; `length` is of a chosen answer of `ALIKE`, in tokens."""
    get, cpo = objectives.get, "trl.experimental.cpo:CPO"
    words = "TRL's SFT term is a mean over the batch's tokens, ours over its answers"
    return {
        "dpo": Loss(get("dpo", beta=0.3), "trl:DPO", {"beta": 0.3}, reference=True),
        "ipo": Loss(
            get("ipo", tau=0.4), "trl:DPO", {"beta": 0.4, "loss_type": "ipo"}, reference=True
        ),
        "simpo": Loss(
            get("simpo", beta=2.0, gamma=0.8),
            cpo,
            {"loss_type": "simpo", "beta": 2.0, "simpo_gamma": 0.8, "cpo_alpha": 0.0},
        ),
        "cpo": Loss(
            get("cpo", beta=0.3, sft_weight=_sft(0.7, length)),
            cpo,
            {"beta": 0.3, "cpo_alpha": 0.7},
            pairs=ALIKE,
            why=f"{words}: the same where chosen answers are equally long",
        ),
        "orpo": Loss(
            get("orpo", weight=0.3),
            "trl.experimental.orpo:ORPO",
            {"beta": 0.3},
            pairs=ALIKE,
            why=f"{words}, and counts the prompts' tokens: the same without them",
        ),
        "kto": Loss(
            get("kto", beta=0.3),
            "trl:KTO",
            {"beta": 0.3},
            reference=True,
            tolerance=None,
            why="TRL estimates KTO's reference point on answers to other prompts, ours on the "
            "pairs' own, so that no second forward pass is needed",
        ),
    }


@dataclass(frozen=True)
class Size:
    """How large the model and its batches are."""

    steps: int = 8
    batch: int = 4
    answer: int = 24
    hidden: int = 64
    layers: int = 2
    vocabulary: int = 1024
    accumulation: int = 1


def main(
    out: Path | None = None,
    only: str | None = None,
    repeats: int = 5,
    minutes: float = 7.0,
    memory: bool = True,
    threads: int | None = None,
    size: tyro.conf.OmitArgPrefixes[Size] = Size(),
    one: str | None = None,
) -> None:
    """Compare, and print a line for each loss.

    Args:
        out: file for the figures, as JSON.
        only: losses, with commas between.
        repeats: pairs of runs that are timed, after one that is not.
        minutes: after so many, shared by the losses alike, no further repeat begins; the first one
            of each loss always runs.
        memory: measure memory too, in two processes for each loss.
        threads: PyTorch's threads; None for its own choice. One is best for so small a model on a
            machine that others use too.
        size: the model's sizes.
        one: LOSS:ours or LOSS:trl: only measure its memory, as the command does in processes of
            their own.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    known = losses(size.answer + 1)
    if one is not None:
        name, side = one.split(":")
        print(json.dumps({"mib": _peak(known[name], side, size)}))
        return
    names = list(known) if only is None else [name.strip() for name in only.split(",")]
    for name in names:
        if name not in known:
            fail(f"Unknown loss {name!r}; the losses are {', '.join(known)}.")
    found = []
    began = time.perf_counter()
    for number, name in enumerate(names, start=1):
        line: dict[str, Any] = {"loss": name, "trainer": known[name].trainer.rpartition(":")[2]}
        if memory:
            line |= {f"{side}_mib": _in_a_process(name, side, size) for side in ("ours", "trl")}
        until = began + 60.0 * minutes * number / len(names)
        line |= compare(known[name], size, repeats, until)
        found.append(line)
        print(_as_text(line), flush=True)
    print(as_table(found))
    if out is not None:
        content = {"machine": versions.machine(), "versions": versions.installed(language=True)}
        content |= {"git_commit": versions.git_commit(), "size": asdict(size), "lines": found}
        files.write_json(out, content)
    if wrong := [line["loss"] for line in found if line["equal"] is False]:
        fail(f"The losses of {', '.join(wrong)} are not TRL's.")


def compare(loss: Loss, size: Size, repeats: int, until: float = math.inf) -> dict[str, Any]:
    """Curves of both trainers, and seconds of up to `repeats` pairs of runs.

    Args:
        until: time by `time.perf_counter` after which no pair of runs begins, except the first.
    """
    curves = {side: run(loss, side, size)[0] for side in ("ours", "trl")}
    seconds: dict[str, list[float]] = {"ours": [], "trl": []}
    for repeat in range(repeats):
        if repeat and time.perf_counter() >= until:
            break
        # Which is first alternates: the machine may get faster or slower meanwhile.
        for side in sorted(seconds, reverse=repeat % 2 == 1):
            seconds[side].append(run(loss, side, size)[1])
    ours, theirs = (np.array(curves[side]) for side in ("ours", "trl"))
    differs = float(np.abs(ours - theirs).max())
    limit = None if loss.tolerance is None else loss.tolerance * float(np.abs(theirs).max())
    line = {
        "steps": len(ours),
        "largest_difference": differs,
        "equal": None if limit is None else differs <= limit,
        "ours": [float(value) for value in ours],
        "trl": [float(value) for value in theirs],
    }
    if repeats:
        ratios = [a / b for a, b in zip(seconds["ours"], seconds["trl"], strict=True)]
        line |= {f"{side}_seconds": statistics.median(own) for side, own in seconds.items()}
        line |= {"times_trls_seconds": statistics.median(ratios), "ratios": sorted(ratios)}
        line |= {"repeats": len(ratios)}
    return line | ({"why": loss.why} if loss.why else {})


def run(loss: Loss, side: str, size: Size) -> tuple[list[float], float]:
    """Train once: the loss of each step, and the seconds of `train()`."""
    with tempfile.TemporaryDirectory() as folder:
        trainer = made(loss, side, size, folder)
        began = time.perf_counter()
        trainer.train()
        seconds = time.perf_counter() - began
    return [row["loss"] for row in trainer.state.log_history if "loss" in row], seconds


def made(loss: Loss, side: str, size: Size, folder: str, **changes: Any) -> Any:
    """A trainer of either side, "ours" or "trl".

    Args:
        changes: arguments that both trainers take.
    """
    transformers.utils.logging.set_verbosity_error()
    datasets.disable_progress_bars()
    kto = loss.trainer.endswith("KTO")
    arguments = {
        "output_dir": folder,
        "max_steps": size.steps,
        "per_device_train_batch_size": size.batch,
        "gradient_accumulation_steps": size.accumulation,
        "gradient_checkpointing": False,
        "learning_rate": 3e-3,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": [],
        "disable_tqdm": True,
        "bf16": False,
        "use_cpu": not torch.cuda.is_available(),
        # KTO's trainer of TRL takes its rows in their order alone.
        **({"train_sampling_strategy": "sequential"} if kto else {}),
        **changes,
    }
    parts = {"model": model(size, 0), "processing_class": stand_ins.tokenizer()}
    if loss.reference:
        parts["ref_model"] = model(size, 1)
    rows = pairs(size, loss.pairs)
    if side == "ours":
        trainer = PreferenceTrainer(
            objective=loss.objective,
            args=PreferenceConfig(**arguments, sft_stage=False),
            train_dataset=datasets.Dataset.from_list(rows),
            **parts,
        )
    else:
        module, name = loss.trainer.split(":")
        trl = importlib.import_module(module)
        if kto:
            arguments["per_device_train_batch_size"] *= 2
            rows = [row for pair in rows for row in _apart(pair)]
        trainer = getattr(trl, f"{name}Trainer")(
            args=getattr(trl, f"{name}Config")(**arguments, **loss.settings),
            train_dataset=datasets.Dataset.from_list(rows),
            **parts,
        )
    trainer.remove_callback(transformers.PrinterCallback)
    return trainer


def model(size: Size, seed: int) -> Any:
    """A random Llama for the stand-in tokenizer."""
    torch.manual_seed(seed)
    config = transformers.LlamaConfig(
        vocab_size=size.vocabulary,
        hidden_size=size.hidden,
        intermediate_size=2 * size.hidden,
        num_hidden_layers=size.layers,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=4 * size.answer + 64,
        bos_token_id=None,
        eos_token_id=256,
        pad_token_id=257,
    )
    return transformers.LlamaForCausalLM(config)


def pairs(size: Size, kind: str) -> list[dict[str, str]]:
    """Random letters: prompts, and answers of up to `size.answer` tokens."""
    draw = np.random.default_rng(0)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))  # a prompt of spaces is refused

    def text(least: int, most: int) -> str:
        return "".join(draw.choice(letters, draw.integers(least, most + 1)))

    count = size.steps * size.batch * size.accumulation
    shortest = size.answer if kind == ALIKE else size.answer // 2
    prompts = (1, 1) if kind == ALIKE else (1, 8)
    return [
        {
            "prompt": text(*prompts),
            "chosen": text(shortest, size.answer),
            "rejected": text(size.answer // 2, size.answer),
        }
        for _ in range(count)
    ]


def _apart(pair: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {"prompt": pair["prompt"], "completion": pair[side], "label": side == "chosen"}
        for side in ("chosen", "rejected")
    ]


def _peak(loss: Loss, side: str, size: Size) -> float:
    """MiB that training takes beyond what there was, after a step that loads all code."""
    from speed.memory import peak_mib  # where this file is the command, as in such a process

    run(loss, side, replace(size, steps=1, batch=1, answer=4, hidden=8, vocabulary=258))
    gpu = torch.cuda.is_available()
    if gpu:
        torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated() / 2**20 if gpu else peak_mib()
    run(loss, side, size)
    after = torch.cuda.max_memory_allocated() / 2**20 if gpu else peak_mib()
    return after - before


def _in_a_process(name: str, side: str, size: Size) -> float | None:
    options = [f"--{key}={value}" for key, value in asdict(size).items()]
    done = subprocess.run(
        [sys.executable, __file__, f"--one={name}:{side}", *options],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        print(f"{name}: no memory measured: {done.stderr.strip()[-300:]}", file=sys.stderr)
        return None
    return float(json.loads(done.stdout.splitlines()[-1])["mib"])


def as_table(lines: list[dict[str, Any]]) -> str:
    """All losses in Markdown, as docs/performance.md has them."""
    heads = ("loss", "TRL's trainer", "largest difference", "seconds", "TRL's seconds")
    heads = (*heads, "ratio (of each pair of runs)", "MiB", "TRL's MiB", "ratio")
    rows = [heads, ("---", "---", *["---:"] * (len(heads) - 2))]
    for line in lines:
        spread = ", ".join(f"{ratio:.2f}" for ratio in line.get("ratios", ()))
        times = f"{_number(line, 'times_trls_seconds')} ({spread})" if spread else "-"
        ours, theirs = line.get("ours_mib"), line.get("trl_mib")
        of_memory = f"{ours / theirs:.2f}" if ours is not None and theirs else "-"
        seconds = (_number(line, f"{side}_seconds") for side in ("ours", "trl"))
        mib = (_number(line, f"{side}_mib") for side in ("ours", "trl"))
        differs = f"{line['largest_difference']:.1g}"
        rows.append((line["loss"], line["trainer"], differs, *seconds, times, *mib, of_memory))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _number(line: dict[str, Any], name: str) -> str:
    return "-" if line.get(name) is None else f"{line[name]:.3g}"


def _as_text(line: dict[str, Any]) -> str:
    def number(name: str) -> str:
        return _number(line, name)

    equal = {True: "equal", False: "NOT EQUAL", None: "another loss"}[line["equal"]]
    return (
        f"{line['loss']:<6} {line['steps']} steps, largest difference "
        f"{line['largest_difference']:.2g} ({equal}), seconds {number('ours_seconds')} "
        f"to {number('trl_seconds')}: {number('times_trls_seconds')} times, "
        f"MiB {number('ours_mib')} to {number('trl_mib')}"
    )


if __name__ == "__main__":
    tyro.cli(main)
