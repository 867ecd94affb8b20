"""Tiny runs of every command that writes much, and what of their files must not depend on kills."""

import dataclasses
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

RESULTS = Path(__file__).parents[2] / "results"

_CLOCK = (
    *("seconds", "train_seconds", "evaluate_seconds"),
    *("machine", "versions", "git_commit", "sha256"),
)


@dataclasses.dataclass(frozen=True)
class Command:
    """A command to kill.

    Attributes:
        words: its command line, given the folder of what it reads and that of what it writes.
        result: what must come out bit for bit, given the latter.
        language: whether it needs the extra `llm`.
        share: its share of all kills, relative to the others'; smaller for what takes long.
    """

    words: Callable[[Path, Path], list]
    result: Callable[[Path], dict]
    language: bool = False
    share: int = 3


def prepare_robots(given: Path) -> None:
    """Write what the robots' commands read: two agents, the worse one pushed off to one side."""
    import jax

    from mirrorpo.agents.agent_files import AgentCard, save
    from mirrorpo.simulation.policy import new_policy

    for name, push in (("better", 0.0), ("worse", 0.25)):
        zeros, ones = np.zeros(2, "f4"), np.ones(2, "f4")
        policy = new_policy(jax.random.key(0), 1, zeros, ones, (8,), initial_std=0.41)
        layer = policy.parameters["params"]["mean"]
        layer["bias"] = layer["bias"] + push
        card = AgentCard(name, "hopper", "positional", 0.0, 1.0, 100, 0, 1000, 0)
        save(given / name, policy, card)


def prepare_data(given: Path) -> None:
    """Write the dataset that agents are trained on."""
    from mirrorpo.cli import main

    main([*map(str, COMMANDS["data generate"].words(given, given))])


def prepare_language(given: Path) -> None:
    """Write what the language models' commands read: prompts, answers, a model and a recipe."""
    from mirrorpo.language.models import stand_ins
    from tests.language import tiny_reviews

    tiny_reviews.write(given / "reviews")
    stand_ins.model().save_pretrained(given / "base")
    stand_ins.tokenizer().save_pretrained(given / "base")
    stand_ins.pairs("train").to_json(str(given / "pairs.jsonl"))
    asked = ["How was the film?", "How was the food?", "How are you?"]
    (given / "prompts.json").write_text(json.dumps(asked))
    rows = [{"instruction": text, "output": "Wonderful. " * 3, "generator": "g"} for text in asked]
    (given / "answers.json").write_text(json.dumps(rows))
    (given / "recipe.yaml").write_text(
        f"model_name_or_path: {given / 'base'}\ndataset_name: {given / 'pairs.jsonl'}\n"
        "chat_template: chatml\nobjective: dpo\nobjective_parameters: {beta: 0.1}\n"
        "max_steps: 6\nper_device_train_batch_size: 2\nsave_strategy: steps\nsave_steps: 1\n"
        "save_total_limit: 2\nlogging_steps: 1\nlora_r: 2\nlora_target_modules: [q_proj]\n"
        "gradient_checkpointing: false\nuse_cpu: true\n"
    )


def quick() -> None:
    """A light robot, short episodes, few resamples, and every compiled program kept."""
    import jax

    from mirrorpo.language.judging import length_control
    from mirrorpo.runtime import cache, devices
    from tests.reliability import point

    point.stand_in_for_hopper()
    length_control.RESAMPLES = 5
    keep = devices.keep_compiled_programs

    def keep_all() -> None:
        keep()
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        # By one name for all runs: JAX takes the folder's path for a part of what is compiled.
        compiled = (cache.folder() / "jax").resolve()
        jax.config.update("jax_compilation_cache_dir", str(compiled))

    devices.keep_compiled_programs = keep_all


def rows(path: Path) -> list[dict]:
    """The lines of a log without what depends on the clock, in an order of their own."""
    found = [stable(json.loads(line)) for line in path.read_text().splitlines()]
    return sorted(found, key=lambda row: json.dumps(row, sort_keys=True))


def stable(value):
    """JSON without what depends on the clock or the machine."""
    if isinstance(value, dict):
        return {k: stable(v) for k, v in value.items() if k not in _CLOCK and "runtime" not in k}
    if isinstance(value, list):
        return [stable(one) for one in value]
    return "nan" if isinstance(value, float) and math.isnan(value) else value


def document(path: Path):
    return stable(json.loads(path.read_text()))


def arrays(folder: Path, pattern: str) -> dict:
    """The bytes of every array in the safetensors files of a folder, and their cards' contents."""
    from safetensors import safe_open

    found = {}
    for path in sorted(folder.glob(pattern)):
        with safe_open(path, framework="numpy") as file:
            for name in list(file.keys()):
                array = file.get_tensor(name)
                found[f"{path.name}: {name}"] = (str(array.dtype), array.shape, array.tobytes())
            card = (file.metadata() or {}).get("card")
        if card:
            found[f"{path.name}: card"] = stable(json.loads(card))
        beside = path.with_suffix(".json")
        if card and path.name != "state.safetensors":
            found[f"{path.name}: beside"] = document(beside)
    assert found, f"{folder} has no {pattern}"
    return found


def table(path: Path) -> str:
    frame = pd.read_csv(path)
    return frame.drop(columns=["train_seconds", "evaluate_seconds"]).to_csv()


def _agents(given: Path) -> list:
    return [
        *("--better", given / "better.safetensors"),
        *("--worse", given / "worse.safetensors"),
    ]


def _bench(out: Path) -> dict:
    return {
        "table": table(out / "results.csv"),
        "log": rows(out / "metrics.jsonl"),
        "kept": arrays(out / "agents", "*.safetensors"),
        **{n: document(out / f"{n}.json") for n in ("sources", "tuned", "datasets", "config")},
        **{name: (out / name).read_text() for name in ("table.md", "summary.csv")},
    }


def discovered(out: Path) -> dict:
    """What a search wrote."""
    return {
        "result": arrays(out, "objective.safetensors"),
        "state": arrays(out, "state.safetensors"),
        **{name: rows(out / f"{name}.jsonl") for name in ("metrics", "validation")},
        **{name: document(out / f"{name}.json") for name in ("scout", "config")},
    }


def _train(out: Path) -> dict:
    return {
        "agents": arrays(out / "agents", "*.safetensors"),
        "log": rows(out / "metrics.jsonl"),
        **{name: document(out / f"{name}.json") for name in ("results", "config")},
    }


def _agents_train(out: Path) -> dict:
    return {
        "checkpoints": arrays(out / "checkpoints", "*.safetensors"),
        "state": arrays(out, "state.safetensors"),
        "log": rows(out / "metrics.jsonl"),
        "config": document(out / "config.json"),
    }


def _judge(out: Path) -> dict:
    return {
        "log": rows(out / "metrics.jsonl"),
        **{n: document(out / f"{n}.json") for n in ("results", "model-outputs", "config")},
    }


def _align(out: Path) -> dict:
    return {
        "model": arrays(out / "model", "*.safetensors"),
        "log": [row for row in rows(out / "metrics.jsonl") if "loss" in row],
        "config": document(out / "config.json"),
    }


def _reviews(out: Path) -> dict:
    return {
        "table": table(out / "results.csv"),
        "log": rows(out / "metrics.jsonl"),
        "samples": {path.name: rows(path) for path in (out / "samples").iterdir()},
        "left": sorted(str(path) for path in (out / "agents").glob("*/adapter")),
        **{n: document(out / f"{n}.json") for n in ("sources", "source_measures", "config")},
    }


def _written(out: Path) -> dict:
    """Every file that a command writes whole, by name, but for the folder's own name in it."""
    run = out / "run"
    found = {
        str(path.relative_to(run)): path.read_bytes().replace(str(out).encode(), b"OUT")
        for path in run.rglob("*")
        if path.is_file() and path.name != "config.json"
    }
    return {**found, "config": document(run / "config.json")["settings"]}


COMMANDS = {
    "judge": Command(
        lambda given, out: [
            *("judge", given / "base", "--baseline", given / "answers.json"),
            *("--prompts", given / "prompts.json", "--max-new-tokens", 12, "--batch-size", 1),
            *("--out", out / "run", "--cache", out / "verdicts"),
        ],
        lambda out: _judge(out / "run"),
        language=True,
    ),
    "align": Command(
        lambda given, out: ["align", given / "recipe.yaml", "--out", out / "run"],
        lambda out: _align(out / "run"),
        language=True,
    ),
    "bench on texts": Command(
        lambda given, out: [
            *("bench", "--task", "reviews", "--model", given / "reviews"),
            *("--variants", "base", "--data-draws", 1),
            *("--algorithms", "dpo[beta=1],ta-mpo", "--seeds", 1, "--rows", 8),
            *("--test-prompts", 4, "--episodes", 8, "--search-episodes", 4),
            *("--max-new-tokens", 6, "--best-of", 2, "--target-steps", 2, "--steps", 2),
            *("--minibatch", 4, "--lora-r", 2, "--sample-batch", 4, "--out", out / "run"),
        ],
        lambda out: _reviews(out / "run"),
        language=True,
    ),
    "train": Command(
        lambda given, out: [
            *("train", "dpo[beta=1]", "--data", given / "data.safetensors", "--seeds", 2),
            *("--epochs", 2, "--minibatch", 40, "--episodes", 4, "--out", out / "run"),
        ],
        lambda out: _train(out / "run"),
    ),
    "agents train": Command(
        lambda given, out: [
            *("agents", "train", "hopper", "--total-steps", 2560, "--environments", 64),
            *("--rollout-steps", 4, "--minibatches", 4, "--epochs", 1),
            *("--evaluate-every", 512, "--out", out / "run"),
        ],
        lambda out: _agents_train(out / "run"),
    ),
    "data generate": Command(
        lambda given, out: [
            *("data", "generate", "hopper", "--out", out / "data.safetensors", "--rows", 640),
            *("--variant", "noisy:0.3", "--episode-length", 60, *_agents(given)),
        ],
        lambda out: arrays(out, "data.safetensors"),
    ),
    "report": Command(
        lambda given, out: [
            *("report", RESULTS / "demo-bench", RESULTS / "demo-discovery"),
            *("--out", out / "run"),
        ],
        _written,
        share=1,
    ),
    "explain": Command(
        lambda given, out: ["explain", "ta-mpo", "--max-terms", 2, "--out", out / "run"],
        _written,
        share=1,
    ),
    "discover": Command(
        lambda given, out: [
            *("discover", "--task", "hopper", "--variants", "noisy:0.3", "--learn", "link"),
            *("--generations", 4, "--population", 4, "--sigma", 0.3, "--rows", 40),
            *("--minibatch", 20, "--epochs", 2, "--time-steps", 8, "--episodes", 4),
            *("--validate-every", 2, "--validation-seeds", 2, "--validation-rows", 40),
            *("--validation-time-steps", 8, "--validation-episodes", 4, *_agents(given)),
            *("--out", out / "run"),
        ],
        lambda out: discovered(out / "run"),
        share=1,
    ),
    "bench": Command(
        lambda given, out: [
            *("bench", "--task", "hopper", "--variants", "base,noisy:0.3", "--seeds", 2),
            *(
                "--algorithms",
                "sft,cpo[sft_weight=1]",
                "--search",
                "--search-seeds",
                1,
                "--trials",
                6,
            ),
            *("--rows", 120, "--epochs", 2, "--minibatch", 40, "--time-steps", 8),
            *(
                "--episodes",
                4,
                "--search-episodes",
                2,
                "--keep-agents",
                "--allow-short",
                *_agents(given),
            ),
            *("--out", out / "run"),
        ],
        lambda out: _bench(out / "run"),
        share=1,
    ),
}
