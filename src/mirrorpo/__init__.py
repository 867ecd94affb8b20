"""MirrorPO: measure, discover and transfer preference-optimisation objectives.

>>> import mirrorpo as mpo
>>> mpo.objective("dpo[beta=3]").beta
3.0

One function for each command of the command line, with the same names and defaults. This module is
light: JAX, PyTorch and pandas are imported by the function that needs them.
"""

import importlib
from typing import TYPE_CHECKING

from mirrorpo import lazy

if TYPE_CHECKING:
    from mirrorpo import objectives as objectives
    from mirrorpo.front.agents import AgentTraining as AgentTraining
    from mirrorpo.front.agents import PickedAgent as PickedAgent
    from mirrorpo.front.agents import list_agents as list_agents
    from mirrorpo.front.agents import pick_agent as pick_agent
    from mirrorpo.front.agents import train_agent as train_agent
    from mirrorpo.front.align import Alignment as Alignment
    from mirrorpo.front.align import align as align
    from mirrorpo.front.bench import BenchResult as BenchResult
    from mirrorpo.front.bench import bench as bench
    from mirrorpo.front.data import DataFile as DataFile
    from mirrorpo.front.data import generate as generate
    from mirrorpo.front.data import import_data as import_data
    from mirrorpo.front.data import label as label
    from mirrorpo.front.discover import DiscoveryResult as DiscoveryResult
    from mirrorpo.front.discover import discover as discover
    from mirrorpo.front.evaluate import Evaluation as Evaluation
    from mirrorpo.front.evaluate import evaluate as evaluate
    from mirrorpo.front.explain import Explanation as Explanation
    from mirrorpo.front.explain import explain as explain
    from mirrorpo.front.judge import Judgement as Judgement
    from mirrorpo.front.judge import judge as judge
    from mirrorpo.front.objectives import list_objectives as list_objectives
    from mirrorpo.front.recommend import DatasetAdvice as DatasetAdvice
    from mirrorpo.front.recommend import recommend as recommend
    from mirrorpo.front.report import Report as Report
    from mirrorpo.front.report import report as report
    from mirrorpo.front.robots import Drawing as Drawing
    from mirrorpo.front.robots import LimbComparison as LimbComparison
    from mirrorpo.front.robots import calibrate as calibrate
    from mirrorpo.front.robots import limbs as limbs
    from mirrorpo.front.robots import render as render
    from mirrorpo.front.submit import SubmissionResult as SubmissionResult
    from mirrorpo.front.submit import Verification as Verification
    from mirrorpo.front.submit import submit as submit
    from mirrorpo.front.submit import verify as verify
    from mirrorpo.front.train import TrainResult as TrainResult
    from mirrorpo.front.train import train as train
    from mirrorpo.objectives.naming import objective as objective
    from mirrorpo.reporting.robots.calibration_run import Calibrated as Calibrated
    from mirrorpo.simulation import tasks as tasks

    __version__: str

_HOMES = {
    "AgentTraining": "front.agents",
    "Alignment": "front.align",
    "BenchResult": "front.bench",
    "Calibrated": "reporting.robots.calibration_run",
    "DataFile": "front.data",
    "DatasetAdvice": "front.recommend",
    "DiscoveryResult": "front.discover",
    "Drawing": "front.robots",
    "Evaluation": "front.evaluate",
    "Explanation": "front.explain",
    "Judgement": "front.judge",
    "LimbComparison": "front.robots",
    "PickedAgent": "front.agents",
    "Report": "front.report",
    "SubmissionResult": "front.submit",
    "TrainResult": "front.train",
    "Verification": "front.submit",
    "align": "front.align",
    "bench": "front.bench",
    "calibrate": "front.robots",
    "discover": "front.discover",
    "evaluate": "front.evaluate",
    "explain": "front.explain",
    "generate": "front.data",
    "import_data": "front.data",
    "judge": "front.judge",
    "label": "front.data",
    "limbs": "front.robots",
    "list_agents": "front.agents",
    "list_objectives": "front.objectives",
    "objective": "objectives.naming",
    "pick_agent": "front.agents",
    "recommend": "front.recommend",
    "render": "front.robots",
    "report": "front.report",
    "submit": "front.submit",
    "train": "front.train",
    "train_agent": "front.agents",
    "verify": "front.submit",
}
_MODULES = {"objectives": "objectives", "tasks": "simulation.tasks"}

__all__ = [*_HOMES, *_MODULES]


if not TYPE_CHECKING:  # to which a typing error of a name would be no error

    def __getattr__(name: str) -> object:
        if name == "__version__":
            from mirrorpo.versions import package_version

            return package_version()
        if name == "tasks":  # a robot starts JAX, which then has the devices that it has
            from mirrorpo.runtime.start import start_jax

            start_jax()
        if name in _MODULES:
            return importlib.import_module(f"{__name__}.{_MODULES[name]}")
        return lazy.attribute(__name__, _HOMES, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
