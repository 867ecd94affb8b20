"""Killed before every single thing that it does to the disk: one child for each such moment.

    python crash_points.py OPERATION FOLDER

Prints, as JSON, how many moments there were, and what `check` found wrong. A child is killed by
SIGKILL before its n-th call that changes a file; then another runs the same operation to its end.
"""

import json
import os
import signal
import sys
import traceback
import warnings
from pathlib import Path

import numpy as np

from mirrorpo import array_files, damage, files, json_lines, runs

CHANGES = {
    *("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate", "os.chmod"),
    *("shutil.rmtree",),
}


def main() -> None:
    operation, folder = OPERATIONS[sys.argv[1]], Path(sys.argv[2])
    wrong, moment, ended = [], 0, False
    while not ended:
        moment += 1
        place = folder / str(moment)
        place.mkdir()
        operation.before(place)
        ended = _child(operation, place, moment) == 0
        status = _child(operation, place, None)
        if status:
            wrong.append(f"moment {moment}: the next run ends with {status}")
    print(json.dumps({"moments": moment - 1, "wrong": wrong}))


def _child(operation, place, moment):
    """Run an operation in a child, which dies at a moment; how it ended."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        operation.look(place)  # what a kill has left can be read
        if moment is not None:
            _die_at(moment)
        operation.run(place)
        if moment is None:
            operation.check(place)
            left = [str(path) for path in place.rglob(".*")]
            assert not left, left
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _die_at(moment: int) -> None:
    seen = 0

    def step() -> None:
        nonlocal seen
        seen += 1
        if seen == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    def hook(event: str, arguments: tuple) -> None:
        opened = event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_ACCMODE
        if opened or event in CHANGES:
            step()

    sys.addaudithook(hook)
    for name in ("write", "fsync"):
        real = getattr(os, name)

        def watched(*arguments, real=real, name=name):
            step()
            if name == "write":  # as a kill in its middle leaves it
                half = len(arguments[1]) // 2
                if seen + 1 == moment and half:
                    real(arguments[0], arguments[1][:half])
                    step()
            return real(*arguments)

        setattr(os, name, watched)


class Operation:
    def before(self, place: Path) -> None: ...

    def look(self, place: Path) -> None: ...

    def run(self, place: Path) -> None: ...

    def check(self, place: Path) -> None: ...


class Claim(Operation):
    """The first write of a configuration."""

    @runs.holding()
    def run(self, place):
        runs.claim(place / "run", {"seed": 1})

    def check(self, place):
        assert files.read_object(place / "run" / runs.CONFIG, "x")["settings"] == {"seed": 1}
        assert [path.name for path in (place / "run").iterdir()] == [runs.CONFIG]


class Grow(Claim):
    """A run that goes further: its configuration is replaced."""

    def before(self, place):
        with runs.holding():
            runs.claim(place / "run", {"seed": 1, "generations": 2})

    def look(self, place):
        found = files.read_object(place / "run" / runs.CONFIG, "x")["settings"]["generations"]
        assert found in (2, 3)

    @runs.holding()
    def run(self, place):
        runs.claim(place / "run", {"seed": 1, "generations": 3}, may_grow="generations")

    def check(self, place):
        assert files.read_object(place / "run" / runs.CONFIG, "x")["settings"]["generations"] == 3


class Pair(Operation):
    """A file and its card, replaced by others."""

    def _save(self, place, number):
        arrays = {"a": np.full(50, number)}
        card = {"format": "test", "number": number}
        files.write_with_card(
            place / "pair.safetensors", lambda to: array_files.save_arrays(to, arrays, card), card
        )

    def before(self, place):
        self._save(place, 1)

    def look(self, place):
        path = place / "pair.safetensors"
        files.check_card(path, "a pair")
        number = array_files.load_card(path, "test", "a pair")["number"]
        assert (array_files.load_arrays(path, "a pair")["a"] == number).all()
        if path.with_suffix(".json").is_file():
            assert files.read_object(path.with_suffix(".json"), "a card")["number"] == number

    def run(self, place):
        files.remove_leftovers(place)
        self._save(place, 2)

    def check(self, place):
        self.look(place)
        assert files.read_object(place / "pair.json", "a card")["number"] == 2


class NewPair(Pair):
    """A file and its card, where there were none: no kill leaves a file without its card."""

    def before(self, place): ...

    def look(self, place):
        if (place / "pair.safetensors").exists():
            assert (place / "pair.json").exists()
            super().look(place)

    def run(self, place):
        if not (place / "pair.safetensors").exists():
            super().run(place)
        files.remove_leftovers(place)


class Folder(Operation):
    """A folder that is there only when complete."""

    def look(self, place):
        if (place / "new").exists():
            assert sorted(path.name for path in (place / "new").iterdir()) == ["a", "b"]

    def run(self, place):
        def write(folder):
            for name in ("a", "b"):
                (folder / name).write_text(name)

        files.remove_leftovers(place)
        if not (place / "new").exists():
            files.write_folder_atomically(place / "new", write)

    check = look


class Log(Operation):
    """A log of five rows that every run goes on with; a row is computed from its number alone."""

    def look(self, place):
        with warnings.catch_warnings():
            warnings.simplefilter("error", damage.DamageWarning)
            found = [row["n"] for row in json_lines.read(place / "log.jsonl")]
        assert found == list(range(len(found)))

    def run(self, place):
        files.remove_leftovers(place)
        done = json_lines.resume(place / "log.jsonl", keep=lambda row: row["n"] < 4)
        for number in range(len(done), 5):
            json_lines.append(place / "log.jsonl", {"n": number})

    def check(self, place):
        assert [row["n"] for row in json_lines.read(place / "log.jsonl")] == list(range(5))


OPERATIONS = {
    "claim": Claim(),
    "grow": Grow(),
    "pair": Pair(),
    "new pair": NewPair(),
    "folder": Folder(),
    "log": Log(),
}

if __name__ == "__main__":
    main()
