"""Every case of tests/data/texts with `align` and `recommend`: used or refused, and what is said.

In the table, `Used` is trained on or estimated from, with the notes that are printed; any other
text is the one line of the refusal. Both commands read by the same rules, so where the third column
is empty, `recommend` says what `align` says.
"""

import json
import re
from pathlib import Path
from typing import NamedTuple

import pytest

from mirrorpo.cli import main

FOLDER = Path(__file__).parents[1] / "data" / "texts"


class Used(NamedTuple):
    """A case that is used; `notes` are all that is said of how it was read."""

    notes: tuple[str, ...] = ()


NO_PAIRS = "holds no pairs"
FEW = "3 pairs are too few to estimate anything"
AGAIN = "all rows: the prompt stands again at the head of both answers: it is taken once"
FROM = "all rows: messages have from and value, read as role and content"
ONE = tuple(
    f"all rows: {side} is one message, read as a list of one" for side in ("chosen", "rejected")
)
MEDIA = "row 1: images is a list of 1, and only texts can be trained on"
# name: (align, recommend; None for the same)
CASES = {
    "plain.jsonl": (Used(), None),
    "plain.JSONL": (Used(), None),
    "bom.jsonl": (Used(), None),
    "u2028.jsonl": (Used(), None),
    "nel.jsonl": (Used(), None),
    "list-named.jsonl": (Used(), None),
    "pairs.csv": (Used(), None),
    "pairs.jsonl.gz": (Used(), None),
    "long-chosen.jsonl": (Used(), None),
    "ultra.jsonl": (
        Used(
            ("columns that are not used: prompt_id, messages, score_chosen, score_rejected", AGAIN)
        ),
        FEW,
    ),
    "extra-completion.jsonl": (
        Used(("columns that are not used: completion",)),
        "2 pairs are too few",
    ),
    "extra-label-score.jsonl": (
        Used(("columns that are not used: label, score_chosen, margin",)),
        None,
    ),
    "prompt-twice.jsonl": (Used((AGAIN,)), FEW),
    "text-prompt-assistant.jsonl": (
        Used(("the prompt is a text and the answers are messages: it is the user's message",)),
        FEW,
    ),
    "object-answers.jsonl": (Used(ONE), None),
    "fromvalue-lists.jsonl": (Used((FROM,)), None),
    "hh.jsonl": (Used(("read in the layout hh",)), None),
    "orca.jsonl": (Used(("read in the layout orca",)), None),
    "shp.jsonl": (
        Used(("read in the layout shp", "columns that are not used: score_A, score_B")),
        None,
    ),
    "sharegpt.jsonl": (Used(("read in the layout sharegpt", FROM, *ONE)), None),
    "identical-all.jsonl": (
        Used(("all rows: chosen and rejected are the same",)),
        "Only 0 of 60 pairs differ between chosen and rejected: at least 40 must",
    ),
    "reference-nan.jsonl": (
        Used(("columns that are not used: ref_chosen_logps, ref_rejected_logps",)),
        "row 31: ref_chosen_logps is the number nan, but must be a sum of log-probs",
    ),
    "reference-null.jsonl": (
        Used(("columns that are not used: ref_chosen_logps, ref_rejected_logps",)),
        "row 31: ref_chosen_logps is null, but must be a sum of log-probs",
    ),
    "tool-calls-one.jsonl": (
        "row 2: the chat template leaves out a tool call in chosen, the text 'look_up'",
        FEW,
    ),
    "kto.jsonl": (
        "has no column chosen and no column rejected: .*this one has prompt, completion, label"
        r"\..*format=kto pairs",
        None,
    ),
    "images-column.jsonl": (MEDIA, None),
    "parts.jsonl": (MEDIA, None),
    "null-chosen.jsonl": ("row 31: chosen is null", None),
    "null-rejected.jsonl": ("row 31: rejected is null", None),
    "missing-key.jsonl": ("row 31 has no rejected: its columns are prompt, chosen", None),
    "number.jsonl": ("row 31: chosen is the number 42", None),
    "bytes.parquet": ("row 1: chosen is 81 bytes", None),
    "empty-list.jsonl": ("row 31: chosen is an empty list", None),
    "empty-prompt-list.jsonl": ("row 31: there is no prompt", None),
    "first-null-noprompt.jsonl": ("row 1: chosen is null", None),
    "system-last.jsonl": ("row 1: the prompt ends with a message of the role system", None),
    "surrogate.jsonl": (r"row 4: chosen holds half a character, '\\ud83d'", None),
    "strings.json": ("row 1 is the text 'one': a row is an object", None),
    "broken-tail.jsonl": (
        r"line 61, column 12: cannot be read as JSON \(Unterminated string.*cut in the mid",
        None,
    ),
    "utf16.jsonl": ("is written in UTF-16: save it as UTF-8", None),
    "empty.jsonl": (NO_PAIRS, None),
}


TRAINED = ("plain.jsonl", "long-chosen.jsonl")


def run(capsys, *arguments):
    """Exit code and what was said on the two streams; a traceback is an error of the test."""
    code = 0
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as stop:
        code = stop.code
    said = capsys.readouterr()
    assert "Traceback" not in said.out + said.err
    return code, said.out, said.err


def hold(case, wanted, code, out, err):
    """See that a command did with a case what the table says, and said no more of it."""
    lines = [line for line in err.splitlines() if line.startswith("mirrorpo: ")]
    if isinstance(wanted, Used):
        assert (code, lines) == (0, []), err
        # A note may continue in the next lines.
        _, *notes = " ".join(out.split()).split(f"{FOLDER / case}: ")
        assert len(notes) == len(wanted.notes), out
        for note in wanted.notes:
            assert sum(note in line for line in notes) == 1, out
    else:
        assert code == 2
        (line,) = lines
        assert re.search(wanted, line), line
        assert len(line) < 600
        # What is wrong with a row is said with its file.
        assert case in line or "pairs" in wanted


def test_the_table_has_every_case():
    assert set(CASES) == {path.name for path in FOLDER.iterdir()}


@pytest.mark.parametrize(
    "case",
    [
        # `recommend` reads those of which nothing is said, too; of them `align` trains on two.
        pytest.param(case, marks=[pytest.mark.slow] * (wanted == Used() and case not in TRAINED))
        for case, (wanted, _) in CASES.items()
    ],
)
def test_align(case, tmp_path, capsys, monkeypatch):
    torch = pytest.importorskip("torch")
    pytest.importorskip("trl")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    torch.set_num_threads(1)
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        f"model_name_or_path: smoke\ndataset_name: {FOLDER / case}\nobjective: cpo\n"
        "chat_template: chatml\nmax_steps: 1\nper_device_train_batch_size: 2\nuse_cpu: true\n"
        "gradient_checkpointing: false\nsave_strategy: 'no'\n"
    )
    out = tmp_path / "run"
    wanted = CASES[case][0]
    code, said, error = run(capsys, "align", recipe, "--out", out)
    hold(case, wanted, code, said, error)
    assert (out / "model" / "config.json").is_file() == isinstance(wanted, Used)
    if not isinstance(wanted, Used) and "template" not in wanted:
        assert not out.exists(), "nothing is written for a mistake in the data"


@pytest.mark.parametrize("case", CASES)
def test_recommend(case, tmp_path, capsys):
    out = tmp_path / "found.json"
    align, own = CASES[case]
    wanted = align if own is None else own
    # One small table of results: which objectives won is not what is tested here.
    results = tmp_path / "results.csv"
    results.write_text(
        "task,variant,algorithm,hyperparameters,agents,normalised,normalised_error,run\n"
        "reviews,base,dpo,{},3,0.2,0.1,mine\n"
    )
    code, said, error = run(capsys, "recommend", FOLDER / case, "--out", out, "--results", results)
    hold(case, wanted, code, said, error)
    assert out.is_file() == isinstance(wanted, Used)
    if out.is_file():
        assert json.loads(out.read_text(), parse_constant=pytest.fail)["pairs"] == 60
