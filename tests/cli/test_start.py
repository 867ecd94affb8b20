"""What a command needs to start: few modules, and nothing that Linux alone has."""

import json
import subprocess
import sys

import pytest

# All that Python has on Linux and not on Windows, of what the package and its tests use.
ONLY_ELSEWHERE = {
    "os": (
        *("fork", "geteuid", "getuid", "killpg", "mkfifo", "register_at_fork"),
        *("sched_getaffinity", "sched_setaffinity", "set_blocking"),
    ),
    "signal": ("pthread_kill", "SIGHUP", "SIGPIPE"),
}

WITHOUT = f"""
import importlib, subprocess, sys
for module, names in {ONLY_ELSEWHERE!r}.items():
    for name in names:
        delattr(importlib.import_module(module), name)
sys.modules["resource"] = None
"""


def fresh(code, *, check=True):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=check, timeout=120
    )


def imported_by(*arguments):
    """Modules that a command line imports."""
    code = f"""
import json, sys
from mirrorpo import cli
try:
    cli.main({list(arguments)!r})
finally:
    print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""
    return set(json.loads(fresh(code).stderr))


def test_help_imports_no_library_that_takes_long():
    modules = imported_by("--help")
    assert "mirrorpo.cli" in modules
    heavy = ("jax", "numpy", "rich", "typeguard", "asyncio", "unittest", "pandas", "torch", "brax")
    assert not modules.intersection(heavy)


def test_help_names_every_command_with_what_it_does():
    said = " ".join(fresh("from mirrorpo import cli; cli.main(['--help'])").stdout.split())
    from mirrorpo.cli import COMMANDS

    for name, command in COMMANDS.items():
        first = "" if isinstance(command, dict) else command.__doc__.partition(".")[0]
        beginning = " ".join(first.split()[:4])
        assert f"• {name} {beginning}" in said


@pytest.mark.parametrize(
    "words",
    [
        ("bench", "--algorithms", "sft,dpoo"),
        ("discover", "--against", "dpoo"),
        ("train", "dpoo", "--data", "none.safetensors"),
        ("submit", "dpoo"),
        ("align", "recipes/mistral-7b/dpo-mix-7k/dpo.yaml", "--set", "objective=dpoo"),
    ],
)
def test_a_misspelled_objective_is_answered_before_a_library_is_imported(words):
    code = f"""
import json, sys
from mirrorpo import cli
try:
    cli.main({list(words)!r})
finally:
    print(json.dumps(sorted(sys.modules)))
"""
    done = fresh(code, check=False)
    assert done.returncode == 2
    assert "Did you mean dpo" in done.stderr
    assert not {"jax", "torch", "trl", "brax", "pandas"} & set(json.loads(done.stdout))


def test_commands_run_where_what_linux_alone_has_is_missing(tmp_path):
    code = f"""{WITHOUT}
from mirrorpo import cli
cli.main(["objectives", "--name", "dpo"])
cli.main(["--version"])
from mirrorpo import places
places.check({str(tmp_path / "new")!r}, "--out")
from mirrorpo.runtime import devices
assert devices.available_cores() >= 1
"""
    done = fresh(code, check=False)
    assert done.returncode == 0, done.stderr
    assert "dpo" in done.stdout


def test_a_swallowed_interrupt_is_sent_again_where_threads_cannot_be_signalled():
    code = f"""{WITHOUT}
import gc, signal, time
from mirrorpo.cli import edge
def callback(phase, info):
    gc.callbacks.clear()
    signal.raise_signal(signal.SIGTERM)
with edge.guarded():
    gc.callbacks.append(callback)
    gc.collect()
    for _ in range(200):
        time.sleep(0.05)
print("not stopped")
"""
    done = fresh(code, check=False)
    assert done.returncode == 128 + 15
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1


INTERRUPTED = """
import sys

class Interrupts:
    def find_spec(self, name, path, target=None):
        if name == "mirrorpo.cli.agents":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupts())
from mirrorpo.__main__ import main
main()
"""


def test_an_interrupt_while_the_command_line_is_imported_is_one_line():
    done = fresh(INTERRUPTED, check=False)
    assert done.returncode == 130
    assert done.stderr == "mirrorpo: Interrupted before it began.\n"
