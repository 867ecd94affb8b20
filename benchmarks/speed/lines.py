"""The lines of the command but those of growth, part by part."""

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from .arithmetic import matrix_flops
from .process import measure
from .sizes import Sizes
from .workload import Workload

TRAINERS = ("mirrorpo", "textbook-jax", "textbook-bfloat16", "torch-vmap", "torch-loop")
EVALUATORS = ("mirrorpo", "brax", "mujoco.rollout")

Line = dict[str, Any]


def training(sizes: Sizes) -> Iterator[Line]:
    """Agent-steps a second, ratios to the others, and the share of the matrix peak."""
    peak = measure("peak", size=sizes.matrix, seconds=sizes.matrix_seconds)
    yield {"what": "float32 peak", "size": f"{sizes.matrix} x {sizes.matrix}", "by": "", **peak}
    for hidden in sizes.hidden:
        for agents in sizes.populations:
            steps = max(2, sizes.agent_steps // agents)
            work = Workload(agents, hidden, steps, sizes.time_steps)
            size = f"2 x {hidden}, {agents} agents"
            found = (
                {
                    "what": "training",
                    "size": size,
                    "by": by,
                    **measure("train", by=by, **asdict(work), least_seconds=sizes.least_seconds),
                }
                for by in TRAINERS
            )
            for line in with_ratios(found, "agent_steps_a_second"):
                if "agent_steps_a_second" in line:
                    flops = line["agent_steps_a_second"] * matrix_flops(work)
                    line["gflops_a_second"] = flops / 1e9
                    if "gflops_a_second" in peak:
                        line["share_of_peak"] = line["gflops_a_second"] / peak["gflops_a_second"]
                yield line


def evaluation(sizes: Sizes) -> Iterator[Line]:
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


def generation(sizes: Sizes) -> Iterator[Line]:
    """One generation of a discovery: seconds of training, of evaluation and of the rest."""
    found = measure("generation", **_search(sizes, sizes.search_population))
    size = f"{sizes.search_population} agents, {sizes.search_rows} rows"
    yield {"what": "generation", "size": size, "by": "mirrorpo", **found}


def scaling(sizes: Sizes) -> Iterator[Line]:
    """A generation by one worker and by two: the same population, and one twice as large."""
    one: float | None = None
    for workers, share in ((1, 1), (2, 1), (2, 2)):
        population = share * sizes.search_population
        found = measure("scaling", workers=workers, **_search(sizes, population))
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


def start_up(sizes: Sizes) -> Iterator[Line]:
    """From nothing to results, with an empty cache and again with what it then holds."""
    with tempfile.TemporaryDirectory() as cache:
        for state in ("cold", "warm"):
            found = measure(
                "first-results",
                cache=cache,
                time_steps=sizes.time_steps,
                episodes=sizes.episodes,
                steps=sizes.episode_steps,
            )
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
