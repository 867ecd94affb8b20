"""The campaign of docs/reliability.md: kills, damaged files and hostile inputs, counted.

python -m tests.reliability.campaign --kills 200 --states 200 --files 2000

With `--tally FILE` each count is written down as it is made: the same command, run again after it
was stopped, does what is left, and commands with `--only` add up in one file.
"""

import os
import shutil
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

os.environ["JAX_NUM_CPU_DEVICES"] = "2"
os.environ.update(
    {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
)

import tyro

from tests.reliability import kills as killing
from tests.reliability.commands import COMMANDS
from tests.reliability.tally import Tally


def main(
    kills: int = 200,
    states: int = 200,
    files: int = 2000,
    inputs: int = 1000,
    only: tuple[str, ...] = (),
    seed: int = 0,
    folder: Path | None = None,
    tally: Path | None = None,
    compiled: Path | None = None,
) -> None:
    """Kill every command and damage every kind of file; the exit code says whether all held.

    Args:
        kills: the number, over all commands.
        states: the number of disk states, as a kill leaves them, to resume from, over all commands.
        files: damaged files of all kinds together.
        inputs: hostile inputs of all kinds together, at most; there are about 300.
        only: names of commands, such as bench or agents-train; all by default.
        seed: the seed of the kills and of the damage.
        folder: to work in, new; a temporary one by default, which is kept if something was wrong.
        tally: file of counts, which is added to; what it holds is not done again.
        compiled: folder of compiled programs, which the next campaign need not compile; one in
            `folder` by default.
    """
    names = [name for name in COMMANDS if not only or name.replace(" ", "-") in only]
    whole = sum(command.share for command in COMMANDS.values() if not only) or sum(
        COMMANDS[name].share for name in names
    )
    work = folder or Path(tempfile.mkdtemp(prefix="mirrorpo-campaign-"))
    language = any(COMMANDS[name].language for name in names)
    counted = Tally(tally or work / "tally.jsonl")
    if kills or states:
        killing.import_all(language)
        programs = compiled or work / "compiled"
        campaign = killing.Campaign(work / "kills", f"{seed} {counted.rows}", programs)
        campaign.prepare(names)
        for name in names:
            share = COMMANDS[name].share
            _kill(campaign, counted, name, -(-kills * share // whole))
            wanted = -(-states * share // whole) - counted.sum("states", name, "resumed")
            if wanted > 0:
                counted.add("states", name, asdict(campaign.resume_states(name, wanted)))
    if files:
        _damage(counted, work / "files", files, seed, language)
    if inputs:
        from tests.reliability import hostile

        killing.import_all(language)
        hostile.try_all(counted, work / "inputs", inputs)
    print(counted.table())
    if counted.wrong:
        print(*counted.wrong, sep="\n")
        print(f"{len(counted.wrong)} wrong. {work} holds what is left.")
        sys.exit(1)
    shutil.rmtree(work)
    print("All held.")


def _kill(campaign: killing.Campaign, counted: Tally, name: str, wanted: int) -> None:
    undisturbed = None
    deadline = 4 * wanted
    while (left := wanted - counted.sum("kills", name, "kills")) > 0 and deadline:
        if undisturbed is None:
            undisturbed = campaign.undisturbed(name)
            print(
                f"{name}, undisturbed: {undisturbed.moments} changes of files, "
                f"{undisturbed.seconds:.1f} s of the processor",
                flush=True,
            )
        counted.add("kills", name, asdict(campaign.kill(name, undisturbed, left)))
        deadline -= 1


def _damage(counted: Tally, folder: Path, files: int, seed: int, language: bool) -> None:
    from tests.reliability import damaged

    kinds = damaged.kinds(folder, language)
    share = -(-files // len(kinds))
    for kind in kinds:
        done = counted.sum("files", kind.name, "files")
        if done < share:
            found = damaged.damage(kind, share - done, f"{seed} {done}")
            counted.add("files", kind.name, asdict(found))


if __name__ == "__main__":
    tyro.cli(main)
