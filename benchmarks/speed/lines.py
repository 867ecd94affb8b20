"""The lines of the command but those of growth, part by part."""

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from . import process
from .arithmetic import matrix_flops
from .process import Measure
from .sizes import Sizes
from .workload import Workload

TRAINERS = ("mirrorpo", "textbook-jax", "torch-vmap", "torch-loop")
EVALUATORS = ("mirrorpo", "brax", "mujoco.rollout")

_MESSAGES = ("agents_an_order", "order_kib", "reply_kib", "supply_mib")
_EVOSAX = ("evosax_seconds", "numbers_searched")

Line = dict[str, Any]


def training(sizes: Sizes, measure: Measure) -> Iterator[Line]:
    """Agent-steps a second, ratios to the others, and the share of the matrix peak."""
    peak = measure("peak", size=sizes.matrix, seconds=sizes.matrix_seconds)
    yield {"what": "float32 peak", "size": f"{sizes.matrix} x {sizes.matrix}", "by": "", **peak}
    for hidden in sizes.hidden:
        first = hidden == sizes.hidden[0]
        all_steps = sizes.agent_steps if first else sizes.wide_agent_steps
        for agents in sizes.populations if first else sizes.wide_populations:
            steps = max(2, all_steps // agents)
            work = Workload(agents, hidden, steps, sizes.time_steps)
            size = f"2 x {hidden}, {agents} agents"
            in_bfloat16 = first and agents == sizes.bfloat16_population
            found = (
                {
                    "what": "training",
                    "size": size,
                    "by": by,
                    **measure("train", by=by, **asdict(work), least_seconds=sizes.least_seconds),
                }
                for by in (*TRAINERS, *(("textbook-bfloat16",) if in_bfloat16 else ()))
            )
            for line in with_ratios(found, "agent_steps_a_second"):
                if "agent_steps_a_second" in line:
                    flops = line["agent_steps_a_second"] * matrix_flops(work)
                    line["gflops_a_second"] = flops / 1e9
                    if "gflops_a_second" in peak:
                        line["share_of_peak"] = line["gflops_a_second"] / peak["gflops_a_second"]
                yield line


def evaluation(sizes: Sizes, measure: Measure) -> Iterator[Line]:
    """Environment steps a second of a population's evaluation."""
    for agents in sizes.evaluated:
        work = {"agents": agents, "episodes": sizes.episodes, "steps": sizes.episode_steps}
        found = (
            {
                "what": "evaluation",
                "size": f"{agents} agents x {sizes.episodes} episodes",
                "by": by,
                **measure("evaluate", by=by, **work, least_seconds=sizes.least_seconds),
            }
            for by in EVALUATORS
        )
        yield from with_ratios(found, "steps_a_second")


def generation(sizes: Sizes, measure: Measure) -> Iterator[Line]:
    """One generation of a discovery: seconds of training, of evaluation and of the rest; what of
    it evosax alone takes; and the bytes of what would cross a network."""
    search = _search(sizes, sizes.search_population)
    small = sizes.small_task
    found = measure("generation", **search, small=small, least_seconds=sizes.least_seconds)
    size = f"{sizes.search_population} agents, {sizes.search_rows} rows"
    messages = {name: found.pop(name) for name in _MESSAGES if name in found}
    evosax = {name: found.pop(name) for name in _EVOSAX if name in found}
    yield {"what": "generation", "size": size, "by": "mirrorpo", **found}
    if evosax:
        seconds, numbers = (evosax[name] for name in _EVOSAX)
        alone = {"seconds": seconds, "numbers_searched": numbers}
        alone["share_of_generation"] = seconds / found["seconds"]
        yield {"what": "generation", "size": size, "by": "evosax alone", **alone}
    if messages:
        yield {"what": "messages", "size": size, "by": "mirrorpo", **messages}


def language(sizes: Sizes, measure: Measure) -> Iterator[Line]:
    """Seconds of training a small language model, by `PreferenceTrainer` and by TRL's trainers."""
    for loss in sizes.language_losses:
        found = measure(
            "language-trainers",
            loss=loss,
            repeats=sizes.language_repeats,
            steps=sizes.language_steps,
            batch=sizes.language_batch,
            answer=sizes.language_answer,
            hidden=sizes.language_hidden,
            layers=sizes.language_layers,
        )
        head = {"what": "language", "size": f"{loss}, {sizes.language_steps} steps"}
        if "note" in found:
            yield {**head, "by": "trl", **found}
            continue
        theirs, ratio = found.pop("trl_seconds"), found.pop("times_trls_seconds")
        yield {**head, "by": "mirrorpo", **found}
        yield {**head, "by": "trl", "seconds": theirs, "mirrorpo_is_times_faster": 1 / ratio}


def scaling(sizes: Sizes, measure: Measure) -> Iterator[Line]:
    """A generation by one worker and by more, and of a population twice as large."""
    with tempfile.TemporaryDirectory() as cache:
        for population in (sizes.search_population, 2 * sizes.search_population):
            one: float | None = None
            # Four workers share two cores here: what more workers than cores cost.
            for workers in (1, 2, 4) if population == sizes.search_population else (1, 2):
                search = _search(sizes, population)
                found = measure("scaling", cache=cache, workers=workers, **search)
                rate = found.get("agents_a_minute")
                one = one or rate
                if one and rate:
                    found["times_one_worker"] = rate / one
                by = f"{workers} worker{'s' if workers > 1 else ''}"
                yield {"what": "scaling", "size": f"{population} agents", "by": by, **found}


def _search(sizes: Sizes, population: int) -> dict[str, int]:
    return {
        "population": population,
        "rows": sizes.search_rows,
        "epochs": sizes.search_epochs,
        "time_steps": sizes.search_time_steps,
        "episodes": sizes.search_episodes,
    }


def start_up(sizes: Sizes, measure: Measure) -> Iterator[Line]:
    """From nothing to results, with an empty cache and again with what it then holds."""
    settings = {
        "time_steps": sizes.time_steps,
        "episodes": sizes.episodes,
        "steps": sizes.episode_steps,
    }
    with tempfile.TemporaryDirectory() as cache:
        for state in ("cold", "warm"):
            if state == "warm" and not any(Path(cache).iterdir()):
                # What was measured cold was kept from an interrupted run; its programs were not.
                process.measure("first-results", cache, state="cold", **settings)
            found = measure("first-results", cache=cache, state=state, **settings)
            parts = [found.get(f"{part}_seconds") for part in ("import", "training", "evaluation")]
            if None not in parts:
                found["seconds"] = sum(parts)
            yield {"what": "start-up", "size": f"{state} cache", "by": "mirrorpo", **found}


def with_ratios(lines: Iterable[Line], rate: str) -> Iterator[Line]:
    """Add to each line that has the rate how many times MirrorPO's is larger. MirrorPO's line
    comes first; without a rate in it there are no ratios."""
    ours: float | None = None
    for line in lines:
        if line["by"] == "mirrorpo":
            ours = line.get(rate)
        if ours is not None and rate in line:
            line["mirrorpo_is_times_faster"] = ours / line[rate]
        yield line
