"""From a file of trajectories, and one of labels where there is one, to a pool or a dataset."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mirrorpo import files, places, runs, versions
from mirrorpo.preferences.data import FORMAT_VERSION, Pool, PreferenceDataset
from mirrorpo.preferences.own import exchange, label_files, labelling, minari, pooling, steps
from mirrorpo.preferences.own.columns import parse_names
from mirrorpo.preferences.own.cutting import beyond_motors
from mirrorpo.preferences.own.settings import ImportSettings
from mirrorpo.preferences.own.steps import Steps
from mirrorpo.simulation import tasks


def run(file: Path, out: Path, settings: ImportSettings) -> list[str]:
    """Read a file, and write a pool, or a labelled dataset where there are labels.

    Args:
        file: .npz, .hdf5, .parquet, or a Minari dataset's folder.
        out: file to write, ending in .safetensors.
        settings: how it is read.

    Returns:
        What was made of it, in lines for the user.

    Raises:
        ValueError: a fault of a file or an option, in one line; nothing is written then.
        ModuleNotFoundError: the file takes a package that is not installed.
    """
    places.check_new(out, f"--out {out}", files.WITH_CARD)
    settings.check()
    made, read = _make(file, settings)
    runs.claim_file(out, files.WITH_CARD)
    made.save(out)
    lines = [f"{out}: {made.rows} pairs, {len(made.trajectories)} trajectories of {read.where}."]
    return [*lines, *_told(made), *filter(None, [beyond_motors(read)])]


def _make(file: Path, settings: ImportSettings) -> tuple[Pool | PreferenceDataset, Steps]:
    renamed = parse_names(settings.columns)
    with steps.opened(file) as columns:
        if exchange.is_ours(columns) and not settings.pairs_anew:
            settings.refuse_for_pool(columns.where)
            read = steps.from_columns(columns, renamed, exchange.COLUMNS)
            pool = exchange.restore(read, columns)
            return Pool(pool.trajectories, {**pool.card, **_origin(file, read)}, pool.members), read
        others = [name for name in (settings.sources, settings.start) if name is not None]
        read = steps.from_columns(columns, renamed, others)
    made: Pool | PreferenceDataset
    if settings.labels is None:
        made = pooling.make(read, settings)
        card = _card(file, read, made, settings)
        return Pool(made.trajectories, card, made.members), read
    labels = label_files.read(settings.labels, settings.one, settings.minus_one)
    made = labelling.make(read, labels, settings)
    card = _card(file, read, made, settings)
    card["labels"] |= {"file": settings.labels.name, "sha256": files.checksum(settings.labels)}
    return PreferenceDataset(made.trajectories, made.chosen, made.rejected, card), read


def _card(
    file: Path, read: Steps, made: Pool | PreferenceDataset, settings: ImportSettings
) -> dict[str, Any]:
    longest = int(read.length.max())
    if settings.episode_length is not None:
        if settings.episode_length < longest:
            raise ValueError(
                f"episode_length is {settings.episode_length}, but {read.where} has an episode of "
                f"{longest} steps: name at least as many."
            )
        longest = settings.episode_length
    name = settings.name or read.environment or file.stem
    task: Mapping[str, Any] = {"task": name, "backend": None, "episode_length": longest}
    if settings.task is not None:
        own = tasks.load(settings.task, settings.backend, longest)
        sizes = read.observations.shape[1], read.actions.shape[1]
        if sizes != (own.observation_size, own.action_size):
            raise ValueError(
                f"--task {own.name} has {own.observation_size} observations and {own.action_size} "
                f"actions, but {read.where} {sizes[0]} and {sizes[1]}: leave --task out, or name "
                "the task that it is of."
            )
        task = tasks.on_card(own)
    return {
        "format_version": FORMAT_VERSION,
        **task,
        **made.card,
        **_origin(file, read),
        "versions": versions.installed(),
    }


def _origin(file: Path, read: Steps) -> dict[str, Any]:
    folder = minari.folder_of(file) if file.is_dir() else None
    content = folder / minari.STEPS if folder else file
    return {
        "origin": {
            "file": file.name,
            "sha256": files.checksum(content),
            "environment": read.environment,
        }
    }


def _told(made: Pool | PreferenceDataset) -> list[str]:
    """What a card says of what was made, in lines."""
    card = made.card
    if isinstance(made, Pool):
        lines = [
            f"{role}: {card[role].get('name')}"
            + (
                f", {card[role]['episodes']} episodes of mean return {card[role]['return_mean']:g}"
                if "episodes" in card[role]
                else ""
            )
            for role in ("better", "worse")
            if isinstance(card.get(role), Mapping)
        ]
        counts = card.get("episodes")
        left_out = {
            k: v for k, v in (counts or {}).items() if v and k not in ("in the file", "used")
        }
        if left_out:
            listed = ", ".join(f"{count} {name}" for name, count in left_out.items())
            lines.append(f"Episodes left out: {listed}.")
        if card.get("same_start") is False:
            lines.append("The episodes of a pair begin in different states.")
    else:
        found = card["labels"]
        becomes = "left out" if found["ties"] == "drop" else "there in both orders"
        lines = [
            f"Of {found['pairs']} labelled pairs {found['preferred']} prefer one segment; "
            f"{found['equal']} are equal ({becomes}), {found['skipped']} skipped, "
            f"{found['of one segment']} of one segment with itself."
        ]
    return lines
