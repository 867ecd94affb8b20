"""A user's program that calls every function; it is checked by mypy, and not run."""

from collections.abc import Mapping
from pathlib import Path
from typing import assert_type

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

import mirrorpo as mpo
from mirrorpo.objectives import ClosedForm, Objective, PairLogProbs

loss = mpo.objective("dpo[beta=3]")
assert_type(loss, Objective)
assert_type(mpo.objective(Path("found.json"), beta=2.0), Objective)
assert_type(mpo.objectives.get("simpo", beta=2.0, gamma=0.5), Objective)
assert_type(mpo.objectives.available(), tuple[str, ...])
assert_type(mpo.tasks.available(), tuple[str, ...])
log_probs = np.zeros(3, np.float32)
losses: npt.NDArray[np.float32] = loss(PairLogProbs(log_probs, log_probs))

result = mpo.bench(
    task="hopper",
    variants=["base", "noisy:0.1"],
    algorithms=("dpo", Path("found.json"), loss),
    seeds=2,
    time_steps=64,
    out="runs/mine",
)
assert_type(result, mpo.BenchResult)
assert_type(result.plot(), Figure)
assert_type(result.save("kept"), Path)
assert_type(result.settings, Mapping[str, object])
assert_type(mpo.BenchResult.load("kept"), mpo.BenchResult)
table, agents = result.table, result.agents

found = mpo.discover(variants="noisy:0.3", learn=["psi", "link"], against=[loss], generations=4)
assert_type(found, mpo.DiscoveryResult)
assert_type(found.objective, Objective)
assert_type(found.plot(), Figure)
history = found.history

about = mpo.explain(found.objective, max_terms=3)
assert_type(about, mpo.Explanation)
assert_type(about.formula, str)
assert_type(about.error, float)
assert_type(about.closed_form, ClosedForm)
assert_type(about.plot(), Figure)

trained = mpo.train("dpo", "pairs.safetensors", seeds=2, epochs=6)
assert_type(trained, mpo.TrainResult)
assert_type(trained.files, tuple[Path, ...])

pairs = mpo.generate("hopper", variant="noisy:0.3", rows=64)
assert_type(pairs, mpo.DataFile)
mpo.train(loss, pairs)
mpo.bench(data=mpo.import_data("steps.npz", sources="policy", ties="half"), seeds=2)
assert_type(mpo.label("pool.safetensors", variant="base").facts.rows, int)
assert_type(mpo.evaluate("hopper-expert", episodes=3), mpo.Evaluation)

run = mpo.train_agent("hopper", until_return=2060, hidden=[64, 64], out="runs/hopper")
assert_type(run, mpo.AgentTraining)
assert_type(run.plot(), Figure)
chosen = mpo.pick_agent(run, near=1000, name="worse")
assert_type(chosen, mpo.PickedAgent)
assert_type(mpo.evaluate(chosen).return_mean, float)
assert_type(mpo.list_agents()[0].return_mean, float)
assert_type(mpo.list_objectives()[0].name, str)
found_coefficient = mpo.calibrate("ant-original", task="tla", target=1500)
assert_type(found_coefficient, mpo.Calibrated)
assert_type(found_coefficient.rounded, float)
uses = mpo.limbs("ant-original", Path("other.safetensors"), task="tla")
assert_type(uses, mpo.LimbComparison)
assert_type(uses.plot(), Figure)
picture = mpo.render("ant-original", steps=100)
assert_type(picture, mpo.Drawing)
assert_type(picture.save("episode.png"), Path)

advice = mpo.recommend("pairs.jsonl", columns={"prompt": "question"})
assert_type(advice, mpo.DatasetAdvice)
assert_type(advice.facts.noise.rate, float)

aligned = mpo.align("recipe.yaml", set={"learning_rate": 1e-5, "objective": loss}, seed=3)
assert_type(aligned, mpo.Alignment)
assert_type(aligned.model, Path | None)

judged = mpo.judge("answers.json", baseline="others.json", judge="vader")
assert_type(judged, mpo.Judgement)
assert_type(judged.win_rate, Mapping[str, float | None] | None)

submitted = mpo.submit("slic", tier="quick", out="runs/slic")
assert_type(submitted, mpo.SubmissionResult)
assert_type(submitted.file, Path)
verified = mpo.verify(submitted.file, cells=1)
assert_type(verified, mpo.Verification)
assert_type(verified.agrees, bool)

page = mpo.report(result, found, "runs/other", out="page.html")
assert_type(page, mpo.Report)
assert_type(page.file, Path)
assert_type(mpo.__version__, str)
