"""A file of the user's is never overwritten by one of ours."""

import pytest

from mirrorpo import files, places


def test_a_file_is_replaced_only_by_one_of_its_kind(tmp_path):
    ours, another = tmp_path / "ours.html", tmp_path / "another.html"
    ours.write_text("<title>MirrorPO: a page</title>")
    another.write_text("a page of mine")
    for path in (ours, tmp_path / "new.html"):
        places.check_replaceable(path, f"--out {path}", "<title>MirrorPO: ")
    with pytest.raises(ValueError, match="is not what this command writes"):
        places.check_replaceable(another, f"--out {another}", "<title>MirrorPO: ")
    ours.write_text("x" * (2**20 - 3) + "<title>MirrorPO: across two parts")
    places.check_replaceable(ours, f"--out {ours}", "<title>MirrorPO: ")
    with pytest.raises(ValueError, match="is a folder"):
        places.check_replaceable(tmp_path, "--out it", "")


def test_a_card_replaces_a_card_and_nothing_else(tmp_path):
    def write(name):
        path = tmp_path / f"{name}.safetensors"
        files.write_with_card(path, lambda part: part.write_bytes(b"arrays"), {"name": name})
        return path

    for _ in range(2):
        made = write("own")
    made.unlink()  # the card alone is left
    write("own")
    made.with_suffix(".json").write_text("{")  # a damaged card beside its file
    write("own")
    for content in ("{", "[1]", '{"my": "notes"}'):
        (tmp_path / "mine.json").write_text(content)
        with pytest.raises(ValueError, match="is no card of MirrorPO"):
            write("mine")
        assert (tmp_path / "mine.json").read_text() == content
        assert not (tmp_path / "mine.safetensors").exists()


def test_a_new_file_takes_no_place_that_is_taken_by_a_file_or_by_a_link(tmp_path):
    link = tmp_path / "link.safetensors"
    link.symlink_to(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="exists already"):
        places.check_new(link, f"--out {link}", ".safetensors")
    with pytest.raises(ValueError, match=r"end the name in \.png or \.gif"):
        places.check_new(tmp_path / "a.jpg", "--out a.jpg", ".png", ".gif")
