"""``mirrorpo recommend``: what a preference dataset is like, and which objectives suit it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from mirrorpo.cli.console import console, start_jax

if TYPE_CHECKING:
    from mirrorpo.preference_texts.reading import PreferenceTexts
    from mirrorpo.recommend.advice import Recommendation
    from mirrorpo.recommend.conditions import Conditions

_SHOWN = 5
_SCORED = 512
_SURE, _LIKELY = 0.9, 0.5
_WEAK = 0.35
ROBOTS, TEXTS, GIVEN = "Robots", "A language model", "Your benches"
_ABOUT_TEXTS = (
    "What was measured on a language model is of one small model, few agents, and hyper-parameters "
    "that were not tuned; what was measured on robots is tuned, and of another kind. Both are a "
    "first guess, to be tried beside what you use now."
)


def recommend(
    data: Annotated[Path, tyro.conf.Positional],
    policy: str | None = None,
    model: str | None = None,
    results: tuple[Path, ...] = (),
    layout: Annotated[str, tyro.conf.arg(name="format")] = "auto",
    columns: tuple[str, ...] = (),
    split: str | None = None,
    seed: int = 0,
    out: Path | None = None,
) -> None:
    """Estimate what a preference dataset is like, and name the objectives that won on such data.

    The rate of wrong labels comes from preference models trained on the other pairs; see
    docs/recommend.md for how good the estimates are.

    Args:
        data: a dataset of `mirrorpo data generate` (.safetensors), or texts with the columns
            prompt, chosen and rejected: .jsonl, .json, .csv, .parquet, or a folder; see
            docs/howto/pairs.md. Columns ref_chosen_logps and ref_rejected_logps, a reference's
            summed log-probs, are used where they are there.
        policy: for robots, the reference policy's name or file, for how likely the data are.
        model: for texts, the reference model, for the same (extra `llm`): a folder, a hub's name,
            or smollm2. It scores at most 512 pairs, drawn by the seed.
        results: tables of bench results, tables/results.csv of `mirrorpo report`, in place of
            those that come with MirrorPO.
        layout: how texts are laid out: auto, pairs, hh, orca, sharegpt, shp or kto.
        columns: names of a dataset of texts for prompt, chosen and rejected, as in `--columns
            prompt=question images=null`; null leaves one out.
        split: of a folder of texts, or a part of it, as in train[:1000].
        seed: of folds and draws.
        out: JSON file for all figures; nothing is written by default.
    """
    from mirrorpo import files, places

    if out is not None:
        if out.is_dir():
            raise ValueError(f"--out {out} is a folder: name a JSON file.")
        places.check(out, f"--out {out}")
    texts = None if data.suffix == ".safetensors" else _texts(data, split, layout, columns)
    if texts is None and (columns or split or layout != "auto"):
        raise ValueError("--format, --columns and --split are for texts, not for trajectories.")
    start_jax()
    from mirrorpo.recommend import advice, conditions, pairs

    found = pairs.read(data) if texts is None else pairs.from_texts(texts)
    if policy is not None:
        found = dataclasses.replace(found, reference=_under_policy(data, policy, found.kind))
    if model is not None:
        found = dataclasses.replace(found, reference=_under_model(texts, model, seed))
    facts = conditions.estimate(found, seed)
    evidence = {GIVEN: list(results)} if results else {ROBOTS: advice.shipped("robots")}
    if found.kind == "texts" and not results:
        evidence = {TEXTS: advice.shipped("texts"), **evidence}
    ranked = {
        name: advice.recommend(facts, advice.evidence(paths), seed)
        for name, paths in evidence.items()
    }
    if out is not None:
        files.write_json(out, _document(facts, ranked))
    for line in () if texts is None else texts.notes:
        console.print(line)
    for line in _about(facts):
        console.print(line)
    for name, ranking in ranked.items():
        for line in _advice(name, ranking):
            console.print(line)
    if facts.kind == "texts" and ROBOTS in ranked:
        console.print(_ABOUT_TEXTS)
    if out is not None:
        console.print(f"{out} holds all figures.")


def _texts(data: Path, split: str | None, layout: str, columns: tuple[str, ...]) -> PreferenceTexts:
    from mirrorpo.preference_texts import reading

    names: dict[str, str | None] = {}
    for text in columns:
        name, equals, own = text.partition("=")
        if not equals or not name:
            raise ValueError(f"--columns {text!r}: write name=column, as in prompt=question.")
        names[name] = None if own in ("", "null", "none") else own
    how = reading.Reading(layout, names, "--format", "--columns")
    return reading.read(data, split, how, reference=True)


def _under_policy(data: Path, name: str, kind: str) -> Any:
    from mirrorpo.agents import files as agent_files
    from mirrorpo.preferences.data import PreferenceDataset
    from mirrorpo.recommend import reference

    if kind != "trajectories":
        raise ValueError(
            "--policy is for robots' trajectories. Texts are scored by --model, or bring their "
            "reference's log-probs in the columns ref_chosen_logps and ref_rejected_logps."
        )
    return reference.log_probs(PreferenceDataset.load(data), agent_files.load(name)[0])


def _under_model(texts: PreferenceTexts | None, name: str, seed: int) -> Any:
    import numpy as np

    if texts is None:
        raise ValueError("--model is for texts. Robots' trajectories are scored by --policy.")
    from mirrorpo.language import pair_scores

    drawn = np.random.default_rng(seed).permutation(len(texts.rows))[:_SCORED]
    return pair_scores.mean_log_probs(name, [texts.rows[i] for i in drawn])


def _about(facts: Conditions) -> list[str]:
    noise = facts.noise
    lines = [
        f"{facts.pairs} pairs of {facts.kind}",
        f"wrong labels: {_percent(noise.rate)} (90 % interval {_percent(noise.low)} to "
        f"{_percent(noise.high)}); models trained on other pairs disagree with "
        f"{_percent(noise.disagreement)} of the labels",
        f"pairs of nearly equal quality: {_percent(facts.near_equal)}"
        + (f"; identical: {_percent(facts.identical)}" if facts.identical else ""),
    ]
    if math.isnan(facts.longer_chosen):
        lines.append("length: chosen and rejected are equally long in every pair")
    else:
        lines.append(
            f"length: the chosen is the longer in {_percent(facts.longer_chosen)} of pairs, by a "
            f"factor of {facts.length_ratio:.2f} on average"
        )
    if facts.coverage is not None:
        of = facts.coverage
        lines.append(
            f"reference: log-prob {of.chosen[1]:.2f} of the chosen, {of.rejected[1]:.2f} of the "
            f"rejected (medians, a step, word or token); it prefers the chosen in "
            f"{_percent(of.prefers_chosen)} of pairs; {_percent(of.uncovered)} of the chosen are "
            "less likely than 19 of 20 rejected"
        )
    if noise.disagreement > _WEAK and noise.high - noise.low > 0.15:
        lines.append(
            "The models hardly predict these labels, so noise and their own errors are hard to "
            "tell apart: read the interval, not the number."
        )
    return lines


def _advice(where: str, ranked: Recommendation) -> list[str]:
    if not ranked.ranking:
        return [f"{where}: no objective was measured on all benches with such data."]
    lines = [
        f"{where}: {len(ranked.ranking)} objectives were measured with such data "
        f"({', '.join(ranked.tasks)}), the best first:"
    ]
    for place, item in enumerate(ranked.ranking[:_SHOWN], 1):
        behind = "; ".join(
            f"{task} {variant}: {score:.2f} ± {error:.2f} of {agents} agents"
            for task, variant, score, error, agents, _ in item.figures
        )
        lines.append(
            f"  {place}. {item.algorithm}: {item.score:.2f} ± {item.error:.2f} between the source "
            f"agents; the best with probability {item.best:.2f} ({behind})"
        )
    top = max(item.best for item in ranked.ranking)
    word = "clear" if top >= _SURE else "likely" if top >= _LIKELY else "close"
    sure = {
        "clear": "The first is clearly ahead there.",
        "likely": "The first is probably ahead there.",
        "close": "The first ones are too close to tell apart.",
    }[word]
    task, variant = ranked.nearest
    lines.append(f"{sure} The nearest bench is {variant} of {task}.")
    if ranked.is_far:
        lines.append(
            f"No bench had such data: even the nearest is {ranked.distance:.1f} widths away. Take "
            "this as a first guess."
        )
    return lines


def _document(facts: Conditions, ranked: Mapping[str, Recommendation]) -> dict[str, Any]:
    noise = {k: v for k, v in vars(facts.noise).items() if k != "samples"}
    about = {k: v for k, v in vars(facts).items() if k not in ("noise", "coverage")}
    if math.isnan(facts.longer_chosen):
        about["longer_chosen"] = None
    return {
        **about,
        "noise": noise,
        "coverage": None if facts.coverage is None else vars(facts.coverage),
        "recommendations": {name: dataclasses.asdict(ranking) for name, ranking in ranked.items()},
    }


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
