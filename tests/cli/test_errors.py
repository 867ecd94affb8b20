"""A user's mistake on the command line: one clear line on standard error, exit code 2."""

import json

import numpy as np
import pytest

from mirrorpo.cli import main
from mirrorpo.discovery import artefact
from mirrorpo.preferences import data
from tests import point_task


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return stop.value.code, capsys.readouterr().err


@pytest.fixture
def sources(two_agents):
    return ("--better", two_agents[0], "--worse", two_agents[1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--algorithms", "dpoo"), "dpo"),
        (("--algorithms", "dpo[betta=1]"), "beta"),
        (("--algorithms", "./no_such_file.py:MyLoss"), "no_such_file.py"),
        (("--task", "hoper"), "Did you mean hopper"),
        (("--task", "halfcheetah"), "no shipped source agents"),
        (("--variants", "noisi:0.1"), "Did you mean noisy"),
        (("--variants", "noisy:0.5"), "below 0.5"),
        (("--variants", "noisy:-0.1"), "at least 0"),
        (("--variants", "bad-judge:-1"), "positive"),
        (("--rows", "0"), "rows must be at least 1"),
        (("--seeds", "0"), "seeds must be at least 1"),
        (("--seeds", "-3"), "seeds must be at least 1"),
        (("--data-seed", "-1"), "data_seed must be between 0"),
        (("--epochs", "1"), "at least 2 epochs"),
        (("--minibatch", "0"), "minibatch must be at least 1"),
        (("--rows", "1", "--minibatch", "2"), "fewer than a minibatch"),
        (("--backend", "bullet"), "unknown backend"),
        (("--better", "hoper-expert"), "No agent named"),
        (("--learning-rate", "-1"), "learning_rate must be positive"),
    ],
)
def test_bench_mistakes_are_one_line_and_code_2(capsys, tmp_path, arguments, message):
    out = tmp_path / "run"
    code, error = run(capsys, "bench", *arguments, "--out", out)
    assert code == 2
    assert error.count("\n") == 1
    assert error.startswith("mirrorpo: ")
    assert message in error
    assert not out.exists(), "nothing is written for a mistake"


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("bench", "--out", "a\0b"), "--out has"),
        (("bench", "--rows", "8", "--cache", "a\0b"), "--cache has"),
        (("data", "generate", "hopper", "--out=a\0b.safetensors"), "--out has"),
        (("train", "dpo", "--data", "a\0b"), "--data has"),
        (("judge", "--answers", "a\0b"), "--answers has"),
        (("align", "a\0b"), "An argument has"),
        (("report", "runs", "a\0b", "--out", "page"), "An argument has"),
    ],
)
def test_a_null_byte_is_named_by_its_option_whichever_it_is(capsys, words, named):
    code, error = run(capsys, *words)
    assert code == 2
    assert error.startswith(f"mirrorpo: {named} a null byte")
    assert "'a\\x00b" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("arguments", [("bench", "--seedz", "3"), ("bench", "--seeds", "many")])
def test_unknown_options_and_values_of_the_wrong_type_are_code_2(capsys, arguments):
    code, error = run(capsys, *arguments)
    assert code == 2
    assert "Traceback" not in error


def test_an_objective_is_shown_by_its_name_alone_and_by_the_option(capsys):
    main(["objectives", "dpo"])
    shown = capsys.readouterr().out
    main(["objectives", "--name", "dpo"])
    assert shown == capsys.readouterr().out
    assert "Rafailov" in shown
    code, error = run(capsys, "objectives", "dpo", "--name", "ipo")
    assert code == 2
    assert "leave it out" in error


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("benhc",), "mirrorpo has no command 'benhc'. Did you mean bench"),
        (("data", "inpsect"), "mirrorpo data has no command 'inpsect'. Did you mean inspect"),
        (("sentimant",), "Did you mean sentiment"),
    ],
)
def test_an_unknown_command_is_answered_with_the_near_ones(capsys, words, message):
    code, error = run(capsys, *words)
    assert code == 2
    assert message in error
    assert error.count("\n") == 1


def test_help_of_every_command_is_code_0(capsys):
    from mirrorpo.cli import COMMANDS

    for name, command in COMMANDS.items():
        for words in [(name, sub) for sub in command] if isinstance(command, dict) else [(name,)]:
            code, error = run(capsys, *words, "--help")
            assert code == 0, words
            assert not error


def test_a_truncated_dataset_is_one_line_and_code_2(capsys, tmp_path, pool_file):
    whole = pool_file.read_bytes()
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(whole[: len(whole) // 2])
    capsys.readouterr()
    for words in (("data", "inspect", cut), ("train", "sft", "--data", cut)):
        code, error = run(capsys, *words)
        assert code == 2
        assert error.count("\n") == 1
        assert "truncated" in error


def test_a_foreign_file_is_one_line_and_code_2(capsys, tmp_path):
    letter = tmp_path / "letter.safetensors"
    letter.write_text("Dear reader")
    code, error = run(capsys, "data", "inspect", letter)
    assert (code, error.count("\n")) == (2, 1)
    code, error = run(capsys, "agents", "evaluate", letter)
    assert (code, error.count("\n")) == (2, 1)
    assert "not an agent file" in error


def test_an_agent_of_another_robot_is_one_line_and_code_2(capsys, two_agents):
    code, error = run(capsys, "agents", "evaluate", two_agents[0], "--task", "halfcheetah")
    assert code == 2
    assert "11 observations, but task 'halfcheetah' has 17" in error


def test_data_are_not_overwritten(capsys, tmp_path, sources):
    path = tmp_path / "mine.safetensors"
    path.write_text("precious")
    code, error = run(capsys, "data", "generate", "hopper", "--out", path, "--rows", "5", *sources)
    assert code == 2
    assert "nothing is overwritten" in error
    assert path.read_text() == "precious"


def test_data_rows_below_one_are_refused(capsys, tmp_path, sources):
    path = tmp_path / "data.safetensors"
    code, error = run(capsys, "data", "generate", "hopper", "--out", path, "--rows", "0", *sources)
    assert code == 2
    assert "rows must be at least 1" in error


@pytest.fixture(scope="module")
def two_points(tmp_path_factory):
    return point_task.write_agents(tmp_path_factory.mktemp("points"))


@pytest.fixture
def generate(two_points, tmp_path):
    """Write five short pairs of a variant; their file."""

    def write(variant):
        path = tmp_path / f"{variant}.safetensors"
        main(
            [
                *("data", "generate", point_task.NAME, "--out", str(path), "--variant", variant),
                *("--rows", "5", "--episode-length", "60"),
                *("--better", str(two_points[0]), "--worse", str(two_points[1])),
            ]
        )
        return path

    return write


@pytest.fixture
def pool_file(generate):
    return generate("base")


def test_another_variant_of_the_same_data_is_not_simulated_anew(generate, monkeypatch):
    base = data.PreferenceDataset.load(generate("base"))
    monkeypatch.delattr(data, "simulate")
    noisy = data.PreferenceDataset.load(generate("noisy:0.4"))
    pairs = [
        np.sort(one.trajectories.returns[np.stack([one.chosen, one.rejected])], axis=0)
        for one in (base, noisy)
    ]
    np.testing.assert_array_equal(*pairs)


def test_data_generate_inspect_and_train_work_together(capsys, tmp_path, pool_file):
    main(["data", "inspect", str(pool_file)])
    shown = capsys.readouterr().out
    assert "pairs: 5" in shown
    assert "labels against the true returns: 0.0 %" in shown
    assert "first against second: 100.0 %" in shown
    out = tmp_path / "run"
    command = [
        *("train", "dpo[beta=1]", "--data", str(pool_file), "--out", str(out)),
        *("--seeds", "2", "--epochs", "2", "--episodes", "3"),
    ]
    main(command)
    first = capsys.readouterr().out
    assert first.count("true return") == 2
    assert (out / "agents" / "seed-1.safetensors").is_file()
    main(command)
    assert capsys.readouterr().out == first, "a finished run is read back"
    code, error = run(capsys, *command[:-1], "4")
    assert code == 2
    assert "episodes differ" in error


def test_objectives_lists_the_zoo_and_shows_one(capsys):
    main(["objectives"])
    shown = capsys.readouterr().out
    assert "simpo" in shown
    main(["objectives", "--name", "dpo"])
    assert "2305.18290" in capsys.readouterr().out


def test_objectives_lists_what_was_discovered_and_says_where_it_comes_from(capsys):
    main(["objectives"])
    assert "hopper-robust" in capsys.readouterr().out
    main(["objectives", "--name", "hopper-robust"])
    shown = capsys.readouterr().out
    card = json.loads(artefact.find("hopper-robust").with_suffix(".json").read_text())
    assert "found on hopper: noisy:0.3, mixed-quality, noisy:0.1" in shown
    assert f"on validation {card['winner']['score']:.3f}" in shown
    assert "formula in few terms of" not in shown
    assert "less the best of" not in shown
    main(["objectives", "robust-gated"])
    shown = capsys.readouterr().out
    assert "1 the better's, less the best of sft, slic-robust;" in shown
    assert "known failures: Walker2d" in shown
    main(["objectives", "--name", "hopper-hinge"])
    assert "a formula in few terms of what the search found" in capsys.readouterr().out
