"""How many files a reader meets between a command and what it does."""

import traceback
from pathlib import Path

import mirrorpo as mpo
from mirrorpo import objectives
from mirrorpo.cli import main
from tests.front.conftest import SMALL

SOURCE = Path(mpo.__file__).parent


def files_of_the_stack():
    """The package's files that are at work, the outermost first, each once."""
    paths = [Path(frame.filename) for frame in traceback.extract_stack()]
    own = [path.relative_to(SOURCE).as_posix() for path in paths if SOURCE in path.parents]
    return list(dict.fromkeys(own))


def test_from_a_bench_to_the_loss_in_its_gradient_step_are_at_most_ten_files(
    light_hopper, tmp_path, monkeypatch
):
    kind, walks = type(objectives.get("dpo")), []
    whole = kind.terms

    def terms(self, batch, progress):
        walks.append(files_of_the_stack())
        return whole(self, batch, progress)

    monkeypatch.setattr(kind, "terms", terms)
    options = {**SMALL, "variants": "base", "algorithms": "dpo", "seeds": 1, "allow_short": None}
    words = [f"--{name.replace('_', '-')}={v}" for name, v in options.items() if v is not None]
    main(["bench", "--task", "hopper", "--allow-short", "--out", str(tmp_path / "run"), *words])
    inner = "training/inner_loop.py"
    walk = next(one for one in walks if inner in one)
    beginning = walk.index("cli/bench.py")  # after the parser of all commands
    steps = walk[beginning : walk.index(inner) + 1]
    print(walk)
    assert steps[0] == "cli/bench.py"
    assert len(steps) <= 10, steps
