"""``mirrorpo explain`` end to end: pictures, a formula that trains, and one line for a mistake."""

import json

import numpy as np
import pytest
from PIL import Image

from mirrorpo import objectives
from mirrorpo.cli import main
from mirrorpo.discovery import artefact
from mirrorpo.discovery.visited import Visited


def is_a_picture(path):
    with Image.open(path) as picture:
        colours = picture.convert("RGB").getcolors(maxcolors=2**24)
        return min(picture.size) > 300 and len(colours) > 50


def test_cpo_is_explained(tmp_path, capsys):
    out = tmp_path / "run"
    command = ["explain", "cpo", "--out", str(out)]
    main(command)
    shown = capsys.readouterr().out
    assert "loss = -[x + log sigmoid(0.1 d)]" in shown
    assert "off by less than 0.01 %" in shown
    assert "link: steepest, slope 0.69, at margin -0.8" in shown
    assert is_a_picture(out / "gradient_map.png")
    assert is_a_picture(out / "functions.png")
    assert objectives.load(out / "closed_form.json").terms == "x; log sigmoid(0.1 d)"
    assert r"\log \sigma(0.1 \, d)" in (out / "closed_form.tex").read_text()
    document = json.loads((out / "explain.json").read_text())
    assert document["closed_form"]["relative_error"] < 1e-4
    assert document["log_prob_range"] == [-14.0, -6.0]
    assert document["gradient"][0]["largest"]["rejected"] == -6.0
    main(command)
    assert capsys.readouterr().out == shown, "the same command again is the same run"


def test_visited_pairs_are_used_and_change_with_progress_is_shown(tmp_path, capsys):
    rng = np.random.default_rng(0)
    points = np.full((100, 5), np.nan)
    points[:, :2] = rng.normal(-3.0, 0.5, size=(100, 2))
    points[:, 4] = rng.uniform(size=100)
    found = objectives.get("ta-mpo", beta=1.0)
    artefact.save(tmp_path / "found", artefact.Discovery(found, Visited(points), {"seconds": 7}))
    file = str(tmp_path / "found.safetensors")
    main(["explain", file, "--out", str(tmp_path / "run"), "--max-terms", "3"])
    shown = capsys.readouterr().out
    assert "100 pairs that training visited" in shown
    assert "Gradient at t = 0: of size 1 everywhere." in shown
    assert is_a_picture(tmp_path / "run" / "gradient_map.png")
    formula = artefact.load(tmp_path / "run" / "closed_form.json")
    np.testing.assert_allclose(formula.visited.points, points, rtol=1e-5)
    assert formula.provenance["formula_of"] == file
    assert formula.provenance["seconds"] == 7


def test_other_objectives_have_no_functions_to_show(tmp_path, capsys):
    main(["explain", "bco[beta=1]", "--out", str(tmp_path / "run"), "--low", "-5", "--high", "-1"])
    assert "log sigmoid(-y)" in capsys.readouterr().out
    assert not (tmp_path / "run" / "functions.png").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("cpoo",), "cpo"),
        (("cpo", "--max-terms", "0"), "max_terms must be at least 1"),
        (("cpo", "--low", "-1", "--high", "-5"), "low is -1.0, but must be finite and below high"),
        (("cpo", "--low", "much"), "much"),
    ],
)
def test_a_mistake_is_one_line_and_code_2(tmp_path, capsys, arguments, message):
    out = tmp_path / "run"
    with pytest.raises(SystemExit) as stop:
        main(["explain", *arguments, "--out", str(out)])
    error = capsys.readouterr().err
    assert (stop.value.code, error.count("\n")) == (2, 1)
    assert message in error
    assert not out.exists()


def test_another_run_is_not_overwritten(tmp_path, capsys):
    (tmp_path / "letter.txt").write_text("Dear reader")
    with pytest.raises(SystemExit):
        main(["explain", "sft", "--out", str(tmp_path)])
    assert "nothing is overwritten" in capsys.readouterr().err
