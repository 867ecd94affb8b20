"""A table of results for `recommend --results` is another's file: what is wrong in it is said."""

import pytest

from mirrorpo.advising import evidence_files

HEAD = "task,variant,algorithm,hyperparameters,agents,normalised,normalised_error,run\n"
SOUND = "reviews,base,slic,,3,0.9,0.1,mine\n"


def test_a_sound_row_and_a_diverged_one_are_read(tmp_path):
    (tmp_path / "r.csv").write_text(f"{HEAD}{SOUND}reviews,base,dpo,,3,,,mine\n")
    found = evidence_files.tables([tmp_path / "r.csv"])
    assert found.algorithms == ("slic",)


def test_a_result_of_one_agent_whose_error_is_unknown_is_not_taken_for_sure(tmp_path):
    alone = "reviews,base,dpo,,1,0.99,,mine\n"
    (tmp_path / "r.csv").write_text(f"{HEAD}{SOUND}{alone}")
    assert evidence_files.tables([tmp_path / "r.csv"]).algorithms == ("slic",)
    (tmp_path / "r.csv").write_text(f"{HEAD}{alone}")
    with pytest.raises(ValueError, match="no result that can be used: one needs two agents"):
        evidence_files.tables([tmp_path / "r.csv"])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "No columns"),
        (b"\xff\xfe,\n", "codec can't decode"),
        (HEAD.replace("agents", "agent") + SOUND, "no column agents"),
        (HEAD + SOUND + "a,b\n" + '"open', "Error tokenizing"),
        (HEAD + "reviews,,slic,,3,0.9,0.1,mine\n", "variant is nan, but must be a text"),
        (HEAD + "reviews,base,7,,3,0.9,0.1,mine\n", "algorithm is 7, but must be a text"),
        (HEAD + "reviews,base,slic,,3,high,0.1,mine\n", "normalised is 'high', but must be"),
        (HEAD + "reviews,base,slic,,many,0.9,0.1,mine\n", "agents is 'many', but must be"),
        (HEAD + "reviews,base,slic,,,0.9,0.1,mine\n", "agents is not a number in every row"),
        (HEAD + "reviews,base,slic,,inf,0.9,0.1,mine\n", "agents is not a number in every row"),
        (HEAD + "reviews,base,slic,[1],3,0.9,0.1,mine\n", "hyperparameters is [1], but must be"),
        (HEAD + 'reviews,base,slic,"{""a"": []}",3,0.9,0.1,mine\n', "hyperparameters.a is []"),
        (HEAD + "reviews,base,slic,{,3,0.9,0.1,mine\n", "Expecting property name"),
    ],
)
def test_what_is_wrong_is_one_line_that_names_the_file(content, said, tmp_path):
    path = tmp_path / "r.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match="is not a table of results") as caught:
        evidence_files.tables([path])
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
