"""The command that holds runs beside the paper prints its tables and draws its picture."""

import pytest
from PIL import Image

from benchmarks import reproduction
from mirrorpo.reporting import paper
from mirrorpo.study.tables import NOT_RUN
from tests.reporting.made_up import write_run


def lines(capsys):
    return capsys.readouterr().out.splitlines()


def papers(task, variant):
    return {name: mean for name, (mean, _) in paper.RESULTS[task].scores[variant].items()}


def test_runs_are_joined_compared_and_drawn(tmp_path, capsys):
    one = write_run(
        tmp_path / "one", {"base": papers("tla", "base")}, task="tla", protocol="mirror"
    )
    two = write_run(
        tmp_path / "two",
        {"noisy:0.3": {"sft": 9.0, "simpo": 1000.0}, "base": {"sft": 1.0, "kto": 2.0}},
        task="tla",
        protocol="mirror",
    )
    reproduction.main((one, two), columns="noisy:0.3", out=tmp_path / "images")
    printed = lines(capsys)
    assert printed[0] == "mirror, tla: one, two"
    assert [line.split(" on ")[0].strip() for line in printed[1:3]] == ["kto", "sft"]
    assert printed[2] == "  sft on base: of one, not of two"
    (base,) = (line for line in printed if line.startswith("| mirror, tla: one + 1 | base |"))
    assert "| 15 | 1.00 (" in base
    assert base.count("(100 %) |") == 2
    assert (
        f"| mirror, tla: one + 1 | noisy:0.3 | 2 | {NOT_RUN} | 0 of 1 (0 %) | 0 of 0 |" in printed
    )
    top = next(line for line in printed if "SimPO is at the top" in line)
    assert top.split(" | ")[2].startswith("open: base 10/10; not measured")
    assert "| simpo | 3 | 1000 ± 1 | 0.00 | -3828 ± 341 | -2.51 |" in printed
    assert "| sft | 3 | 1 ± 1 |" not in "\n".join(printed)
    with Image.open(tmp_path / "images" / "reproduction.png") as image:
        image.load()


def test_some_losses_alone_are_compared(tmp_path, capsys):
    one = write_run(
        tmp_path / "one", {"base": papers("tla", "base")}, task="tla", protocol="mirror"
    )
    reproduction.main((one,), losses="sft, dpo,kto")
    assert any(line.startswith("| mirror, tla: one | base | 3 |") for line in lines(capsys))
    with pytest.raises(SystemExit, match="2"):
        reproduction.main((one,), losses="sft,dop")
    assert "'dop' is not in the paper's tables. Did you mean dpo?" in capsys.readouterr().err


def test_claims_and_picture_take_the_first_run_of_a_protocol_and_task(tmp_path, capsys):
    good = {"base": {"ipo": 2000.0, "cpo": 1900.0, "orpo": 1800.0, "simpo": 1700.0, "dpo": 1.0}}
    bad = {"base": {name: -mean for name, mean in good["base"].items()}}
    first = write_run(tmp_path / "first", good, protocol="paper", time_steps=64)
    other = write_run(tmp_path / "other", bad, protocol="paper", time_steps=128)
    reproduction.main((first, other))
    printed = lines(capsys)
    assert sum(line.startswith("| paper, hopper:") for line in printed) == 2
    claim = next(line for line in printed if "DPO is below all others" in line)
    assert claim.split(" | ")[2] == "supported: base 4/4 |"


def test_runs_that_are_named_together_are_one_protocol_with_a_bar_of_its_own(tmp_path, capsys):
    one = write_run(tmp_path / "one", {"base": papers("tla", "base")}, task="tla", protocol="paper")
    two = write_run(
        tmp_path / "two",
        {"noisy:0.3": papers("tla", "noisy:0.3")},
        task="tla",
        protocol="near",
        hidden=[256, 256],
    )
    other = write_run(tmp_path / "other", {"base": papers("tla", "base")}, task="tla")
    reproduction.main((one, two, other), out=tmp_path / "images", under=("nearest=one,two",))
    printed = lines(capsys)
    assert printed[:2] == ["nearest, tla: one, two", "no protocol, tla: other"]
    assert sum(line.startswith("| nearest, tla: one + 1 |") for line in printed) == 2
    with Image.open(tmp_path / "images" / "reproduction-agreement.png") as image:
        image.load()


@pytest.mark.parametrize("text", ["nearest", "nearest=", "nearest=onee"])
def test_runs_that_cannot_be_named_together_are_one_line(tmp_path, capsys, text):
    one = write_run(tmp_path / "one", {"base": papers("tla", "base")}, task="tla")
    with pytest.raises(SystemExit):
        reproduction.main((one,), under=(text,))
    assert "--under" in capsys.readouterr().err


def test_a_run_that_is_not_there_is_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit):
        reproduction.main((tmp_path / "nowhere",))
    assert "nowhere" in capsys.readouterr().err
