"""``mirrorpo judge``: two models' answers, compared by a judge."""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Annotated, Any

import tyro

from mirrorpo.cli.console import console, progress


def judge(
    model: Annotated[str, tyro.conf.Positional],
    baseline: str | None = None,
    prompts: Path | None = None,
    by: Annotated[str, tyro.conf.arg(name="judge")] = "vader",
    adapter: str | None = None,
    baseline_adapter: str | None = None,
    difficulty: Path | None = None,
    max_new_tokens: int = 512,
    temperature: float = 0.7,
    top_p: float = 1.0,
    batch_size: int = 8,
    seed: int = 0,
    out: Path | None = None,
    cache: Path | None = None,
) -> None:
    """Win rate of a model's answers, plain and length-controlled, by a judge (extra `llm`).

    Answers come from a file, or are generated. Without a baseline they are only generated. An
    interrupted run continues with the same command, and no call of a judge is made twice.

    Args:
        model: a file of answers (instruction, output, generator): .json, .jsonl, .csv or
            .parquet; or a model: a folder, also one of `mirrorpo align`, a hub's name, or smollm2.
        baseline: the same, to compare with.
        prompts: a file of instructions, of the same kinds. A model answers them; of a file of
            answers only these count.
        by: vader; PATH.py:FUNCTION, a score from (instruction, output), run as code; or a .yaml
            file that names a language model at an OpenAI-compatible endpoint, as in
            recipes/judges/.
        adapter: a LoRA adapter for the model.
        baseline_adapter: one for the baseline.
        difficulty: alpaca_eval's df_gamed.csv, for the length-controlled rate on its own
            instructions.
        max_new_tokens: at which an answer is cut.
        temperature: of the samples; 0 takes the likeliest token.
        top_p: share of the probability that is sampled from.
        batch_size: answers at once.
        seed: of the answers and of the bootstrap.
        out: run folder; by default runs/judge-MODEL-... named by the settings.
        cache: folder of what judges have said; the user's cache by default.
    """
    from mirrorpo import runs
    from mirrorpo.language import answers, generation
    from mirrorpo.language.judging import run
    from mirrorpo.runtime import cache as kept

    if baseline is not None:
        kept.check(cache)
    decoding = generation.Decoding(max_new_tokens, temperature, top_p, batch_size, seed)
    chosen = run.load_judge(by) if baseline is not None else None
    instructions = None if prompts is None else answers.read_instructions(prompts)
    contestants = [run.Contestant(model, adapter)]
    if baseline is not None:
        contestants.append(run.Contestant(baseline, baseline_adapter))
    settings = {
        "contestants": [_identity(contestant) for contestant in contestants],
        "instructions": instructions and hashlib.sha256(repr(instructions).encode()).hexdigest(),
        "decoding": dataclasses.asdict(decoding),
        "judge": chosen and run.description(chosen),
        "difficulty": None if difficulty is None else str(difficulty),
    }
    for contestant in contestants:
        if contestant.is_file:
            given = answers.read(Path(contestant.name))
            if instructions is not None:
                answers.select(given, instructions, Path(contestant.name))
        elif instructions is None:
            raise ValueError(f"{contestant.name} is a model: name what it answers by --prompts.")
    name = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]
    out = out or runs.default_out("judge", f"{Path(model).stem}-{name}")
    runs.claim(out, settings)
    _without_bars()
    with progress("done") as report:
        prepared = [
            run.prepare(contestant, instructions, decoding, out, role, report)
            for contestant, role in zip(contestants, ("model", "baseline"), strict=False)
        ]
        if chosen is None:
            console.print(f"{len(prepared[0])} answers of {model} are in {out}.")
            return
        results = run.compare(
            prepared[0], prepared[1], chosen, out, difficulty, seed, cache, report
        )
    console.print(results["what"])
    for key, label in (
        ("win_rate", "win rate"),
        ("length_controlled_win_rate", "length-controlled win rate"),
    ):
        if results[key] is not None:
            console.print(f"{label}: {_text(results[key], results['pairs'])}")
    for note in results["notes"]:
        console.print(note)
    console.print(f"Every verdict is in {out / runs.METRICS}.")


def _identity(contestant: Any) -> dict[str, str | None]:
    """What the run's settings say of a contestant: of a file, its content."""
    from mirrorpo import files

    path = Path(contestant.name)
    found = dataclasses.asdict(contestant)
    if contestant.is_file and path.is_file():
        found["sha256"] = files.checksum(path)
    return found


def _text(rate: dict[str, float | None], pairs: int) -> str:
    if rate["standard_error"] is None:
        why = "one pair" if pairs == 1 else "not defined on too many resamples of so few pairs"
        return f"{rate['value']:.1f} % (no error: {why})"
    return (
        f"{rate['value']:.1f} ± {rate['standard_error']:.1f} % "
        f"[{rate['low']:.1f}, {rate['high']:.1f}]"
    )


def _without_bars() -> None:
    from mirrorpo.language.trl_names import transformers

    transformers.utils.logging.disable_progress_bar()
