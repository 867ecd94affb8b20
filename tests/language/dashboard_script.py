"""A user's script, run twice: by TRL's trainer and with the one import changed, reporting to a
service. Services read where to write when they are imported, so this has a process of its own.

    python -m tests.language.dashboard_script SERVICE FOLDER
"""

import json
import sys
from importlib import import_module
from pathlib import Path

import trl

from mirrorpo.language import DPOTrainer

from .test_dpo_script import script

RUNS = {"ours": DPOTrainer, "theirs": trl.DPOTrainer}


def main(service, folder):
    for name, trainer_class in RUNS.items():
        settings = {"max_steps": 4, "eval_strategy": "steps", "eval_steps": 2}
        made = script(trainer_class, folder, report_to=[service], run_name=name, **settings)
        (folder / f"{name}.json").write_text(json.dumps(made.state.log_history))
        if service == "wandb":  # whose callback leaves a run open, and would report both to it
            import_module(service).finish()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
