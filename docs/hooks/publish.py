"""Published results: put run folders in, take runs out, or write a published run as a run folder.

    python docs/hooks/publish.py runs/NAME --for "what it is for"   # a new run, or one made again
    python docs/hooks/publish.py --drop NAME
    python docs/hooks/publish.py --unpack NAME --to runs/NAME

They are in results/: agents.parquet, curves.parquet, documents.parquet and index.json.
"""

import argparse
import subprocess
from pathlib import Path

from mirrorpo import files, grounds
from mirrorpo.cli.console import fail
from mirrorpo.reporting.published import packing, store, unpacking

ROOT = Path(__file__).parents[2]


def date_of(commit: str) -> str | None:
    """The day of a commit of this repository, YYYY-MM-DD; None for one that it does not have."""
    shown = ["git", "show", "--no-patch", "--format=%cs", commit]
    done = subprocess.run(shown, cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip() or None if done.returncode == 0 else None


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Change the published results.")
    parser.add_argument("run", nargs="*", type=Path, help="run folders to publish")
    parser.add_argument("--for", dest="purpose", help="what the runs are for; kept if left out")
    parser.add_argument("--command", help="that made the runs, where their config.json says none")
    parser.add_argument(
        "--ground", choices=grounds.GROUNDS, help="of the runs, where their config.json says none"
    )
    parser.add_argument("--name", help="in the results; by default the folder's own")
    parser.add_argument("--drop", nargs="+", default=[], metavar="NAME", help="runs to take out")
    parser.add_argument("--unpack", metavar="NAME", help="a published run to write as a run folder")
    parser.add_argument("--to", type=Path, help="new folder for --unpack")
    parser.add_argument("--results", type=Path, default=ROOT / "results")
    given = parser.parse_args(arguments)
    if bool(given.unpack) != bool(given.to):
        parser.error("--unpack and --to go together")
    if not (given.run or given.drop or given.unpack):
        parser.error("name a run folder, --drop or --unpack")
    if given.name and len(given.run) != 1:
        parser.error("--name is of one run folder")
    try:
        change(given)
    except (ValueError, OSError) as error:
        fail(str(error))


def change(given: argparse.Namespace) -> None:
    if given.run or given.drop:
        published = [
            packing.ToPublish(folder, given.purpose, given.command, given.name, given.ground)
            for folder in given.run
        ]
        packing.pack(published, given.results, given.drop, date_of, print)
        size = sum(path.stat().st_size for path in given.results.iterdir())
        count = len(store.read_index(given.results))
        print(f"{given.results} holds {count} runs in {size / 1e6:.2f} MB.")
    if given.unpack:
        if given.to.exists():
            raise ValueError(f"{given.to} exists already: nothing is overwritten.")
        results = unpacking.Results(given.results)
        files.write_folder_atomically(given.to, lambda part: results.unpack(given.unpack, part))
        print(f"{given.to} holds {given.unpack}.")


if __name__ == "__main__":
    main()
