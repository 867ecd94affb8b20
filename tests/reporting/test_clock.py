"""What a run of `agents train` took, by the clock of its log."""

import json

import pytest

from mirrorpo.reporting.page import trainings
from mirrorpo.reporting.page.folders import Folder


def test_the_first_stretch_after_a_continuation_counts_too(tmp_path):
    clock = [10.0, 30.0, 4.0, 9.0]
    lines = [
        {"environment_steps": 100 * (at + 1), "return_mean": 1.0, "seconds": seconds}
        for at, seconds in enumerate(clock)
    ]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    ppo = {"total_steps": 400, "environments": 10, "rollout_steps": 10}
    settings = {"task": "hopper", "settings": ppo}
    folder = Folder(tmp_path, "run", "agents train", settings, {}, None, {}, None)
    assert trainings.read(folder).seconds == pytest.approx(30.0 + 9.0)
