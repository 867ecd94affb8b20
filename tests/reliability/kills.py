"""Runs of a command killed by SIGKILL at random, resumed, and compared bit for bit.

This process imports everything once and forks a child for each run, before JAX has started.
"""

import contextlib
import importlib
import io
import json
import os
import random
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.reliability import commands, states
from tests.reliability.commands import COMMANDS, Command
from tests.reliability.states import Tried

RUN_SECONDS = 900
_ROBOTS = (
    "agents.training_run",
    "discovery.search",
    "execution.executor",
    "study.bench",
    "study.single_run",
    "study.tables",
)
_TEXTS = (
    "language.align.run",
    "language.judging.length_control",
    "language.judging.run",
    "study.texts",
)
_MOMENTS = "moments"


@dataclass
class Count:
    """What became of the kills of one command.

    Attributes:
        kills: runs that died of SIGKILL before their end.
        at_files: of them those that died at a chosen change of a file.
        runs: killed sequences that were resumed to the end and compared.
        losses: what was wrong, in words.
        seconds: that it all took.
    """

    kills: int = 0
    at_files: int = 0
    runs: int = 0
    losses: list[str] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(frozen=True)
class Undisturbed:
    """A run that nothing disturbed: what came out, its seconds, and its changes of files."""

    result: dict
    seconds: float
    moments: int


class Campaign:
    """Commands, killed and resumed in folders of their own."""

    def __init__(self, folder: Path, seed: str):
        self.given = folder / "given"
        self._folder = folder
        self._random = random.Random(seed)
        self._compiled = folder / "compiled"
        self._sequences = 0
        self.given.mkdir(parents=True)
        self._compiled.mkdir()

    def prepare(self, names: list[str]) -> None:
        """Make what these commands read."""
        steps = [commands.prepare_robots]
        steps += [commands.prepare_data] * ("train" in names)
        steps += [commands.prepare_language] * any(COMMANDS[name].language for name in names)
        for step in steps:
            place = self._place(step.__name__)
            self._see(self._child(place, lambda step=step: step(self.given)), place)

    def undisturbed(self, name: str) -> Undisturbed:
        """Run a command to its end: what it gives, how long it takes, its changes of files."""
        command, place = COMMANDS[name], self._place(f"{name}-warm".replace(" ", "-"))
        self._see(self._run(command, place), place)  # compiles
        place = self._place(f"{name}-whole".replace(" ", "-"))
        began = time.monotonic()
        self._see(self._run(command, place, at=sys.maxsize), place)
        seconds = time.monotonic() - began
        return Undisturbed(command.result(place), seconds, int((place / _MOMENTS).read_text()))

    def kill(self, name: str, whole: Undisturbed, most: int = 8) -> Count:
        """Kill a command one to eight times, at most `most`, and then let it run to its end."""
        count, command = Count(runs=1), COMMANDS[name]
        self._sequences += 1
        place = self._place(f"{name}-{self._sequences}".replace(" ", "-"))
        done: list[str] = []
        began = time.monotonic()
        for _ in range(min(self._random.randint(1, 8), most)):
            moment = self._random.random() < 0.5
            when = self._random.uniform(0, whole.seconds)
            at = self._random.randint(1, whole.moments) if moment else None
            status = self._run(command, place, at, None if moment else when)
            if status == -signal.SIGKILL:
                count.kills += 1
                count.at_files += moment
                done.append(f"file change {at}" if moment else f"{when:.2f} s")
            elif status == 0:
                break
            else:
                count.losses.append(f"{place}: exit {status} after {done}: {_error(place)}")
        status = self._run(command, place)
        found = None if status else self._wrong(command, place, whole.result)
        if status:
            count.losses.append(f"{place}: exit {status} after {done}: {_error(place)}")
        elif found:
            count.losses.append(f"{place}: after {done}: {found}")
        elif not count.losses:
            shutil.rmtree(place)
        count.seconds = round(time.monotonic() - began, 1)
        return count

    def resume_states(self, name: str, count: int) -> Tried:
        """Resume a command from states that kills at changes of files leave, in one process."""
        command, place = COMMANDS[name], self._place(f"{name}-states".replace(" ", "-"))
        copies, said = place.with_suffix(".copies"), place.with_suffix(".json")

        def try_all() -> None:
            found = states.resume_all(
                lambda: self._call(command, place),
                lambda whole: self._wrong(command, place, whole),
                lambda: command.result(place),
                place,
                copies,
                count,
                self._random,
            )
            said.write_text(json.dumps(asdict(found)))

        self._see(self._child(place, try_all, within=count * RUN_SECONDS), place)
        shutil.rmtree(place)
        return Tried(**json.loads(said.read_text()))

    def _wrong(self, command: Command, place: Path, whole: dict) -> str | None:
        try:
            found = command.result(place)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        for name, value in whole.items():
            if found[name] != value:
                return f"{name} differs: {_difference(value, found[name])}"
        left = [
            str(path.relative_to(place))
            for path in place.rglob("*")
            if path.name.endswith((".part", ".lock", ".locked", ".parts", ".part.jsonl"))
            and "jax" not in path.relative_to(place).parts
        ]
        return f"left over: {left}" if left else None

    def _place(self, name: str) -> Path:
        """A folder for a run, with a cache that is empty but for compiled programs."""
        place = self._folder / name
        (place / "cache").mkdir(parents=True)
        (place / "cache" / "jax").symlink_to(self._compiled)
        return place

    def _run(
        self, command: Command, place: Path, at: int | None = None, when: float | None = None
    ) -> int:
        return self._child(place, lambda: self._call(command, place), at, when)

    def _call(self, command: Command, place: Path) -> None:
        """Run a command, in this process."""
        from mirrorpo.cli import main

        # A finished dataset is not overwritten: a kill after it was a kill of nothing.
        (place / "data.safetensors").unlink(missing_ok=True)
        main([str(word) for word in command.words(self.given, place)])

    def _child(
        self,
        place: Path,
        what: Callable[[], None],
        at: int | None = None,
        when: float | None = None,
        within: float = RUN_SECONDS,
    ) -> int:
        """Run something in a child; killed before its `at`-th change of a file, or after `when`
        seconds."""
        child = os.fork()
        if not child:
            _be_child(place, what, at)
        deadline = time.monotonic() + (within if when is None else when)
        while time.monotonic() < deadline:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.005)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if when is None:
            raise TimeoutError(f"{place}: a run took more than {within:.0f} s.")
        return os.waitstatus_to_exitcode(status)

    def _see(self, status: int, place: Path) -> None:
        if status:
            raise RuntimeError(f"{place}: exit {status}: {_error(place)}")


def _be_child(place: Path, what: Callable[[], None], at: int | None) -> None:
    code = 1
    try:
        os.environ["MIRRORPO_CACHE"] = str(place / "cache")
        for number, name in ((1, "out.txt"), (2, "error.txt")):
            opened = os.open(place / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(opened, number)
        commands.quick()
        moments = _die_at(at, place) if at is not None else None
        what()
        if moments is not None:
            (place / _MOMENTS).write_text(str(moments()))
        code = 0
    except SystemExit as stop:
        code = int(stop.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        os._exit(code)


def _die_at(moment: int, place: Path) -> Callable[[], int]:
    """Have this process killed before its n-th change of a file in a folder; how many it made."""
    made = 0

    def step() -> None:
        nonlocal made
        made += 1
        if made == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    states.watch(place, place / "cache" / "jax", step)
    return lambda: made


def _error(place: Path) -> str:
    lines = (place / "error.txt").read_text(errors="replace").strip().splitlines()
    return " / ".join(lines[-3:])[-400:]


def _difference(wanted: object, found: object) -> str:
    if isinstance(wanted, dict) and isinstance(found, dict):
        for key in {*wanted, *found}:
            if wanted.get(key) != found.get(key):
                return f"{key}: {_difference(wanted.get(key), found.get(key))}"
    return f"{str(wanted)[:150]} became {str(found)[:150]}"


def import_all(language: bool) -> None:
    """Import what the commands need, without starting JAX."""
    names = ["mujoco.mjx", *(f"mirrorpo.{name}" for name in _ROBOTS)]
    if language:
        names += [f"mirrorpo.{name}" for name in _TEXTS]
    with contextlib.redirect_stdout(io.StringIO()):  # MuJoCo says what it lacks
        for name in names:
            importlib.import_module(name)
    from jax._src import xla_bridge

    assert not xla_bridge.backends_are_initialized(), "a child of a started JAX would hang"
