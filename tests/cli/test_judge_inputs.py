"""``mirrorpo judge`` on changed models, and wrong arguments and files: never an old answer."""

import json

import pytest

import mirrorpo as mpo
from mirrorpo.cli import main

torch = pytest.importorskip("torch")
pytest.importorskip("trl")
pytest.importorskip("alpaca_eval")
pytest.importorskip("vaderSentiment")

PROMPTS = ["How was the film?", "How was the food?"]
COLUMNS = "index,model,preference,std_delta_len,instruction_difficulty,not_gamed_baseline\n"


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)
    torch.set_num_threads(1)


@pytest.fixture
def answers(tmp_path):
    for name, word in (("good", "Wonderful."), ("bad", "Awful.")):
        rows = [{"instruction": text, "output": word, "generator": name} for text in PROMPTS]
        (tmp_path / f"{name}.json").write_text(json.dumps(rows))
    (tmp_path / "prompts.json").write_text(json.dumps(PROMPTS))
    return tmp_path / "good.json", tmp_path / "bad.json"


def save_model(folder, shift=0.0):
    from mirrorpo.language.models import stand_ins

    model = stand_ins.model()
    with torch.no_grad():
        for weights in model.parameters():
            weights.add_(shift * torch.randn(weights.shape))
    model.save_pretrained(folder)
    stand_ins.tokenizer().save_pretrained(folder)


def failed(capsys, *arguments):
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        main(["judge", *map(str, arguments)])
    assert stop.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    (line,) = [line for line in lines if line.startswith("mirrorpo: ")]
    return line


def test_a_model_that_was_replaced_is_asked_anew(answers, tmp_path, capsys):
    save_model(tmp_path / "M")
    asked = ("M", "--prompts", "prompts.json", "--max-new-tokens", "4", "--temperature", "0")
    main(["judge", *asked])
    main(["judge", *asked, "--out", "run"])
    (first,) = (tmp_path / "runs").iterdir()
    save_model(tmp_path / "M", shift=1.0)
    assert "run holds a run that began with another content of M" in failed(
        capsys, *asked, "--out", "run"
    )
    main(["judge", *asked])
    (second,) = (path for path in (tmp_path / "runs").iterdir() if path != first)
    texts = [(path / "model-outputs.json").read_text() for path in (first, second)]
    assert texts[0] != texts[1]


def test_the_contents_of_an_adapter_are_those_of_its_base_too(tmp_path):
    from mirrorpo.language.models import model_files

    save_model(tmp_path / "base")
    (tmp_path / "adapter").mkdir()
    card = {"base_model_name_or_path": str(tmp_path / "base")}
    (tmp_path / "adapter" / "adapter_config.json").write_text(json.dumps(card))
    before = model_files.contents(str(tmp_path / "adapter"))
    assert len(before) == 2
    (tmp_path / "base" / "added.json").write_text("{}")
    after = model_files.contents(str(tmp_path / "adapter"))
    assert [name for name in before if before[name] != after[name]] == [str(tmp_path / "base")]
    assert model_files.contents("owner/name") == {}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("0,m,1.0,0.1,hard,True\n", "line 2: instruction_difficulty is 'hard', but must be a"),
        ("0,m,1.0,0.1,1,True\n1,m,1.0,,1,True\n", "line 3: std_delta_len is empty"),
        ("0,m,inf,0.1,1,True\n", "preference is 'inf', but must be a finite number"),
        ("0,m,1.0,0.1,1,1\n", "not_gamed_baseline is '1', but must be True or False"),
        ("1,m,1.0,0.1,1,True\n0,m,1.0,0.1,2,True\n", "line 2: the index is 1, but the instruct"),
    ],
)
def test_a_difficulty_file_is_refused_before_a_judge_is_asked(
    rows, message, answers, tmp_path, capsys
):
    (tmp_path / "d.csv").write_text(COLUMNS + rows)
    arguments = ("good.json", "--baseline", "bad.json", "--difficulty", "d.csv", "--out", "run")
    assert message in failed(capsys, *arguments)
    assert not (tmp_path / "run").exists()


def test_another_difficulty_file_under_the_same_name_is_another_run(answers, tmp_path, capsys):
    rows = [f"{n},m,1.0,0.1,{n},True\n" for n in range(2)]
    (tmp_path / "d.csv").write_text(COLUMNS + "".join(rows))
    arguments = ("good.json", "--baseline", "bad.json", "--difficulty", "d.csv", "--out", "run")
    main(["judge", *arguments])
    (tmp_path / "d.csv").write_text(COLUMNS + "".join(rows).replace("0.1,1", "0.1,7"))
    assert "another content of d.csv" in failed(capsys, *arguments)


@pytest.mark.parametrize(
    "endpoint",
    ["http://127.0.0.1:99999", "http://", "http://x:port/v1", "http://a b/v1", "http://["],
)
def test_an_endpoint_that_is_no_address_is_one_line(endpoint, answers, tmp_path, capsys):
    (tmp_path / "judge.yaml").write_text(f"model: m\nendpoint: '{endpoint}'\n")
    line = failed(capsys, "good.json", "--baseline", "bad.json", "--judge", "judge.yaml")
    assert "but must be an address such as http://localhost:8000/v1" in line


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"temperature": "x"}, "temperature is 'x', but must be a number"),
        ({"seed": 1.5}, "seed is 1.5, but must be a whole number"),
        ({"seed": True}, "seed is True, but must be a whole number"),
        ({"max_new_tokens": 2.5}, "max_new_tokens is 2.5, but must be a whole number"),
        ({"judge": len}, "judge is <built-in function len>, but must be a text"),
        ({"baseline": 5}, "baseline is 5, but must be a text"),
        ({"prompts": 5}, "prompts is 5, but must be a path"),
        ({"cache": 5}, "cache is 5, but must be a path"),
        ({"out": 5}, "out is 5, but must be a path"),
    ],
)
def test_arguments_from_python_are_checked(given, message, answers):
    good, bad = answers
    with pytest.raises(ValueError, match=message):
        mpo.judge(good, **{"baseline": bad, **given})
    with pytest.raises(ValueError, match="model is 5, but must be a text"):
        mpo.judge(5)
