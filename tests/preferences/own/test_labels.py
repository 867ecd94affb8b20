"""Labels that people gave, as B-Pref, Preference Transformer and Uni-RLHF store them."""

import numpy as np
import pandas as pd
import pytest

from mirrorpo.preferences import facts
from mirrorpo.preferences.own import label_files, labelling, steps
from mirrorpo.preferences.own.settings import ImportSettings
from tests.preferences.own.recordings import LENGTH, episodes, segments, write_npz

SEGMENT = ImportSettings(segment=8)


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    return steps.read(write_npz(tmp_path_factory.mktemp("own") / "a.npz"))


def write(path, content):
    if path.suffix == ".npz":
        np.savez(path, **content)
    else:
        frame = pd.DataFrame({k: list(v) for k, v in content.items()})
        frame.to_csv(path, index=False) if path.suffix == ".csv" else frame.to_parquet(path)
    return path


@pytest.mark.parametrize("row", ["0,10,1,0", "0,10,1,", "0,10"])
def test_a_row_of_another_width_is_refused_with_its_line(row, tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text(f"indices_1,indices_2,label\n20,30,0\n{row}\n")
    with pytest.raises(ValueError, match=r"labels.csv: line 3 has \d values, but .* names 3"):
        label_files.read(path)


@pytest.mark.parametrize("ending", [".npz", ".csv", ".parquet"])
def test_a_label_of_1_prefers_the_second_segment(read, tmp_path, ending):
    content = segments(episodes())
    labels = label_files.read(write(tmp_path / f"labels{ending}", content))
    dataset = labelling.make(read, labels, SEGMENT)
    assert dataset.rows == 80
    assert not dataset.flipped.any()
    held = dataset.trajectories
    at = content["indices_2"][0] if content["label"][0] else content["indices_1"][0]
    chosen = held.observations[dataset.chosen[0]]
    np.testing.assert_array_equal(chosen, episodes()["observations"][at : at + 8])
    turned = label_files.read(tmp_path / f"labels{ending}", one="first")
    assert labelling.make(read, turned, SEGMENT).flipped.all()


@pytest.mark.parametrize(
    "label",
    [
        np.array([0, 1, 0.5, -1]),
        np.array([[0], [1], [0.5], [-1]]),
        np.array([[1, 0], [0, 1], [0.5, 0.5], [0.5, 0.5]]),
        np.array(["0", "1", "equal", "-1"]),
        np.array(["0.0", "1", " Tie ", "0.5"]),
    ],
)
def test_all_ways_to_write_a_label_mean_the_same(tmp_path, label):
    starts = np.array([0, 12, 24, 36])
    path = write(tmp_path / "a.npz", {"indices_1": starts, "indices_2": starts + 1, "label": label})
    verdict = label_files.read(path).verdict
    first, second, equal = label_files.FIRST, label_files.SECOND, label_files.EQUAL
    np.testing.assert_array_equal(verdict, [first, second, equal, equal])


def test_minus_one_can_mean_skipped_and_empty_always_does(tmp_path):
    starts = np.array([0, 12, 24])
    content = {"indices_1": starts, "indices_2": starts + 1, "label": np.array([-1, np.nan, 0])}
    path = write(tmp_path / "a.npz", content)
    skipped, equal = label_files.SKIPPED, label_files.EQUAL
    np.testing.assert_array_equal(label_files.read(path).verdict[:2], [equal, skipped])
    found = label_files.read(path, minus_one="skipped").verdict
    np.testing.assert_array_equal(found[:2], [skipped, skipped])
    path = write(tmp_path / "a.csv", {**content, "label": ["", "skipped", "0"]})
    np.testing.assert_array_equal(label_files.read(path).verdict[:2], [skipped, skipped])


def test_ties_are_dropped_and_counted_or_stand_in_both_orders(read, tmp_path):
    content = segments(episodes())
    content["label"] = content["label"].astype(float)
    content["label"][[3, 7]] = 0.5
    content["label"][5] = np.nan
    labels = label_files.read(write(tmp_path / "a.npz", content))
    dropped = labelling.make(read, labels, SEGMENT)
    assert dropped.rows == 77
    counts = {"pairs": 80, "preferred": 77, "equal": 2, "skipped": 1}
    assert counts.items() <= dropped.card["labels"].items()
    half = labelling.make(read, labels, ImportSettings(segment=8, ties="half"))
    assert half.rows == 81
    pairs = list(zip(half.chosen.tolist(), half.rejected.tolist(), strict=True))
    assert sum((b, a) in pairs for a, b in pairs) == 4


def test_segments_of_unequal_lengths_are_padded_and_their_lengths_kept(read, tmp_path):
    content = {"indices_1": [0, 14], "indices_2": [24, 36], "label": [0, 1]}
    content |= {"length_1": [3, 10], "length_2": [12, 1]}
    dataset = labelling.make(
        read, label_files.read(write(tmp_path / "a.csv", content)), ImportSettings()
    )
    held = dataset.trajectories
    np.testing.assert_array_equal(held.length[dataset.chosen], [3, 1])
    np.testing.assert_array_equal(held.length[dataset.rejected], [12, 10])
    assert not held.observations[dataset.chosen[0], 3:].any()


def test_one_segment_against_itself_is_left_out(read, tmp_path):
    content = {"indices_1": [0, 12], "indices_2": [0, 36], "label": [0, 1]}
    dataset = labelling.make(read, label_files.read(write(tmp_path / "a.csv", content)), SEGMENT)
    assert dataset.rows == 1
    assert dataset.card["labels"]["of one segment"] == 1


def test_indices_of_d4rl_s_qlearning_dataset_leave_out_the_steps_at_which_time_was_up(
    read, tmp_path
):
    content = {"indices_1": [LENGTH - 1], "indices_2": [0], "label": [0]}
    labels = label_files.read(write(tmp_path / "a.csv", content))
    rules = ImportSettings(segment=4, index_into="qlearning")
    dataset = labelling.make(read, labels, rules)
    chosen = dataset.trajectories.observations[dataset.chosen[0]]
    # Of each episode's steps the last one is not counted.
    np.testing.assert_array_equal(chosen, episodes()["observations"][LENGTH : LENGTH + 4])
    bare = steps.read(write_npz(tmp_path / "bare.npz", timeouts=None))
    with pytest.raises(ValueError, match="has no timeouts that would tell them"):
        labelling.make(bare, labels, rules)


GOOD = {"indices_1": [0, 12], "indices_2": [24, 36], "label": [0, 1]}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"label": [0, 2]}, "label at row 1 is 2: a label is 0, 1, 0.5"),
        ({"label": ["0", "left"]}, "label at row 1 is 'left'"),
        ({"label": [[0.2, 0.2], [1, 0]]}, r"label at row 0 is \[0.2, 0.2\], but must add up to 1"),
        ({"label": [[0, 0, 1], [1, 0, 0]]}, r"label has shape \(2, 3\)"),
        ({"label": [0]}, "indices_1 has 2 rows, but label has 1"),
        ({"indices_2": [24, 36.5]}, "indices_2 at row 1 is 36.5, but must be a whole number"),
        ({"indices_2": [24, np.nan]}, "indices_2 at row 1 is nan"),
        ({"indices_1": None}, "has no indices_1: it has 'indices_2', 'label'"),
        ({"length_1": [0, 3], "length_2": [3, 3]}, "length_1 at row 0 is 0"),
        ({name: [] for name in GOOD}, "has no pair"),
    ],
)
def test_a_fault_of_a_label_file_is_told_with_its_row(tmp_path, changes, said):
    content = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    path = write(tmp_path / "a.npz", content)
    with pytest.raises(ValueError, match=said) as caught:
        label_files.read(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "rules", "said"),
    [
        ({}, ImportSettings(), "does not say how long its segments are"),
        ({"length_1": [8, 8], "length_2": [8, 3]}, SEGMENT, "at row 1 8 and 3 steps, not 8: leave"),
        ({"indices_1": [0, 572]}, SEGMENT, "indices_1 at row 1 is 572: a segment of 8 steps"),
        ({"indices_2": [-1, 0]}, SEGMENT, "indices_2 at row 0 is -1: a segment"),
        ({"indices_1": [6, 12]}, SEGMENT, "indices_1 at row 0 is 6: its 8 steps begin at row 6"),
        ({}, ImportSettings(segment=10**9), "a segment of 1000000000 steps from there is outside"),
        ({"label": [0.5, np.nan]}, SEGMENT, "prefers nothing: of 2 pairs 1 are equal, 1 skipped"),
    ],
)
def test_segments_must_lie_within_an_episode(read, tmp_path, changes, rules, said):
    labels = label_files.read(write(tmp_path / "a.npz", {**GOOD, **changes}))
    with pytest.raises(ValueError, match=said):
        labelling.make(read, labels, rules)


@pytest.mark.parametrize("name", ["label_human", "labels.pkl", "labels.json"])
def test_pickles_and_other_files_are_not_read(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x80\x04N.")
    with pytest.raises(ValueError, match=r"is not read: .*indices_1, indices_2 and label"):
        label_files.read(tmp_path / name)


def test_a_broken_csv_is_told(tmp_path):
    for content in (b"", b"\xff\xfe\x00", b'a,b\n"1,2\n'):
        (tmp_path / "a.csv").write_bytes(content)
        with pytest.raises(ValueError, match=r"a\.csv(: line 2| cannot be read| has no indices_1)"):
            label_files.read(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_text("indices_1,indices_2,label,label\n0,12,1,0\n")
    with pytest.raises(ValueError, match=r"a\.csv has two columns of the name 'label': rename one"):
        label_files.read(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_text("indices_1,indices_2,label\n0,x,1\n")
    with pytest.raises(ValueError, match="indices_2 at row 0 is 'x', but must be a whole number"):
        label_files.read(tmp_path / "a.csv")


def test_returns_that_are_not_known_are_not_shown(tmp_path):
    bare = steps.read(write_npz(tmp_path / "a.npz", rewards=None))
    labels = label_files.read(write(tmp_path / "l.npz", segments(episodes())))
    described = facts.describe(labelling.make(bare, labels, SEGMENT))
    assert described.flipped is None
    assert described.sides[0][1:] == ("not known", "not known")
    assert ("labels against the true returns", "not measured") in described.lines
    assert not any("against worse" in name for name, _ in described.lines)
