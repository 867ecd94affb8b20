"""Names of rows in charts and tables."""

from mirrorpo.reporting import labels


def test_a_search_s_result_is_named_by_its_folder_and_a_file_without_its_folders():
    names = ["dpo", "ta-mpo[schedule=linear]", "a/b/objective.safetensors", "./mine/loss.py:Loss"]
    assert list(labels.of(names).values()) == [*names[:2], "found by b", "loss.py:Loss"]
    assert labels.of(["a/loss.py:Loss[beta=0.5]"]) == {
        "a/loss.py:Loss[beta=0.5]": "loss.py:Loss[beta=0.5]"
    }


def test_files_that_would_share_a_label_keep_their_whole_names():
    names = ["x/run/objective.safetensors", "y/run/objective.safetensors", "x/other.json"]
    assert list(labels.of(names).values()) == [*names[:2], "other.json"]
