"""The campaign of docs/reliability.md: kills and damaged files, counted.

python -m tests.reliability.campaign --kills 200 --states 400 --files 2000
"""

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

os.environ["JAX_NUM_CPU_DEVICES"] = "2"
os.environ.update(
    {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
)

import tyro

from tests.reliability import kills as killing
from tests.reliability.commands import COMMANDS


def main(
    kills: int = 200,
    states: int = 400,
    files: int = 2000,
    only: tuple[str, ...] = (),
    seed: int = 0,
    folder: Path | None = None,
) -> None:
    """Kill every command and damage every kind of file; the exit code says whether all held.

    Args:
        kills: of all commands together.
        states: of the disk, as a kill leaves them, that all commands together are resumed from.
        files: damaged files of all kinds together.
        only: names of commands, such as bench or agents-train; all by default.
        seed: of the kills and of the damage.
        folder: to work in, new; a temporary one by default, which is kept if something was wrong.
    """
    names = [name for name in COMMANDS if not only or name.replace(" ", "-") in only]
    work = folder or Path(tempfile.mkdtemp(prefix="mirrorpo-campaign-"))
    language = any(COMMANDS[name].language for name in names)
    began = time.monotonic()
    wrong: list[str] = []
    if kills or states:
        killing.import_all(language)
        campaign = killing.Campaign(work / "kills", seed)
        campaign.prepare(names)
        whole = sum(COMMANDS[name].share for name in names)
        for name in names if states else ():
            tried = campaign.resume_states(name, -(-states * COMMANDS[name].share // whole))
            wrong += tried.wrong
            print(
                f"{name}: {tried.resumed} of {tried.moments} states resumed, "
                f"{len(tried.wrong)} losses ({time.monotonic() - began:.0f} s so far)",
                flush=True,
            )
        for name in names if kills else ():
            count = campaign.kill(name, -(-kills * COMMANDS[name].share // whole))
            wrong += count.losses
            print(
                f"{name}: {count.kills} kills, {count.at_files} of them at a change of a file, "
                f"{count.runs} runs resumed, {len(count.losses)} losses "
                f"({time.monotonic() - began:.0f} s so far)",
                flush=True,
            )
    if files:
        from tests.reliability import damaged

        kinds = damaged.kinds(work / "files", language)
        share = -(-files // len(kinds))
        for kind in kinds:
            found = damaged.damage(kind, share, seed)
            wrong += found.wrong
            print(
                f"{kind.name}: {found.files} damaged, {found.refused} refused in one line, "
                f"{found.left_out} read without the damaged part, {found.unseen} read as they are, "
                f"{len(found.wrong)} wrong",
                flush=True,
            )
    for line in wrong:
        print(line)
    if wrong:
        print(f"{len(wrong)} wrong. {work} holds what is left.")
        sys.exit(1)
    shutil.rmtree(work)
    print(f"All held, after {time.monotonic() - began:.0f} s.")


if __name__ == "__main__":
    tyro.cli(main)
