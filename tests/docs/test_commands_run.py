"""The commands of the tutorial, and README's about data, run one after the other, made small."""

from pathlib import Path

import pytest

from mirrorpo.cli import main
from tests import point_task
from tests.docs.test_documents import ROOT, commands, python_blocks

SMALL = {
    "--rows": "8",
    "--seeds": "1",
    "--epochs": "6",
    "--time-steps": "4",
    "--episodes": "2",
    "--generations": "1",
    "--population": "2",
    "--validation-seeds": "2",
    "--validation-rows": "8",
    "--validation-episodes": "2",
}
"""In place of the documents' values."""


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def small(arguments, **others):
    values = {**SMALL, **others}
    return [
        values.get(before, argument)
        for before, argument in zip(["", *arguments], arguments, strict=False)
    ]


@pytest.fixture
def robot(request, monkeypatch, tmp_path):
    """Hopper, or in its place a point on a line, which takes no minutes to compile."""
    if request.param == "hopper":
        return
    point_task.stand_in_for_hopper(monkeypatch, tmp_path)


LIGHT_AND_REAL = pytest.mark.parametrize(
    "robot", ["point", pytest.param("hopper", marks=pytest.mark.slow)], indirect=True
)


@pytest.mark.slow  # its short form is the story of the notebook, in tests/front
@LIGHT_AND_REAL
@pytest.mark.usefixtures("robot")
def test_the_tutorial_s_commands_lead_to_a_report_of_all_of_it():
    for arguments in commands((ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")):
        main(small(arguments))
    page = Path("runs/first-report/report.html").read_text(encoding="utf-8")
    assert "first-bench" in page
    (last,) = set(Path("runs").glob("report-*/report.html"))
    text = last.read_text(encoding="utf-8")
    assert all(name in text for name in ("first-bench", "first-search", "first-explanation"))
    assert Path("runs/first-explanation/closed_form.json").is_file()


@LIGHT_AND_REAL
@pytest.mark.usefixtures("robot")
def test_the_commands_on_a_search_measure_what_it_found(capsys):
    first, bench, explain, *_ = commands(
        (ROOT / "docs" / "howto" / "discover.md").read_text(encoding="utf-8")
    )
    assert [first[0], bench[0], explain[0]] == ["discover", "bench", "explain"]
    for arguments in (first, bench, explain):
        main(small(arguments))
    said = " ".join(capsys.readouterr().out.split())
    assert "runs/my-search/objective.safetensors │" in said
    assert "loss = " in said


@LIGHT_AND_REAL
@pytest.mark.usefixtures("robot")
def test_readme_s_commands_about_data_run_on_what_they_wrote(capsys):
    told = list(commands((ROOT / "README.md").read_text(encoding="utf-8")))
    about_data = [words for words in told if any("noisy.safetensors" in word for word in words)]
    assert [words[0] for words in about_data] == ["data", "data", "train", "recommend"]
    for arguments in about_data:
        # As many pairs as it takes to estimate anything.
        given = small(arguments, **{"--rows": "40"})
        if arguments[0] == "train":
            given += ["--time-steps", "4", "--epochs", "1", "--episodes", "2"]
        main(given)
    said = capsys.readouterr().out
    assert "40 pairs of trajectories" in said
    assert "seed 0: true return" in said


@pytest.mark.parametrize("name", ["trajectories", "labels"])
def test_the_commands_on_own_data_run_on_the_files_of_their_page(name, capsys):
    text = (ROOT / "docs" / "howto" / f"{name}.md").read_text(encoding="utf-8")
    for code in python_blocks(text):
        exec(compile(code, name, "exec"), {})
    done = [arguments[0] for arguments in commands(text)]
    for arguments in commands(text):
        # The pages' files are small, and what is estimated of them needs all rows.
        values = {"--seeds": "1", "--epochs": "1", "--variants": "base", "--algorithms": "sft"}
        before = ["", *arguments]
        main([values.get(name, word) for name, word in zip(before, arguments, strict=False)])
    assert {"data", "bench"} < set(done)
    said = " ".join(capsys.readouterr().out.split())
    assert "my-robot: mean held-out label agreement in %" in said


@pytest.mark.slow
def test_the_commands_on_an_own_robot_run_on_the_file_of_their_page(capsys):
    pytest.importorskip("gymnasium")
    text = (ROOT / "docs" / "howto" / "robot.md").read_text(encoding="utf-8")
    names = ("my_robot.py", "my_policy.py")
    for name, code in zip(names, python_blocks(text), strict=True):
        Path(name).write_text(code, encoding="utf-8")
    values = {
        "--total-steps": "2048",
        "--evaluate-every": "1024",
        "--rollout-steps": "32",
        "--rows": "8",
        "--epochs": "6",
        "--seeds": "1",
        "--variants": "base",
        "--algorithms": "sft",
    }
    for arguments in commands(text):
        given = small(arguments, **values)
        if arguments[0] in {"bench", "train"} or arguments[1] in {"evaluate", "pick"}:
            given += ["--episodes", "2"]
        if arguments[0] == "discover":
            given += ["--population", "2", "--episodes", "2", "--validation-rows", "8"]
            given += ["--validation-seeds", "2", "--validation-episodes", "2"]
        main(given)
    said = " ".join(capsys.readouterr().out.split())
    assert "on my_robot.py:make (gymnasium): true return" in said
    assert "my_policy.py:act on my_robot.py:make" in said
    # A card's word alone runs no file of code.
    with pytest.raises(SystemExit):
        main(["agents", "evaluate", "runs/my-agent/agents/seed-0.safetensors"])
    assert "name it yourself, by --task my_robot.py:make" in capsys.readouterr().err


@pytest.mark.usefixtures("few_objectives")
def test_the_commands_on_own_texts_run_on_the_files_of_their_page(capsys, monkeypatch, tmp_path):
    for name in ("torch", "trl", "vaderSentiment"):
        pytest.importorskip(name)
    monkeypatch.setenv("MIRRORPO_CACHE", str(tmp_path / "cache"))
    text = (ROOT / "docs" / "howto" / "text.md").read_text(encoding="utf-8")
    reward, prompts = python_blocks(text)
    Path("my_reward.py").write_text(reward, encoding="utf-8")
    exec(compile(prompts, "text", "exec"), {})
    values = {
        "--model": "smoke",
        "--variants": "base",
        "--algorithms": "sft",
        "--best-of": "2",
        "--target-steps": "2",
        "--steps": "2",
        "--episodes": "4",
    }
    tiny = ["--rows", "8", "--test-prompts", "4", "--max-new-tokens", "4", "--lora-r", "2"]
    first, report, opinion = commands(text)
    main([*small(first, **values), *tiny])
    main(report)
    main([*opinion, *tiny, "--protocol", "smoke", "--algorithms", "sft", "--variants", "base"])
    said = " ".join(capsys.readouterr().out.split())
    assert said.count("Mean reward, 4 continuations of test prompts per agent") == 2
    assert Path("runs/my-report/report.html").is_file()
