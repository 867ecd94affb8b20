"""Runs of a command killed by SIGKILL at random, resumed, and compared bit for bit.

This process imports everything once and forks a child for each run, before JAX has started.
"""

import contextlib
import gc
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

RUN_SECONDS = 1800
LONGEST = 16
"""Most kills of one run before it may come to its end."""
PART = 4
"""A run that is to be killed gets at most one part in so many of the undisturbed run's work."""
_ROBOTS = (
    "agents.training_run",
    "discovery.search",
    "discovery.explained",
    "execution.executor",
    "reporting.explain_plots",
    "reporting.export_figures",
    "reporting.written",
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
        at_files: kills at a chosen change of a file.
        advanced: kills after the run had added to its files, rather than only started up.
        runs: killed sequences that were resumed to the end and compared.
        losses: what was wrong, in words.
        seconds: that it all took.
        processor_seconds: that the killed and resumed runs took.
    """

    kills: int = 0
    at_files: int = 0
    advanced: int = 0
    runs: int = 0
    losses: list[str] = field(default_factory=list)
    seconds: float = 0.0
    processor_seconds: float = 0.0


@dataclass(frozen=True)
class Undisturbed:
    """A run that nothing disturbed.

    Attributes:
        result: what came out.
        seconds: its processor seconds.
        moments: its changes of files.
    """

    result: dict
    seconds: float
    moments: int


class Campaign:
    """Commands, killed and resumed in folders of their own.

    Args:
        folder: holds the folders of all runs.
        seed: the seed of the kills.
        compiled: folder for compiled programs, shared by all runs.
    """

    def __init__(self, folder: Path, seed: str, compiled: Path):
        self.given = folder / "given"
        self._folder = folder
        self._random = random.Random(seed)
        self._compiled = compiled.resolve()
        self._sequences = 0
        self._processor_seconds = 0.0
        self.given.mkdir(parents=True)
        self._compiled.mkdir(parents=True, exist_ok=True)

    def prepare(self, names: list[str]) -> None:
        """Make what these commands read."""
        steps = [commands.prepare_robots]
        steps += [commands.prepare_data] * ("train" in names)
        steps += [commands.prepare_language] * any(COMMANDS[name].language for name in names)
        for step in steps:
            place = self._place(step.__name__)
            self._see(self._child(place, lambda step=step: step(self.given)), place)

    def undisturbed(self, name: str) -> Undisturbed:
        """Run a command to its end, and again if it had to compile.

        Raises:
            RuntimeError: it fails, or compiles again, so that kills would hit the compiler alone.
        """
        command = COMMANDS[name]
        for kind in ("warm", "whole"):
            place = self._place(f"{name}-{kind}".replace(" ", "-"))
            compiled, before = {*self._compiled.iterdir()}, self._processor_seconds
            self._see(self._run(command, place, at=sys.maxsize), place)
            seconds = self._processor_seconds - before
            if not {*self._compiled.iterdir()} - compiled:
                moments = int((place / _MOMENTS).read_text())
                return Undisturbed(command.result(place), seconds, moments)
        raise RuntimeError(f"{name} compiles the same programs again in another folder.")

    def kill(self, name: str, whole: Undisturbed, most: int = LONGEST) -> Count:
        """Kill a command again and again, at most `most` times, then let it run to its end.

        Each run gets up to one `PART` of the undisturbed run's work before it is killed: processor
        seconds, which do not depend on what runs beside, or changes of files.
        """
        count, command = Count(runs=1), COMMANDS[name]
        self._sequences += 1
        place = self._place(f"{name}-{self._sequences}".replace(" ", "-"))
        done: list[str] = []
        began, before = time.monotonic(), self._processor_seconds
        kept, status = _lasting(place), -signal.SIGKILL
        for _ in range(self._random.randint(1, min(LONGEST, most))):
            moment = self._random.random() < 0.5
            when = self._random.uniform(0, whole.seconds / PART)
            at = self._random.randint(1, -(-whole.moments // PART))
            status = self._run(command, place, *((at, None) if moment else (None, when)))
            if status != -signal.SIGKILL:
                break
            count.kills += 1
            count.at_files += moment
            done.append(f"file change {at}" if moment else f"{when:.2f} s")
            before_this, kept = kept, _lasting(place)
            count.advanced += kept != before_this
        else:
            status = self._run(command, place)
        if status:
            count.losses.append(f"{place}: exit {status} after {done}: {_error(place)}")
        elif found := self._wrong(command, place, whole.result):
            count.losses.append(f"{place}: after {done}: {found}")
        else:
            shutil.rmtree(place)
        count.seconds = round(time.monotonic() - began, 1)
        count.processor_seconds = round(self._processor_seconds - before, 1)
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
        data = place / "data.safetensors"
        assert not data.exists() or data.with_suffix(".json").exists(), f"{data} has no card"
        data.unlink(missing_ok=True)
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
        processor seconds."""
        child = os.fork()
        if not child:
            _be_child(place, what, at)
        deadline = time.monotonic() + within
        late = False
        while True:
            ended, status, used = os.wait4(child, os.WNOHANG)
            if ended:
                break
            late = time.monotonic() > deadline
            if late or (when is not None and _processor_seconds(child) >= when):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
                _, status, used = os.wait4(child, 0)
                break
            time.sleep(0.01)
        self._processor_seconds += used.ru_utime + used.ru_stime
        if late:
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


def _processor_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _lasting(place: Path) -> dict[str, int]:
    """What runs have written for good: files and their sizes."""
    found = {path.relative_to(place): path for path in place.rglob("*") if path.is_file()}
    own = {"out.txt", "error.txt", _MOMENTS}
    return {
        str(name): path.stat().st_size
        for name, path in found.items()
        if str(name) not in own and not any(one.startswith(".") for one in name.parts)
    }


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
    gc.freeze()  # a child that collects garbage would copy all memory
