"""Inputs that mean harm, given to the commands that read them: each ends well or in one line.

Each command runs in a child of its own, forked from a process that has imported everything. It must
end with 0, or with 2 and one line; run nothing of its input; write nothing but its --out; and take
no more than a bounded time and memory.
"""

import contextlib
import os
import resource
import shutil
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.reliability import hostile_files as files
from tests.reliability.tally import Tally

CPU_SECONDS = 60
KIBIBYTES = 2 * 2**20
"""Most memory that a command may take beyond what its parent takes."""
RAN = "ran"
USAGE = "For full helptext"
"""Said of a command line that is none: nothing was read then."""


@dataclass(frozen=True)
class Input:
    """A hostile input: a command line, and what it reads, in a folder of its own."""

    name: str
    words: Sequence[str]
    write: Callable[[Path], object] = lambda folder: None


def inputs() -> dict[str, list[Input]]:
    """All, by kind."""
    return {
        "pairs": [
            Input(name, ["recommend", file], lambda to, f=file, c=content: (to / f).write_bytes(c))
            for name, file, content in files.pairs()
        ],
        "recipes": [
            Input(
                name,
                ["align", "recipe.yaml", "--out", "out"],
                lambda to, c=content: (to / "recipe.yaml").write_bytes(c),
            )
            for name, content in files.recipes()
        ],
        "judges": [
            Input(
                name,
                [*_JUDGE, "--judge", "judge.yaml"],
                lambda to, c=content: files.write_judge(to, c),
            )
            for name, content in files.judges()
        ],
        "answers": [
            Input(
                name,
                [*_JUDGE, "--judge", "vader"],
                lambda to, c=content: files.write_answers(to, c),
            )
            for name, content in files.answers()
        ],
        "objectives": [
            Input(
                name,
                ["objectives", "--name", "loss.json"],
                lambda to, c=content: files.write_objective(to, c),
            )
            for name, content in files.saved_objectives()
        ],
        "texts": [
            Input(text[:60], ["objectives", "--name", text]) for text in files.objective_texts()
        ],
        "variants": [
            Input(
                text[:60],
                ["data", "generate", "hopper", "--out", "out/x.safetensors", "--variant", text],
            )
            for text in files.variants()
        ],
        "arrays": [
            Input(
                f"{name}, {words[0]}",
                words,
                lambda to, c=content: (to / "file.safetensors").write_bytes(c),
            )
            for name, content in files.arrays()
            for words in _ARRAYS
        ],
        "run folders": [
            Input(name, ["report", "run", "--out", "out"], write)
            for name, write in files.run_folders()
        ],
    }


_JUDGE = ["judge", "said.json", "--baseline", "base.json", "--prompts", "asked.json"]
_JUDGE += ["--out", "out", "--cache", "out/verdicts"]
_ARRAYS = (
    ["data", "inspect", "file.safetensors"],
    ["agents", "evaluate", "file.safetensors"],
    ["objectives", "--name", "file.safetensors"],
    ["recommend", "file.safetensors"],
)


def try_all(counted: Tally, folder: Path, most: int) -> None:
    """Give inputs of every kind, about `most` in all, to their commands; none twice."""
    given = inputs()
    step = max(1, sum(map(len, given.values())) // most)
    for kind, found in given.items():
        known = counted.values("inputs", kind, "number")
        for number in range(0, len(found), step):
            if number not in known:
                place = folder / kind.replace(" ", "-") / str(number)
                counted.add("inputs", kind, {"number": number, **attempt(found[number], place)})


def attempt(one: Input, folder: Path) -> dict:
    """Run the command in a child, and judge its end."""
    place = folder / "place"
    place.mkdir(parents=True)
    (folder / "home").mkdir()
    one.write(place)
    before = {path for path in folder.rglob("*") if not path.is_dir()}
    child = os.fork()
    if not child:
        _be_child(one, folder, place)
    _, status, used = os.wait4(child, 0)
    wrong = _wrong(folder, place, before, os.waitstatus_to_exitcode(status))
    seconds = used.ru_utime + used.ru_stime
    if seconds > CPU_SECONDS:
        wrong.append(f"took {seconds:.0f} s")
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if used.ru_maxrss - own > KIBIBYTES:
        wrong.append(f"took {(used.ru_maxrss - own) / 2**20:.1f} GiB")
    said = (folder / "error.txt").read_text(errors="replace")[:160]
    if not wrong:
        shutil.rmtree(folder)
    return {
        "input": one.name,
        "said": said.replace(str(folder), ""),
        "inputs": 1,
        "refused": int(os.waitstatus_to_exitcode(status) == 2),
        "accepted": int(status == 0),
        "wrong": [f"{one.name} ({folder}): {line}" for line in wrong],
        "seconds": round(seconds, 1),
    }


def _wrong(folder: Path, place: Path, before: set[Path], code: int) -> list[str]:
    said = (folder / "error.txt").read_text(errors="replace")
    wrong = [] if code in (0, 2) else [f"exit {code}: {said[-300:]}"]
    if "Traceback" in said:
        wrong.append("a traceback: " + said.strip().splitlines()[-1][:200])
    lines = [line for line in said.splitlines() if line.startswith("mirrorpo: ")]
    if code == 2 and (len(lines) != 1 or not said.strip().startswith("mirrorpo: ")):
        wrong.append(f"not one line: {said[:300]!r}")
    if USAGE in said:
        wrong.append(f"the command was not even begun: {said[:200]}")
    if any(path.name == RAN for path in folder.rglob("*")):
        wrong.append("its code was run")
    new = {path for path in folder.rglob("*") if not path.is_dir()} - before
    own = {folder / "out.txt", folder / "error.txt"}
    apart = (place / "out", folder / "home")
    outside = [path for path in new - own if not any(path.is_relative_to(to) for to in apart)]
    return wrong + [f"wrote {path}" for path in outside]


def _be_child(one: Input, folder: Path, place: Path) -> None:
    code = 1
    try:
        os.environ["MIRRORPO_CACHE"] = os.environ["HF_HOME"] = str(folder / "home")
        for number, name in ((1, "out.txt"), (2, "error.txt")):
            os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT), number)
        os.chdir(place)
        # What does not end is ended, and is wrong.
        resource.setrlimit(resource.RLIMIT_CPU, (2 * CPU_SECONDS, 2 * CPU_SECONDS))
        from mirrorpo.cli import main

        main(list(one.words))
        code = 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        os._exit(code)
