"""What hostile inputs hold: bombs, depth, wrong types, code, scripts, formulas, and paths."""

import gzip
import json
import pickle
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from tests.reporting import hostile_folders

DEEP = 100_000
_MEBIBYTE = 2**20
PATHS = ("../../../x", "/etc/passwd", "..\\..\\x", "a\x00b", "~/x", "$HOME/x", "x" * 5000, ".", "")
CODE = ("__import__('os').system('touch ran')", "evil.py:X", "./evil.py:X", "{open('ran','w')}")
FORMULAS = ("=cmd|'/C calc'!A0", "+1+1", "-1+1", "@SUM(1)", "\t=1", "\r=1")
EVIL = "open('ran', 'w').close()\nclass X:\n    pass\n"


class _Harm:
    def __reduce__(self) -> tuple:
        return open, ("ran", "w")


PICKLE = pickle.dumps(_Harm())
BLOBS = {
    "empty": b"",
    "null": b"null",
    "number": b"7",
    "text": b'"x"',
    "true": b"true",
    "empty list": b"[]",
    "empty object": b"{}",
    "list of null": b"[null]",
    "list of numbers": b"[1, 2]",
    "list of lists": b"[[[]]]",
    "not a number": b"[NaN]",
    "deep lists": b"[" * DEEP + b"]" * DEEP,
    "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "open lists": b"[" * DEEP,
    "a number of digits": b"[" + b"9" * 10_000 + b"]",
    "surrogate": b'["\\ud800"]',
    "NUL": b"\x00" * 100,
    "not UTF-8": b"\xff\xfe\x00[",
    "pickle": PICKLE,
    "zip": b"PK\x03\x04" + b"\x00" * 60,
    "text of code": CODE[0].encode(),
    "90 MiB": b'["' + b"a" * (90 * _MEBIBYTE) + b'"]',
}
_PAIR = {"prompt": "p", "chosen": "a", "rejected": "b"}


def _rows(**changes: Any) -> bytes:
    rows = [{**_PAIR, "prompt": f"p{n}", **changes} for n in range(8)]
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def pairs() -> Iterator[tuple[str, str, bytes]]:
    """Files of preference pairs: name, file, content."""
    for name, content in BLOBS.items():
        yield name, "pairs.json", content
    for name in ("null", "number", "deep lists", "pickle", "NUL", "a number of digits"):
        yield f"{name} as lines", "pairs.jsonl", BLOBS[name] + b"\n" + _rows()
    for name in ("empty", "pickle", "NUL"):
        for file in ("pairs.parquet", "pairs.arrow", "pairs.csv", "pairs.jsonl.gz"):
            yield f"{name} as {file}", file, BLOBS[name]
    for text in (*FORMULAS, hostile_folders.SCRIPT, hostile_folders.CONTROL):
        yield f"prompt {text!r}", "pairs.jsonl", _rows(prompt=text)
    for value in (None, 7, [], {}, [[]], {"a": None}, True, [None], ["x", 1]):
        yield f"chosen {value!r}", "pairs.jsonl", _rows(chosen=value)
    # Members one after another are one stream: they unpack to 3 GiB.
    yield "gzip bomb", "pairs.jsonl.gz", gzip.compress(bytes(64 * _MEBIBYTE)) * 48
    yield "gzip twice", "pairs.jsonl.gz", gzip.compress(gzip.compress(_rows()))
    yield "a key twice", "pairs.jsonl", b'{"prompt": "a", "prompt": "b"}\n'
    yield "an open quote", "pairs.csv", b'prompt,chosen,rejected\n"a,b,c\n' * 3
    yield "many columns", "pairs.csv", b"," * 200_000 + b"\n"
    yield "a long line", "pairs.jsonl", _rows(chosen="a " * (10 * _MEBIBYTE))


_RECIPE = "model_name_or_path: base\ndataset_name: pairs.jsonl\nobjective: dpo\n"


def _yaml_bomb(levels: int, wide: int) -> str:
    lines = ["a0: &a0 [x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * wide)}]" for n in range(1, levels)]
    return "\n".join(lines)


def yaml() -> Iterator[tuple[str, str]]:
    """YAML texts that no reader may follow."""
    for levels, wide in ((9, 9), (30, 2), (60, 2), (12, 9)):
        yield f"bomb {levels} x {wide}", _yaml_bomb(levels, wide)
    yield "an alias within itself", "x: &a [*a]"
    yield "a mapping within itself", "x: &a {b: *a}"
    yield "deep", "[" * DEEP
    yield "deep flow", "x: " + "[" * 5000 + "]" * 5000
    yield "long", "x: " + "a" * (2 * _MEBIBYTE)
    for tag in (
        "!!python/object/apply:os.system ['touch ran']",
        "!!python/object/new:os.system ['touch ran']",
        "!!python/name:os.system",
        "!!python/module:evil",
        "!!binary '####'",
        "!unknown x",
    ):
        yield tag, f"objective: {tag}"
    for text in ("[]", "null", "7", "x", "- 1", "{a: }", "? [1]", ":", "\t", "%", "--- 1\n--- 2"):
        yield f"only {text!r}", text
    yield "merge of a text", "<<: x"
    yield "a key that is a list", "? [a, b]\n: 1"
    yield "a date", "objective: 2020-01-01"
    yield "digits", "seed: " + "9" * 5000


def recipes() -> Iterator[tuple[str, bytes]]:
    """Recipes of `align`."""
    for name, text in yaml():
        yield name, text.encode()
    for path in PATHS:
        yield f"seed {path[:20]!r}", f"{_RECIPE}seed: {json.dumps(path)}\n".encode()
    for path in PATHS[:4]:
        yield f"output_dir {path!r}", f"{_RECIPE}output_dir: {json.dumps(path)}\n".encode()
        yield f"includes {path!r}", f"base: {json.dumps(path)}\n".encode()
    for code in CODE:
        yield f"objective {code}", f"{_RECIPE}objective: {json.dumps(code)}\n".encode()
    yield "includes itself", b"base: recipe.yaml\n"
    for name in ("NUL", "not UTF-8", "pickle"):
        yield name, BLOBS[name]


def judges() -> Iterator[tuple[str, bytes]]:
    """Files that describe a judge."""
    for name, text in yaml():
        yield name, text.encode()
    for name in ("NUL", "not UTF-8", "pickle", "90 MiB"):
        yield name, BLOBS[name]


def answers() -> Iterator[tuple[str, bytes]]:
    """Files of a model's answers."""
    yield from BLOBS.items()
    for text in sorted({*FORMULAS, *hostile_folders.TEXTS, hostile_folders.CONTROL}):
        yield f"output {text!r}", _answers(text)
    for value in (None, 7, [], {}, [None], True):
        yield f"output {value!r}", _answers(value)


def _answers(output: Any) -> bytes:
    return json.dumps([{"instruction": "q", "output": output, "generator": "g"}]).encode()


def write_answers(to: Path, content: bytes) -> None:
    (to / "said.json").write_bytes(content)
    (to / "base.json").write_bytes(_answers("An answer."))
    (to / "asked.json").write_text('["q"]')


def write_judge(to: Path, content: bytes) -> None:
    write_answers(to, _answers("Another answer."))
    (to / "judge.yaml").write_bytes(content)


def saved_objectives() -> Iterator[tuple[str, bytes]]:
    """Files of saved objectives."""
    yield from BLOBS.items()
    for code in (*CODE, *PATHS):
        for key in ("objective", "text", "name", "class", "type"):
            yield f"{key} {code[:40]!r}", json.dumps({key: code, "format": 1}).encode()


def write_objective(to: Path, content: bytes) -> None:
    (to / "loss.json").write_bytes(content)
    (to / "evil.py").write_text(EVIL)


def objective_texts() -> list[str]:
    """Names of objectives as one may type them."""
    values = ("", "beta", "beta=", "=1", "beta=1,beta=2", "beta=nan", "beta=inf", "beta=1e999")
    values += ("beta=[", "x=1", "aggregation=sum", "beta=" + "9" * 5000, *CODE)
    return [f"dpo[{value}]" for value in values] + ["dpo[", "dpo]", "[]", "dpo[]x", *PATHS]


def variants() -> list[str]:
    """Faults of data that are none."""
    return [
        *("noisy:0.4999999999999999", "noisy:0.1+noisy:0.2", "noisy:nan", "noisy:-1", "noisy:1e9"),
        *("noisy:", "noisy", ":", "+", "base+", "x", "noisy:0.5", "noisy:" + "9" * 5000, *PATHS),
        *CODE,
    ]


def arrays() -> Iterator[tuple[str, bytes]]:
    """Files that end in .safetensors."""
    for name in ("empty", "NUL", "pickle", "zip"):
        yield name, BLOBS[name]
    yield "a header of 2^63", (2**63).to_bytes(8, "little") + b"{}"
    yield "a header of 99 MiB", _with_header(b" " * (99 * _MEBIBYTE))
    yield "a deep header", _with_header(BLOBS["deep objects"])
    card = {"__metadata__": {"card": BLOBS["deep lists"].decode()}}
    yield "a deep card", _with_header(json.dumps(card).encode())
    large = {"a": {"dtype": "F64", "shape": [2**60, 2**60], "data_offsets": [0, 8]}}
    yield "a shape of 2^120", _with_header(json.dumps(large).encode()) + bytes(8)
    for name in ("null", "list of null", "number"):
        yield (
            f"a card that is {name}",
            _with_header(json.dumps({"__metadata__": {"card": BLOBS[name].decode()}}).encode()),
        )


def _with_header(header: bytes) -> bytes:
    return len(header).to_bytes(8, "little") + header


def run_folders() -> Iterator[tuple[str, Callable[[Path], object]]]:
    """Run folders for `report`: scripts, formulas, code and depth."""
    for name in ("bench", "search", "formulas"):
        yield name, partial(_folder, name)
    for name in ("null", "deep lists", "number", "NUL", "pickle", "90 MiB", "empty object"):
        yield f"config {name}", partial(_config, BLOBS[name])


def _folder(name: str, to: Path) -> None:
    if name == "bench":
        hostile_folders.hostile_bench(to / "run", to / "ran")
    elif name == "search":
        hostile_folders.hostile_search(to / "run")
    else:
        hostile_folders.hostile_explanation(to / "run", hostile_folders.FORMULAS[0])


def _config(content: bytes, to: Path) -> None:
    (to / "run").mkdir()
    (to / "run" / "config.json").write_bytes(content)
    (to / "run" / "metrics.jsonl").write_bytes(content)
