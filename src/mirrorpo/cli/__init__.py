"""The command line: ``mirrorpo COMMAND``. Heavy imports wait until a command needs them."""

import contextlib
import dataclasses
import functools
import inspect
import io
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import tyro

from mirrorpo import damage, locks, near_names
from mirrorpo.cli import (
    agents,
    align,
    bench,
    data,
    discover,
    explain,
    judge,
    objectives,
    recommend,
    report,
    submit,
    train,
)
from mirrorpo.cli.console import fail, warn
from mirrorpo.cli.edge import guarded

Command = Callable[..., None]

COMMANDS: dict[str, Command | dict[str, Command]] = {
    "agents": {
        "list": agents.list_agents,
        "train": agents.train,
        "pick": agents.pick,
        "evaluate": agents.evaluate,
        "calibrate": agents.calibrate,
        "limbs": agents.limbs,
        "render": agents.render,
    },
    "data": {
        "generate": data.generate,
        "import": data.import_,
        "label": data.label,
        "inspect": data.inspect,
        "export": data.export,
    },
    "objectives": objectives.show,
    "train": train.train,
    "bench": bench.bench,
    "discover": discover.discover,
    "explain": explain.explain,
    "align": align.align,
    "judge": judge.judge,
    "report": report.report,
    "recommend": recommend.recommend,
    "submit": submit.submit,
    "verify": submit.verify,
}

RENAMED = {"sentiment": "bench --task reviews"}
"""Commands of version 0.1.0 that are part of another one now."""

_HELP = ("--help", "-h")

_GROUPS = {
    "agents": "Source agents: list, train by PPO, pick from a run, evaluate, calibrate a penalty "
    "by one, show limb use, draw.",
    "data": "Preference data: generate with chosen faults, import your own, label, inspect, "
    "export.",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; `edge.guarded` says how it ends where something goes wrong."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    with damage.printed(warn), locks.holding(), guarded():
        parse(given)()


def parse(given: list[str]) -> Callable[[], None]:
    """The call that a command line stands for, not yet made.

    Raises:
        SystemExit: code 2 for a mistake, 0 where help was asked for, and printed.
    """
    _refuse_null_bytes(given)
    name = given[0] if given else "--help"
    if name in RENAMED:
        fail(
            f"mirrorpo {name} is now mirrorpo {RENAMED[name]}, with the same objectives, variants "
            "and files; see mirrorpo bench --help for its settings."
        )
    _refuse_unknown("mirrorpo", name, (*COMMANDS, *RENAMED))
    command = COMMANDS.get(name)
    if isinstance(command, dict):
        _refuse_unknown(f"mirrorpo {name}", (given[1:] or ["--help"])[0], command)
        return _cli(command, f"mirrorpo {name}", _GROUPS[name], given[1:] or ["--help"])
    if name in ("--version", "-V"):
        from mirrorpo import __version__

        return functools.partial(print, __version__)
    named = {
        # Building every command's parser would take time that help alone does not need.
        key: _stand_in(key, value) if isinstance(value, dict) or name in _HELP else value
        for key, value in COMMANDS.items()
    }
    return _cli(
        named,
        "mirrorpo",
        "Measure, discover and transfer preference-optimisation objectives.",
        given or ["--help"],
    )


def _refuse_null_bytes(given: list[str]) -> None:
    """No path and no name can hold a null byte, and what finds one deep within names no option."""
    for before, word in zip(["", *given], given, strict=False):
        if "\0" in word:
            option, is_set, value = word.partition("=")
            if not (word.startswith("--") and is_set):
                option, value = before if before.startswith("--") else "An argument", word
            fail(f"{option} has a null byte, which no path or name can hold: {value!r}.")


def _refuse_unknown(of: str, name: str, known: Iterable[str]) -> None:
    """A word in a command's place that is none is answered with the near ones."""
    if not name.startswith("-") and name not in known:
        hint = near_names.hint(name, known, most=1)
        fail(f"{of} has no command {name!r}.{hint} `{of} --help` lists them.")


def _cli(
    commands: dict[str, Command], prog: str, description: str, given: list[str]
) -> Callable[[], None]:
    """Parse, and run later: what the parser says of a mistake becomes one line."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return tyro.extras.subcommand_cli_from_dict(
                {
                    name: command if isinstance(command, type) else _deferred(command)
                    for name, command in commands.items()
                },
                prog=prog,
                description=description,
                args=given,
            )
    except SystemExit as stop:
        if stop.code == 2:
            fail(_without_boxes(said.getvalue()))
        raise


def _deferred(command: Command) -> Callable[..., Callable[[], None]]:
    @functools.wraps(command)
    def remember(*positional: Any, **named: Any) -> Callable[[], None]:
        return functools.partial(command, *positional, **named)

    return remember


def _without_boxes(text: str) -> str:
    """The parser's message as one line, without colours and frames."""
    plain = " ".join(re.sub(r"\x1b\[[0-9;]*m|[\u2500-\u257f]|-{3,}", " ", text).split())
    plain = re.sub(r"Error parsing __tyro\S*: ", "", plain)
    return re.sub(r"^(Value error|Parsing error|Unrecognized options) ", "", plain)


def _stand_in(name: str, command: Command | dict[str, Command]) -> Command:
    """A command or a group in the top level's help; `parse` calls the real one by itself.

    It is an empty dataclass, since for functions tyro imports typeguard, and with it asyncio.
    """
    text = _GROUPS[name] if isinstance(command, dict) else inspect.getdoc(command) or ""
    return dataclasses.make_dataclass(name, (), namespace={"__doc__": text.partition("\nArgs:")[0]})
