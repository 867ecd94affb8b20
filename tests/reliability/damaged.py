"""Files of every kind that MirrorPO reads back, damaged in every way, and read again.

A damaged file is refused with one line that names it, is read without its damaged part, which is
said, or is not seen to be damaged: no other end is right.
"""

import dataclasses
import json
import random
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mirrorpo.damage import DamageWarning

WAYS = ("truncate", "empty", "flip", "overwrite", "append", "types")
_WRONG = [None, [], {}, "x", -1, 0, 2.5, True, 10**400, float("nan"), [[]], {"a": None}]


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        name: the fault in words.
        path: a whole one.
        read: reads it, and all that is kept beside it.
        checked: whether a checksum sees every change, so that none may go unseen.
    """

    name: str
    path: Path
    read: Callable[[], Any]
    checked: bool = False


@dataclass
class Found:
    """What became of damaged files: refused, read without the damage, read as they are; wrong."""

    files: int = 0
    refused: int = 0
    left_out: int = 0
    unseen: int = 0
    wrong: list[str] = field(default_factory=list)


def damage(kind: Kind, count: int, seed: int | str) -> Found:
    """Damage one file of a kind again and again, each way in turn."""
    draw, found = random.Random(f"{kind.name} {seed}"), Found()
    whole = kind.path.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("error", DamageWarning)
        kind.read()  # a whole file is read without a word
    for number in range(count):
        way = WAYS[number % len(WAYS)]
        changed = _change(whole, way, draw, kind.path.suffix)
        if changed == whole:
            continue
        kind.path.write_bytes(changed)
        found.files += 1
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            problem = _outcome(kind, way, said, found)
        if problem:
            found.wrong.append(f"{kind.name}, {way}: {problem} <- {changed[:200]!r}")
    kind.path.write_bytes(whole)
    kind.read()
    return found


def _outcome(kind: Kind, way: str, said: list, found: Found) -> str | None:
    """Count what reading a damaged file ends in; what is wrong with it, if anything."""
    try:
        kind.read()
    except ValueError as error:
        found.refused += 1
        text = " ".join(str(error).split())
        named = kind.path.stem in text or str(kind.path.parent) in text
        return None if named else f"does not name the file: {text:.200}"
    except BaseException as error:
        return f"{type(error).__name__}: {error!s:.200}"
    lines = [str(one.message) for one in said if issubclass(one.category, DamageWarning)]
    if lines:
        found.left_out += 1
        return next((f"not one line: {line!r:.200}" for line in lines if "\n" in line), None)
    found.unseen += 1
    return "not seen" if kind.checked and way != "append" else None


def _change(whole: bytes, way: str, draw: random.Random, ending: str) -> bytes:
    at = draw.randrange(len(whole))
    if way == "truncate":
        return whole[:at]
    if way == "empty":
        return b""
    if way == "flip":
        return whole[:at] + bytes([whole[at] ^ (1 << draw.randrange(8))]) + whole[at + 1 :]
    if way == "overwrite":
        size = draw.randint(1, 200)
        noise = draw.choice([bytes(size), draw.randbytes(size), b"9" * size])
        return whole[:at] + noise + whole[at + size :]
    if way == "append":
        return whole + draw.choice([b"\x00" * 9, b"{", b"null\n", b"garbage \xff\n", whole])
    return _with_other_types(whole, draw, ending)


def _with_other_types(whole: bytes, draw: random.Random, ending: str) -> bytes:
    """A file whose JSON has a value of another type somewhere, or lacks one."""
    if ending == ".safetensors":
        size = int.from_bytes(whole[:8], "little")
        header = json.loads(whole[8 : 8 + size])
        metadata = header.setdefault("__metadata__", {})
        # Without its checksum, as if written so: the types are to be looked at.
        metadata.pop("content_sha256", None)
        metadata["card"] = json.dumps(_mutated(json.loads(metadata.get("card", "{}")), draw))
        text = json.dumps(header).encode()
        return len(text).to_bytes(8, "little") + text + whole[8 + size :]
    if ending == ".jsonl":
        lines = whole.splitlines()
        at = draw.randrange(len(lines))
        lines[at] = json.dumps(_mutated(json.loads(lines[at]), draw)).encode()
        return b"\n".join([*lines, b""])
    if ending == ".json":
        return json.dumps(_mutated(json.loads(whole), draw)).encode()
    return whole.replace(b",", b";", 1 + draw.randrange(9))


def _mutated(document: Any, draw: random.Random) -> Any:
    """JSON with one value replaced or removed, anywhere; the whole of it now and then."""
    document = json.loads(json.dumps(document))
    places: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        pairs = node.items() if isinstance(node, dict) else enumerate(node)
        for key, value in pairs:
            places.append((node, key))
            if isinstance(value, dict | list):
                walk(value)

    if isinstance(document, dict | list):
        walk(document)
    if not places or draw.random() < 0.1:
        return draw.choice(_WRONG)
    node, key = draw.choice(places)
    if draw.random() < 0.3:
        del node[key]
    else:
        node[key] = draw.choice(_WRONG)
    return document


def kinds(folder: Path, language: bool) -> list[Kind]:
    """One whole file of every kind, written to a folder."""
    folder.mkdir(parents=True)
    found = [*_runs(folder), *_objectives(folder), *_robots(folder), *_judging(folder)]
    return [*found, *_language(folder)] if language else found


def _runs(folder: Path) -> list[Kind]:
    from mirrorpo import files, json_lines, runs
    from mirrorpo.agents.training_run import Checkpoint
    from mirrorpo.discovery import search_log, space
    from mirrorpo.preferences import facts
    from mirrorpo.study import records, single_run
    from mirrorpo.study.tables import SourceAgent

    settings = {"task": "hopper", "seeds": 3, "generations": 4, "variants": ("base",)}

    @runs.holding()
    def claim() -> None:
        runs.claim(folder / "run", settings, {"agent": "ab12"}, may_grow="generations")

    claim()
    log = folder / "agents.jsonl"
    for seed in range(4):
        record = records.AgentRecord(
            "hopper",
            "base",
            "dpo",
            "final",
            "{}",
            seed,
            1.5,
            None,
            2,
            False,
            0.1,
            0.2,
            measures={"kl": 1.0},
        )
        records.BenchLog(log).add(record, {"stage": ["dpo"], "loss": [1.0, None]})
    curve = folder / "curve.jsonl"
    json_lines.write(curve, [asdict(Checkpoint(n, 1.0, 0.1, 2.0, "step")) for n in range(4)])
    validations = folder / "validation.jsonl"
    json_lines.write(validations, [{"generation": n, "score": 0.5, "seeds": 4} for n in range(4)])
    sources = folder / "sources.json"
    files.write_json(sources, [SourceAgent(name, 1.0, 0.1)._asdict() for name in ("a", "b")])
    scout = folder / "scout.json"
    files.write_json(scout, space.Ranges((-9.0, -1.0), (-2.0, 2.0))._asdict())
    results = folder / "results.json"
    files.write_json(results, [asdict(single_run.Result(n, 1.0, 0.1, False)) for n in range(3)])
    known = facts.Facts(
        *("hopper", "base", 8, 0.0, 1.0, (0.0, 1.0, 0.0), (1.0, 0.1), (0.5, 0.1), 9.0, 8.0),
        ("a", "b"),
    )
    facts.remember(folder, known)
    return [
        Kind("a run's configuration", folder / "run" / runs.CONFIG, claim),
        Kind("a bench's log", log, lambda: records.BenchLog(log)),
        Kind("a log that is only read", log, lambda: records.read(log)),
        Kind(
            "a curve of PPO",
            curve,
            lambda: json_lines.read(curve, lambda row: Checkpoint(**row)),
        ),
        Kind(
            "validations", validations, lambda: json_lines.read(validations, search_log.validation)
        ),
        Kind("source agents", sources, lambda: files.read_rows(sources, "agents", SourceAgent)),
        Kind("a scout's ranges", scout, lambda: files.read_as(scout, "ranges", space.Ranges)),
        Kind(
            "results of a training",
            results,
            lambda: files.read_rows(results, "results", single_run.Result),
        ),
        Kind("facts of datasets", folder / facts.DATASETS, lambda: facts.recall(folder)),
    ]


def _objectives(folder: Path) -> list[Kind]:
    from mirrorpo import objectives
    from mirrorpo.discovery import artefact

    plain = folder / "loss.json"
    objectives.save(objectives.get("1s-mpo", beta=0.3), plain)
    found = artefact.load("hopper-noisy")
    few = dataclasses.replace(found.visited, points=found.visited.points[:20])
    path = folder / "found.safetensors"
    artefact.save(path, dataclasses.replace(found, visited=few))
    return [
        Kind("an objective as JSON", plain, lambda: objectives.load(plain)),
        Kind("a discovery", path, lambda: artefact.load(path), checked=True),
        Kind("a discovery's objective alone", path, lambda: objectives.load(path), checked=True),
        Kind("a discovery's card", path.with_suffix(".json"), lambda: artefact.load(path)),
        *_without_card(folder, "a discovery without its card", path, artefact.load),
    ]


def _without_card(folder: Path, name: str, path: Path, read: Callable[[Path], Any]) -> list[Kind]:
    """A file alone, whose own checksum must then see every change."""
    alone = folder / f"alone-{path.name}"
    alone.write_bytes(path.read_bytes())
    return [Kind(name, alone, lambda: read(alone))]


def _robots(folder: Path) -> list[Kind]:
    import jax

    from mirrorpo import array_files
    from mirrorpo.agents import agent_files
    from mirrorpo.preferences import data
    from mirrorpo.runtime import pytrees
    from mirrorpo.simulation.policy import new_policy
    from mirrorpo.study import recorded

    agent = folder / "agent.safetensors"
    policy = new_policy(jax.random.key(0), 3, np.zeros(11, "f4"), np.ones(11, "f4"), (8,))
    card = agent_files.AgentCard("agent", "hopper", "positional", 1.0, 1.0, 9, 0, 1000, 0)
    agent_files.save(agent, policy, card)
    count, draw = 16, np.random.default_rng(0)
    trajectories = data.Trajectories(
        draw.normal(size=(count, 5, 3)).astype("f4"),
        draw.normal(size=(count, 5, 2)).astype("f4"),
        np.full(count, 5, "i4"),
        draw.normal(size=count).astype("f4"),
        np.tile([0, 0, 1, 1], count // 4).astype("i1"),
        np.repeat(np.arange(count // 4), 4).astype("i4"),
    )
    about = {
        "format_version": 1,
        "task": "hopper",
        "backend": "positional",
        "episode_length": 5,
        "penalty": None,
        "action_unit": 1.0,
    }
    pool, dataset = folder / "pool.safetensors", folder / "pairs.safetensors"
    data.Pool(trajectories, about).save(pool)
    data.label(data.Pool(trajectories, about), "noisy:0.3", 0).save(dataset)
    state = folder / "state.safetensors"
    tree = {"a": jax.numpy.arange(6.0), "key": jax.random.key(1)}
    pytrees.save_tree(state, tree, {"format": "state", "iterations": 3})

    def made() -> None:
        data.PreferenceDataset.load(dataset)
        recorded.task_on(
            array_files.load_card(dataset, data.FORMAT, "a preference dataset"), dataset
        )

    def saved() -> None:
        pytrees.load_tree(state, tree, "state", "a state")

    return [
        Kind("an agent", agent, lambda: agent_files.load(agent), checked=True),
        Kind("an agent's card", agent.with_suffix(".json"), lambda: agent_files.load(agent)),
        *_without_card(folder, "an agent without its card", agent, agent_files.load),
        Kind("a pool", pool, lambda: data.Pool.load(pool), checked=True),
        Kind("a dataset", dataset, made, checked=True),
        Kind("a dataset's card", dataset.with_suffix(".json"), made),
        *_without_card(folder, "a dataset without its card", dataset, data.PreferenceDataset.load),
        Kind("a state", state, saved),
    ]


def _judging(folder: Path) -> list[Kind]:
    from mirrorpo import json_lines
    from mirrorpo.language.judging import answers
    from mirrorpo.language.judging.store import Store

    texts = [answers.Answer(f"Question {n}?", "Answer.", "model") for n in range(3)]
    plain, lines, asked = (folder / name for name in ("said.json", "said.jsonl", "asked.json"))
    answers.write(plain, texts)
    json_lines.write(lines, [asdict(one) for one in texts])
    asked.write_text(json.dumps([one.instruction for one in texts]))
    store = folder / "verdicts.jsonl"
    for number in range(3):
        Store(store).add({"question": number}, {"text": "1"})
    return [
        Kind("answers as JSON", plain, lambda: answers.read(plain)),
        Kind("answers as JSON lines", lines, lambda: answers.read(lines)),
        Kind("instructions", asked, lambda: answers.read_instructions(asked)),
        Kind("a judge's verdicts", store, lambda: Store(store)),
    ]


def _language(folder: Path) -> list[Kind]:
    import torch

    from mirrorpo import files, json_lines
    from mirrorpo.language.models import generation
    from mirrorpo.language.text_task import fine_tuning, kept
    from mirrorpo.language.text_task.pool import PoolContent
    from mirrorpo.language.training import checkpoints, memory, reference

    decoding = generation.Decoding(batch_size=2)
    prompts = ["a", "b", "c", "d"]
    completions = folder / "completions.jsonl"
    for number in range(2):
        digest = generation._digest(prompts[2 * number : 2 * number + 2], decoding)
        row = generation._Batch(digest, ["x", "y"], number)
        json_lines.append(completions, asdict(row))
    log_probs = reference.ReferenceLogProbs(torch.zeros(4), torch.ones(4), 3, "tokens")
    log_probs.save(folder)
    memory.Memory(torch.ones(3), 2).save(folder)
    card = folder / "training.json"
    files.write_json(card, asdict(fine_tuning.FineTuning(False, 1.0, {"loss": [1.0, None]})))
    pool = folder / "continuations.json"
    content = PoolContent(["a"], ["b"] * 4, [0.5] * 4)
    files.write_json(pool, asdict(content))
    state = folder / "checkpoint-3" / "trainer_state.json"
    files.write_json(state, {"global_step": 3, "max_steps": 4})
    return [
        Kind(
            "completions",
            completions,
            lambda: generation._finished(completions, prompts, decoding),
        ),
        Kind(
            "reference log-probs",
            folder / reference.FILE,
            lambda: reference.ReferenceLogProbs.load(folder, "tokens"),
        ),
        Kind(
            "an objective's memory",
            folder / memory.FILE,
            lambda: memory.Memory.load(folder),
        ),
        Kind(
            "a training's card",
            card,
            lambda: files.read_as(card, "a training's card", fine_tuning.FineTuning),
        ),
        Kind(
            "a pool of continuations",
            pool,
            lambda: kept.read(pool, "a pool of continuations", PoolContent),
        ),
        Kind("a checkpoint's state", state, lambda: checkpoints.newest(folder, lambda *at: ())),
    ]
