"""``mirrorpo judge`` generates, compares, resumes, and says what is wrong."""

import json
import sys

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
    from mirrorpo.language import models

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

    monkeypatch.setattr(models, "load", never)
    judge(*arguments)
    assert (folder / "run" / "results.json").read_text() == first


def test_the_folder_that_align_writes_is_a_model(folder, capsys):
    from mirrorpo.language import stand_ins

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


@pytest.mark.parametrize("missing", ["trl", "alpaca_eval"])
def test_a_missing_extra_is_one_line(missing, folder, capsys, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("mirrorpo.language.")]:
        monkeypatch.delitem(sys.modules, name)
    for name in list(vars(sys.modules["mirrorpo.language"])):
        if f"mirrorpo.language.{name}" in name or name in ("generation", "judging"):
            monkeypatch.delattr(f"mirrorpo.language.{name}")
    for name in [name for name in sys.modules if name.split(".")[0] == missing]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    both = (folder / "good.json", "--baseline", folder / "bad.json", "--out", folder / "run")
    assert "pip install 'mirrorpo[llm]'" in failed(capsys, *both)
