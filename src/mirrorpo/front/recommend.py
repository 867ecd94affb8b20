"""``mirrorpo.recommend``: what a preference dataset is like, and which objectives suit it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mirrorpo import files, places, runs
from mirrorpo.front.options import PathOrPaths, paths
from mirrorpo.front.run_folder import PathLike, Progress, as_path, as_text, silent
from mirrorpo.front.settings import RecommendSettings, assignments
from mirrorpo.runtime.start import start_jax

if TYPE_CHECKING:
    import pandas as pd

    from mirrorpo.advising.advice import Recommendation
    from mirrorpo.advising.conditions import Conditions
    from mirrorpo.advising.pairs import Pairs
    from mirrorpo.preference_texts.reading import PreferenceTexts

ROBOTS, TEXTS, GIVEN = "Robots", "A small language model", "Your benches"
_MARK = '"recommendations"'
_SCORED = 512
# Reading, features, five preference models, and the evidence.
_STEPS = 8

ColumnNames = Mapping[str, str | None] | Sequence[str]
"""A dataset's own names of prompt, chosen and rejected, or texts such as ``prompt=question``."""


@runs.holding()
def recommend(
    data: PathLike,
    *,
    policy: PathLike | None = RecommendSettings.policy,
    model: PathLike | None = RecommendSettings.model,
    results: PathOrPaths = RecommendSettings.results,
    format: str = RecommendSettings.format,
    columns: ColumnNames = RecommendSettings.columns,
    split: str | None = RecommendSettings.split,
    seed: int = RecommendSettings.seed,
    out: PathLike | None = None,
    progress: Progress = silent,
) -> DatasetAdvice:
    """Estimate what a preference dataset is like, and name the objectives that won on such data.

    Args:
        data: a dataset of `mirrorpo data generate` (.safetensors), or texts with the columns
            prompt, chosen and rejected: .jsonl, .json, .csv, .parquet, or a folder; see
            docs/howto/pairs.md.
        policy: for robots, the reference policy's name or file, for how likely the data are.
        model: for texts, the reference model, for the same (extra `llm`): a folder, a hub's name,
            or smollm2. It scores at most 512 pairs, drawn by the seed.
        results: tables of bench results, tables/results.csv of `mirrorpo report`, in place of
            those that come with MirrorPO.
        format: how texts are laid out: auto, pairs, hh, orca, sharegpt, shp or kto.
        columns: names of a dataset of texts for prompt, chosen and rejected, as in ``{"prompt":
            "question"}``; None leaves one out.
        split: the split of a folder of texts, or a part of it, as in train[:1000].
        seed: the seed of folds and draws.
        out: JSON file for all figures; nothing is written by default.
        progress: told what is done, of how much, and what is being done.

    Raises:
        ValueError: no such file, another format, a row that states no pair, too few pairs, or a
            file of results that is none.
    """
    seed = RecommendSettings(seed=seed).seed
    file = as_path(data, "data")
    target = None if out is None else as_path(out, "out")
    if target is not None:
        places.check_replaceable(target, f"--out {target}", _MARK)
    progress(0, _STEPS, "reading")
    texts = None if file.suffix == ".safetensors" else _texts(file, split, format, columns)
    if texts is None and (columns or split or format != RecommendSettings.format):
        raise ValueError("--format, --columns and --split are for texts, not for trajectories.")
    from mirrorpo.advising import advice, conditions, evidence_files, words

    if target is not None:
        runs.claim_replaceable(target, _MARK)
    progress(1, _STEPS, "features")
    found = _as_pairs(file, texts, seed)
    progress(2, _STEPS, "preference models")
    if policy is not None:
        of_policy = _under_policy(file, as_text(policy, "policy"), found.kind)
        found = dataclasses.replace(found, reference=of_policy)
    if model is not None:
        of_model = _under_model(texts, as_text(model, "model"), seed)
        found = dataclasses.replace(found, reference=of_model)
    facts = conditions.estimate(
        found, seed, lambda models: progress(2 + models, _STEPS, "preference models")
    )
    tables = paths(results)
    if tables:
        evidence = {GIVEN: evidence_files.tables(tables)}
    elif found.kind == "texts":
        evidence = {TEXTS: evidence_files.texts(), ROBOTS: evidence_files.robots()}
    else:
        evidence = {ROBOTS: evidence_files.robots()}
    ranked = {name: advice.recommend(facts, given, seed) for name, given in evidence.items()}
    progress(_STEPS, _STEPS, "evidence")
    if target is not None:
        files.write_json(target, words.document(facts, ranked))
    return DatasetAdvice(facts, ranked, () if texts is None else tuple(texts.notes))


@dataclass(frozen=True, eq=False, repr=False)
class DatasetAdvice:
    """A dataset's conditions, and the objectives that did best on such data.

    Attributes:
        facts: what the dataset is like: rate of wrong labels, near-equal pairs, lengths, coverage.
        recommendations: by what was measured: "Robots", "A small language model", or
            "Your benches".
        notes: what the reader of texts says of them.
    """

    facts: Conditions
    recommendations: Mapping[str, Recommendation]
    notes: tuple[str, ...]

    @property
    def table(self) -> pd.DataFrame:
        """One row per objective and kind of evidence, the best first.

        Its columns: evidence, algorithm, text (what `mirrorpo.objective` takes), score (0 is the
        worse source agent, 1 the better), error, best (probability to be the best).
        """
        import pandas as pd

        rows = [
            (name, item.algorithm, item.text, item.score, item.error, item.best)
            for name, found in self.recommendations.items()
            for item in found.ranking
        ]
        columns = ["evidence", "algorithm", "text", "score", "error", "best"]
        return pd.DataFrame(rows, columns=columns)

    @property
    def lines(self) -> tuple[str, ...]:
        """All of it in words, in at most 80 columns; commands are whole lines."""
        from mirrorpo.advising import words

        said = [*self.notes, *words.about(self.facts)]
        for name, ranking in self.recommendations.items():
            said += words.advice(name, ranking)
        if self.facts.kind == "texts" and ROBOTS in self.recommendations:
            said += words.on_texts(self.recommendations[ROBOTS])
        else:
            for ranking in self.recommendations.values():
                said += words.use(ranking, self.facts.kind)
        return tuple(words.wrapped(said))

    def save(self, file: PathLike) -> Path:
        """Write all figures to a JSON file."""
        from mirrorpo.advising import words

        path = as_path(file, "file")
        files.write_json(path, words.document(self.facts, self.recommendations))
        return path

    def __str__(self) -> str:
        return "\n".join(self.lines)

    def __repr__(self) -> str:
        return f"DatasetAdvice({self.facts.pairs} pairs of {self.facts.kind})"

    def _repr_html_(self) -> str:
        return str(self.table.groupby("evidence", sort=False).head(5).to_html(index=False))


def _texts(data: Path, split: str | None, layout: str, columns: ColumnNames) -> PreferenceTexts:
    from mirrorpo.preference_texts import reading

    if isinstance(columns, str):
        columns = (columns,)
    names: Mapping[str, str | None]
    if isinstance(columns, Mapping):
        names = columns
    else:
        given = assignments(columns, "--columns", "write name=column, as in prompt=question.")
        names = {name: None if own in ("", "null", "none") else own for name, own in given.items()}
    return reading.read(
        data, split, reading.Reading(layout, names, "--format", "--columns"), reference=True
    )


def _as_pairs(data: Path, texts: PreferenceTexts | None, seed: int) -> Pairs:
    if texts is not None:  # needs no simulator, which takes seconds to start
        from mirrorpo.advising import text_pairs

        return text_pairs.from_texts(texts, seed)
    start_jax()
    from mirrorpo.advising import trajectory_pairs
    from mirrorpo.preferences.data import PreferenceDataset

    return trajectory_pairs.from_trajectories(PreferenceDataset.load(data), seed)


def _under_policy(data: Path, name: str, kind: str) -> np.ndarray:
    if kind != "trajectories":
        raise ValueError(
            "--policy is for robots' trajectories. Texts are scored by --model, or bring their "
            "reference's log-probs in the columns ref_chosen_logps and ref_rejected_logps."
        )
    from mirrorpo.advising import reference
    from mirrorpo.agents import agent_files
    from mirrorpo.preferences.data import PreferenceDataset

    return reference.log_probs(PreferenceDataset.load(data), agent_files.load(name)[0])


def _under_model(texts: PreferenceTexts | None, name: str, seed: int) -> np.ndarray:
    if texts is None:
        raise ValueError("--model is for texts. Robots' trajectories are scored by --policy.")
    from mirrorpo.language.models import pair_scores

    drawn = np.random.default_rng(seed).permutation(len(texts.rows))[:_SCORED]
    return pair_scores.mean_log_probs(name, [texts.rows[i] for i in drawn])
