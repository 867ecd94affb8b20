"""Code of the user's that ends the process, or raises what is no error, ends the command in one
line all the same; a wish to interrupt passes through."""

import pytest

from mirrorpo.objectives import naming
from mirrorpo.study import tryout
from mirrorpo.user_text import UserText

LOSS = """
from dataclasses import dataclass
from typing import ClassVar

from mirrorpo.objectives import Objective


@dataclass(frozen=True, kw_only=True)
class Mine(Objective):
    name: ClassVar[str] = "leaving-{name}"

    def __post_init__(self):
        {made}

    def loss(self, batch, progress):
        {asked}
"""

LEAVING = {
    "exit": ("raise SystemExit(0)", "SystemExit"),
    "base": ("raise BaseException('no')", "BaseException"),
    "cancelled": ("import asyncio; raise asyncio.CancelledError", "CancelledError"),
}


def load(folder, name, made="pass", asked="return -batch.chosen"):
    path = folder / "mine.py"
    path.write_text(LOSS.format(name=name, made=made, asked=asked))
    return naming.resolve(UserText(f"{path}:Mine"), tryout.by("jax"))


@pytest.mark.parametrize("name", LEAVING)
def test_a_loss_that_leaves_is_one_line(name, tmp_path):
    code, said = LEAVING[name]
    for number, where in enumerate(("made", "asked")):
        with pytest.raises(ValueError, match=said) as caught:
            load(tmp_path, f"{name}-{number}", **{where: code})
        assert "\n" not in str(caught.value)


def test_an_interrupt_is_none_of_the_loss_s(tmp_path):
    for number, where in enumerate(("made", "asked")):
        with pytest.raises(KeyboardInterrupt):
            load(tmp_path, f"interrupt-{number}", **{where: "raise KeyboardInterrupt"})


@pytest.mark.parametrize("name", LEAVING)
def test_a_judge_that_leaves_is_one_line(name, tmp_path):
    from mirrorpo.language.judging import scores

    code, said = LEAVING[name]
    path = tmp_path / "judge.py"
    path.write_text(code)
    with pytest.raises(ValueError, match=f"fails when run: {said}"):
        scores.load(f"{path}:score")
