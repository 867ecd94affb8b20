"""``mirrorpo judge`` generates, compares, resumes, and says what is wrong."""

import json
import sys
from pathlib import Path

import pytest

from mirrorpo.cli import main

torch = pytest.importorskip("torch")
pytest.importorskip("trl")
pytest.importorskip("alpaca_eval")
pytest.importorskip("vaderSentiment")

PROMPTS = ["How was the film?", "How was the food?", "How are you?"]


@pytest.fixture(autouse=True)
def offline_and_quick(monkeypatch):
    from mirrorpo.language.judging import length_control

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(length_control, "RESAMPLES", 5)
    torch.set_num_threads(1)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "prompts.json").write_text(json.dumps(PROMPTS))
    for name, word in (("good", "Wonderful"), ("bad", "Awful")):
        rows = [
            {"instruction": text, "output": f"{word}. " * (1 + row), "generator": name}
            for row, text in enumerate(PROMPTS)
        ]
        (tmp_path / f"{name}.json").write_text(json.dumps(rows))
    return tmp_path


def judge(*arguments):
    main(["judge", *(str(argument) for argument in arguments)])


def failed(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        judge(*arguments)
    assert stop.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    (line,) = [line for line in lines if line.startswith("mirrorpo: ")]
    return line


def test_two_files_of_answers_are_compared(folder, capsys):
    out = folder / "run"
    judge(folder / "good.json", "--baseline", folder / "bad.json", "--out", out)
    said = capsys.readouterr().out
    assert "win rate of good against bad on 3 instructions, judged by vader" in said
    assert "win rate: 100.0 ± 0.0 % [100.0, 100.0]" in said
    assert json.loads((out / "results.json").read_text())["pairs"] == 3
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [row["preference"] for row in rows] == [1.0, 1.0, 1.0]


def test_models_answer_the_prompts_and_a_second_run_generates_nothing(folder, capsys, monkeypatch):
    from mirrorpo.language.models import loading

    arguments = (
        *("smoke", "--baseline", folder / "good.json", "--prompts", folder / "prompts.json"),
        *("--max-new-tokens", 5, "--out", folder / "run", "--cache", folder / "cache"),
    )
    judge(*arguments)
    first = (folder / "run" / "results.json").read_text()
    made = json.loads((folder / "run" / "model-outputs.json").read_text())
    assert [row["instruction"] for row in made] == PROMPTS
    assert {row["generator"] for row in made} == {"smoke"}

    def never(*args, **kwargs):
        raise AssertionError("loaded again")

    monkeypatch.setattr(loading, "load", never)
    judge(*arguments)
    assert (folder / "run" / "results.json").read_text() == first


def test_the_folder_that_align_writes_is_a_model(folder, capsys):
    from mirrorpo.language.models import stand_ins

    base = folder / "base"
    stand_ins.model().save_pretrained(base)
    stand_ins.tokenizer().save_pretrained(base)
    stand_ins.pairs("train").to_json(str(folder / "pairs.jsonl"))
    (folder / "mine.yaml").write_text(
        f"model_name_or_path: {base}\ndataset_name: {folder / 'pairs.jsonl'}\n"
        "chat_template: chatml\nobjective: cpo\nlora_r: 2\nlora_target_modules: [q_proj]\n"
        "max_steps: 1\ngradient_checkpointing: false\nuse_cpu: true\n"
    )
    main(["align", str(folder / "mine.yaml"), "--out", str(folder / "aligned")])
    common = ("--prompts", folder / "prompts.json", "--max-new-tokens", 3)
    judge(folder / "aligned" / "model", *common, "--out", folder / "a")
    judge(base, "--adapter", folder / "aligned" / "model", *common, "--out", folder / "b")
    one, two = (
        [row["output"] for row in json.loads((folder / name / "model-outputs.json").read_text())]
        for name in ("a", "b")
    )
    assert one == two, "the adapter alone names its base, and both use its chat template"
    assert f"3 answers of {base} are in" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("smoke", "--baseline", "good.json"), "smoke is a model: name what it answers"),
        (("none.json", "--baseline", "good.json"), "Cannot read a file of answers at none.json"),
        (("good.json", "--baseline", "bad.json", "--judge", "gpt"), "Judge 'gpt': use vader"),
        (("good.json", "--baseline", "bad.json", "--top-p", "0"), "top_p must be above 0"),
        (("good.json", "--baseline", "bad.json", "--prompts", "x.json"), "file of instructions"),
        (("good.json", "--baseline", "bad.json", "--difficulty", "x.csv"), "No file of difficult"),
        (("good.json", "--baseline", "bad.json", "--adapter", "x"), "the adapter x belongs to a"),
    ],
)
def test_mistakes_are_one_line_and_nothing_is_written(
    arguments, message, folder, capsys, monkeypatch
):
    monkeypatch.chdir(folder)
    assert message in failed(capsys, *arguments, "--out", "run")
    assert not (folder / "run").exists()


def test_answers_to_other_instructions_are_one_line(folder, capsys):
    (folder / "other.json").write_text('[{"instruction": "Else?", "output": "x"}]')
    arguments = (folder / "good.json", "--baseline", folder / "other.json")
    assert "The answers do not match" in failed(capsys, *arguments, "--out", folder / "run")


def test_another_comparison_is_not_overwritten(folder, capsys):
    both = (folder / "good.json", "--baseline", folder / "bad.json", "--out", folder / "run")
    judge(*both)
    rows = json.loads((folder / "good.json").read_text())
    (folder / "good.json").write_text(json.dumps([{**row, "output": "Fine."} for row in rows]))
    assert "holds a run with other settings (contestants differ)" in failed(capsys, *both)


CASES = Path(__file__).parents[1] / "data" / "answers"
WON = "win rate: 90.0 ± 6.6 % [75.0, 100.0]"
LONG = 8000

# Every file of answers against every kind of judge: the line that is said, and the exit code.
TABLE = {
    # model, baseline: vader, a function, a model whose context is short
    ("mine.json", "theirs.json"): (0, "win rate of mine against theirs on 20 instructions"),
    ("mine-inst.json", "theirs.json"): (0, "win rate of Llama-2 [/INST] v1 against theirs on 20"),
    ("mine-tag.json", "theirs.json"): (0, "win rate of dpo[beta=0.1] against theirs on 20"),
    ("a-dots.json", "theirs.json"): (0, "win rate of mine against theirs on 20 instructions"),
    ("a-len.json", "t-len.json"): (0, "win rate of mine against theirs on 6 instructions"),
    ("a-broken.jsonl", "theirs.json"): (2, "a-broken.jsonl, line 13, column"),
    ("a-surrogate.json", "theirs.json"): (2, "the output of row 6 holds '\\ud83d' at character 11"),
    ("p-none.json", "theirs.json"): (2, "row 1 has no instruction and no output"),
    ("t-len.json", "theirs.json"): (2, "The answers do not match: the baseline has none to 6"),
}


@pytest.mark.parametrize("kind", ["vader", "function", "model"])
@pytest.mark.parametrize("case", TABLE, ids=lambda case: case[0])
def test_every_case_of_answers_is_judged_or_refused_in_one_line(
    case, kind, tmp_path, capsys, monkeypatch
):
    from mirrorpo.language.judging import length_control
    from tests.language import judge_server

    monkeypatch.setattr(length_control, "RESAMPLES", 2)
    code, line = TABLE[case]
    (tmp_path / "own.py").write_text("def score(instruction, output):\n    return len(output)\n")
    with judge_server.serve() as server:
        server.too_long = LONG
        (tmp_path / "judge.yaml").write_text(
            f"model: longer\nendpoint: {server.address}\nretries: 0\n"
        )
        by = {
            "vader": "vader",
            "function": tmp_path / "own.py:score",
            "model": tmp_path / "judge.yaml",
        }[kind]
        out = tmp_path / "x[v2]"
        both = (CASES / case[0], "--baseline", CASES / case[1], "--judge", by)
        arguments = (*both, "--out", out, "--cache", tmp_path / "cache")
        if code:
            assert line in failed(capsys, *arguments)
            assert not out.exists(), "a run that never began leaves nothing behind"
            assert not server.calls
            return
        judge(*arguments)
    captured = capsys.readouterr()
    refused = kind == "model" and case[0] == "a-dots.json"
    assert line.replace("on 20", "on 19" if refused else "on 20") in captured.out
    assert f"Every verdict is in {out / 'metrics.jsonl'}." in captured.out
    assert "WARNING" not in captured.err
    assert "Warning" not in captured.err
    assert len(captured.err.splitlines()) <= 4
    results = json.loads((out / "results.json").read_text())
    assert results["without_verdict"] == refused
    if refused:
        assert "1 of 20 pairs have no verdict and are left out: " in captured.out
        assert "refuses, with status 400" in captured.out
        rows = [json.loads(row) for row in (out / "metrics.jsonl").read_text().splitlines()]
        assert ["refused" in row for row in rows].count(True) == 1
    if case[0] == "a-len.json":
        assert "one pair" not in captured.out
    elif kind == "vader":
        assert WON in captured.out


def test_prompts_that_no_answer_is_to_are_one_line(tmp_path, capsys):
    arguments = (CASES / "mine.json", "--baseline", CASES / "theirs.json")
    line = failed(capsys, *arguments, "--prompts", CASES / "p-none.json", "--out", tmp_path / "run")
    assert "mine.json has no answer to 1 of the 1 instructions of --prompts, such as 'som" in line
    assert not (tmp_path / "run").exists()


def test_after_the_file_is_corrected_the_same_folder_can_be_used(folder, capsys):
    rows = json.loads((folder / "bad.json").read_text())
    (folder / "bad.json").write_text(json.dumps(rows[1:]))
    both = (folder / "good.json", "--baseline", folder / "bad.json", "--out", folder / "run")
    assert "The answers do not match" in failed(capsys, *both)
    assert not (folder / "run").exists()
    (folder / "bad.json").write_text(json.dumps(rows))
    judge(*both)
    assert (folder / "run" / "results.json").is_file()


@pytest.mark.parametrize("missing", ["trl", "alpaca_eval"])
def test_a_missing_extra_is_one_line(missing, folder, capsys, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("mirrorpo.language.")]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("judging", "models", "trl_names"):
        monkeypatch.delattr(f"mirrorpo.language.{name}", raising=False)
    for name in [name for name in sys.modules if name.split(".")[0] == missing]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    both = (folder / "good.json", "--baseline", folder / "bad.json", "--out", folder / "run")
    assert "pip install 'mirrorpo[llm]'" in failed(capsys, *both)
