"""``mirrorpo.judge``: two models' answers, compared by a judge (extra `llm`)."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mirrorpo import files, json_lines, runs, typed
from mirrorpo.front.options import cache_folder, path_of, text_of
from mirrorpo.front.run_folder import (
    Out,
    PathLike,
    Progress,
    ResultInFolder,
    RunFolder,
    choose,
    silent,
    writing,
)
from mirrorpo.front.settings import JudgeSettings

if TYPE_CHECKING:
    import pandas as pd

    from mirrorpo.language.judging.answers import Answer
    from mirrorpo.language.judging.run import Contestant


def judge(
    model: PathLike,
    *,
    baseline: PathLike | None = JudgeSettings.baseline,
    prompts: PathLike | None = JudgeSettings.prompts,
    judge: PathLike = JudgeSettings.judge,
    adapter: PathLike | None = JudgeSettings.adapter,
    baseline_adapter: PathLike | None = JudgeSettings.baseline_adapter,
    difficulty: PathLike | None = JudgeSettings.difficulty,
    max_new_tokens: int = JudgeSettings.max_new_tokens,
    temperature: float = JudgeSettings.temperature,
    top_p: float = JudgeSettings.top_p,
    batch_size: int = JudgeSettings.batch_size,
    seed: int = JudgeSettings.seed,
    out: Out = None,
    cache: PathLike | None = None,
    progress: Progress = silent,
) -> Judgement:
    """Win rate of a model's answers, plain and length-controlled, by a judge.

    Answers come from a file, or are generated. Without a baseline they are only generated. No call
    of a judge is made twice.

    Args:
        model: a file of answers (instruction, output, generator): .json, .jsonl, .csv or
            .parquet; or a model: a folder, also one of `mirrorpo align`, a hub's name, or smollm2.
        baseline: the same, to compare with.
        prompts: a file of instructions, of the same kinds. A model answers them; of a file of
            answers only these count.
        judge: vader; PATH.py:FUNCTION, a score from (instruction, output), run as code; or a .yaml
            file that names a language model at an OpenAI-compatible endpoint.
        adapter: a LoRA adapter for the model.
        baseline_adapter: a LoRA adapter for the baseline.
        difficulty: alpaca_eval's df_gamed.csv, for the length-controlled rate on its own
            instructions.
        max_new_tokens: the most tokens of an answer.
        temperature: the temperature of the samples; 0 takes the likeliest token.
        top_p: share of the probability that is sampled from.
        batch_size: answers at once.
        seed: the seed of the answers and of the bootstrap.
        out: run folder. The same call resumes an interrupted run. By default a temporary
            folder, which is removed with the result; `Judgement.save` keeps it.
        cache: folder of what judges have said; the user's cache by default.
        progress: told what is done, of how much, and what is being done.

    Raises:
        ValueError: a file that holds no answers, a model without prompts, a judge that gives no
            verdict, or a folder of another run.
        ImportError: the extra `llm` is not installed.
    """
    from mirrorpo.language.judging import answers, run
    from mirrorpo.language.judging import difficulty as difficulties
    from mirrorpo.language.models import generation, model_files

    named = typed.check(text_of(model), str, "model")
    given = JudgeSettings(
        baseline=text_of(baseline),
        prompts=path_of(prompts, "prompts"),
        judge=typed.check(text_of(judge), str, "judge"),
        adapter=text_of(adapter),
        baseline_adapter=text_of(baseline_adapter),
        difficulty=path_of(difficulty, "difficulty"),
        max_new_tokens=max_new_tokens,
        temperature=temperature,
        top_p=top_p,
        batch_size=batch_size,
        seed=seed,
    )
    kept = cache_folder(cache) if given.baseline is not None else path_of(cache, "cache")
    decoding = generation.Decoding(
        given.max_new_tokens, given.temperature, given.top_p, given.batch_size, given.seed
    )
    chosen = run.load_judge(given.judge) if given.baseline is not None else None
    instructions = None if given.prompts is None else answers.read_instructions(given.prompts)
    contestants = [run.Contestant(named, given.adapter)]
    if given.baseline is not None:
        contestants.append(run.Contestant(given.baseline, given.baseline_adapter))
    contents: dict[str, str] = {}
    for contestant in contestants:
        if not contestant.is_file:
            contents |= model_files.contents(contestant.name, contestant.adapter)
    if given.difficulty is not None:
        difficulties.check(given.difficulty)
        contents[str(given.difficulty)] = files.checksum(given.difficulty)
    settings = {
        "contestants": [_identity(contestant) for contestant in contestants],
        "instructions": instructions and hashlib.sha256(repr(instructions).encode()).hexdigest(),
        "decoding": dataclasses.asdict(decoding),
        "judge": chosen and run.description(chosen),
        "difficulty": text_of(given.difficulty),
    }
    for contestant in contestants:
        if contestant.is_file:
            if contestant.adapter is not None:
                raise ValueError(
                    f"{contestant.name} is a file of answers: the adapter {contestant.adapter} "
                    "belongs to a model."
                )
            own = answers.read(Path(contestant.name))
            if instructions is not None:
                answers.select(own, instructions, Path(contestant.name))
        elif instructions is None:
            raise ValueError(f"{contestant.name} is a model: name what it answers by --prompts.")
    # Another content is another default folder; where there is none, the name is as of old.
    identity = {**settings, "contents": contents} if contents else settings
    folder = choose(out, "judge", f"{Path(named).stem}-{files.digest(identity)[:8]}")
    with writing(folder) as path:
        runs.claim(path, settings, contents, kind="judge")
        _without_bars()
        prepared = [
            run.prepare(contestant, instructions, decoding, path, role, progress)
            for contestant, role in zip(contestants, ("model", "baseline"), strict=False)
        ]
        results = None
        if chosen is not None:
            results = run.compare(
                prepared[0], prepared[1], chosen, path, given.difficulty, given.seed, kept, progress
            )
    return Judgement(named, prepared[0], results, folder)


@dataclass(frozen=True, eq=False, repr=False)
class Judgement(ResultInFolder):
    """What a judge found.

    Attributes:
        model: as it was named.
        answers: the model's.
        results: all figures, as in results.json; None where there was no baseline.
    """

    model: str
    answers: Sequence[Answer]
    results: Mapping[str, object] | None
    _folder: RunFolder

    @property
    def win_rate(self) -> Mapping[str, float | None] | None:
        """Value, standard_error, low and high in percent; None without a baseline."""
        return self._rate("win_rate")

    @property
    def length_controlled_win_rate(self) -> Mapping[str, float | None] | None:
        """The same with length controlled; None where it is not defined."""
        return self._rate("length_controlled_win_rate")

    @property
    def table(self) -> pd.DataFrame:
        """One row per pair of answers with its verdict; empty without a baseline."""
        import pandas as pd

        return pd.DataFrame(json_lines.read(self.folder / runs.METRICS))

    @property
    def lines(self) -> tuple[str, ...]:
        """What the judge found, in words."""
        if self.results is None:
            return (f"{len(self.answers)} answers of {self.model} are in {self.folder}.",)
        pairs = self.results["pairs"]
        rates = (
            ("win rate", self.win_rate),
            ("length-controlled win rate", self.length_controlled_win_rate),
        )
        notes = self.results["notes"]
        assert isinstance(notes, Sequence)
        return (
            str(self.results["what"]),
            *(f"{label}: {_in_words(rate, pairs)}" for label, rate in rates if rate is not None),
            *notes,
        )

    def _rate(self, name: str) -> Mapping[str, float | None] | None:
        found = None if self.results is None else self.results[name]
        assert found is None or isinstance(found, Mapping)
        return found

    def __str__(self) -> str:
        return "\n".join(self.lines)

    def __repr__(self) -> str:
        return f"Judgement({'; '.join(self.lines[:2])})"


def _in_words(rate: Mapping[str, float | None], pairs: object) -> str:
    if rate["standard_error"] is None:
        why = "one pair" if pairs == 1 else "not defined on too many resamples of so few pairs"
        return f"{rate['value']:.1f} % (no error: {why})"
    return (
        f"{rate['value']:.1f} ± {rate['standard_error']:.1f} % "
        f"[{rate['low']:.1f}, {rate['high']:.1f}]"
    )


def _identity(contestant: Contestant) -> dict[str, str | None]:
    """What the run's settings say of a contestant: of a file, its content."""
    path = Path(contestant.name)
    found = dataclasses.asdict(contestant)
    if contestant.is_file and path.is_file():
        found["sha256"] = files.checksum(path)
    return found


def _without_bars() -> None:
    from mirrorpo.language.trl_names import transformers

    log: Any = transformers.utils.logging  # has no types
    log.disable_progress_bar()
