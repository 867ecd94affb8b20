"""W&B and Trackio keep the numbers that the trainer logs, under the names of TRL's `DPOTrainer`.

Both write to disk here, W&B in its offline mode; what they wrote is read back.
"""

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("trl")

from .dashboard_script import RUNS
from .test_dpo_script import SHARED

# A log's timings differ from run to run; the last line of a training has other numbers.
_TIMINGS = ("runtime", "samples_per_second", "steps_per_second")


def reported(service, folder):
    """Run the script in a folder; what the trainers logged, by run, as the callbacks name it."""
    apart = {"WANDB_DIR": "", "WANDB_CACHE_DIR": "cache", "WANDB_CONFIG_DIR": "config"}
    places = {name: str(folder / part) for name, part in apart.items()}
    offline = {"WANDB_MODE": "offline", "WANDB_SILENT": "true", "OMP_NUM_THREADS": "1"}
    subprocess.run(
        [sys.executable, "-m", "tests.language.dashboard_script", service, str(folder)],
        env={**os.environ, **places, **offline, "TRACKIO_DIR": str(folder / "trackio")},
        cwd=Path(__file__).parents[2],
        check=True,
        timeout=600,
    )
    histories = {run: json.loads((folder / f"{run}.json").read_text()) for run in RUNS}
    return {
        run: [named(row) for row in rows if "train_loss" not in row]
        for run, rows in histories.items()
    }


def named(row):
    """A row of the log history under the names that transformers gives to services."""
    row = dict(row)
    renamed = {"train/global_step": row.pop("step")}
    for name, value in row.items():
        is_eval = name.startswith("eval_")
        renamed[f"eval/{name.removeprefix('eval_')}" if is_eval else f"train/{name}"] = value
    return renamed


def assert_kept(kept, logged):
    """See that a service has every logged number, and TRL's trainer's under the same names."""
    for run, rows in logged.items():
        assert len(rows) == 6
        for found, row in zip(kept[run], rows, strict=True):
            assert found == row
    ours, theirs = (
        {name: [row[name] for row in kept[run] if name in row] for name in names(kept["theirs"])}
        for run in ("ours", "theirs")
    )
    assert {f"train/{name}" for name in SHARED} <= theirs.keys()
    assert {f"eval/{name}" for name in SHARED if "/" in name} <= theirs.keys()
    for name in (*(f"train/{one}" for one in SHARED), "eval/loss", "eval/rewards/margins"):
        assert ours[name] == pytest.approx(theirs[name], rel=2e-4, abs=2e-6), name


def names(rows):
    return {name for row in rows for name in row if name.split("/", 1)[1] not in _TIMINGS}


def test_wandb_keeps_what_is_logged_under_trls_names(tmp_path):
    pytest.importorskip("wandb", reason="wandb is in no extra: pip install wandb")
    logged = reported("wandb", tmp_path)
    files = sorted((tmp_path / "wandb").glob("offline-run-*/run-*.wandb"))
    kept = dict(wandb_run(path.read_bytes()) for path in files)
    assert_kept(kept, logged)


def wandb_run(content):
    """Name and logged numbers of a file of W&B: protocol buffers in LevelDB's log format."""
    from wandb.proto import wandb_internal_pb2

    assert content[:4] == b":W&B", version("wandb")
    at, block, head, part = 7, 2**15, 7, b""
    name, rows = None, []
    while at + head <= len(content):
        if block - at % block < head:  # no head begins so near the end of a block
            at += block - at % block
            continue
        size, kind = int.from_bytes(content[at + 4 : at + 6], "little"), content[at + 6]
        part += content[at + head : at + head + size]
        at += head + size
        if kind not in (1, 4):  # neither whole nor a record's last part
            continue
        record = wandb_internal_pb2.Record.FromString(part)
        part = b""
        if record.WhichOneof("record_type") == "run":
            name = record.run.display_name
        if record.WhichOneof("record_type") == "history":
            items = [(one.key or one.nested_key[0], one.value_json) for one in record.history.item]
            rows.append({key: json.loads(it) for key, it in items if not key.startswith("_")})
    return name, rows[:-1]  # the last one is of the training's end


def test_trackio_keeps_what_is_logged_under_trls_names(tmp_path):
    pytest.importorskip("trackio", reason="trackio is in no extra: pip install trackio")
    logged = reported("trackio", tmp_path)
    (database,) = (tmp_path / "trackio").glob("*.db")
    with contextlib.closing(sqlite3.connect(database)) as opened:
        found = opened.execute("select run_name, metrics from metrics order by step").fetchall()
    kept = {run: [json.loads(row) for name, row in found if name == run][:-1] for run in RUNS}
    assert_kept(kept, logged)
