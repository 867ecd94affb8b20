"""Reading files of trajectories: every format gives the same steps, and faults are told."""

import io
import json
import zipfile

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from mirrorpo.preferences.own import columns, steps
from tests.preferences.own import recordings
from tests.preferences.own.recordings import LENGTH, episodes, write_npz


def test_a_d4rl_archive_is_cut_where_its_episodes_end(tmp_path):
    arrays = episodes(count=3)
    read = steps.read(write_npz(tmp_path / "a.npz", arrays))
    np.testing.assert_array_equal(read.first, [0, LENGTH, 2 * LENGTH])
    np.testing.assert_array_equal(read.length, [LENGTH] * 3)
    assert read.finished.all()
    np.testing.assert_array_equal(read.observations, arrays["observations"])
    np.testing.assert_allclose(read.rewards, arrays["rewards"])


def test_steps_after_the_last_end_are_an_unfinished_episode(tmp_path):
    arrays = {name: values[:-2] for name, values in episodes(count=3).items()}
    read = steps.read(write_npz(tmp_path / "a.npz", arrays, episode=None))
    np.testing.assert_array_equal(read.finished, [True, True, False])
    assert read.length[-1] == LENGTH - 2


def test_terminals_end_episodes_as_timeouts_do(tmp_path):
    arrays = episodes(count=2)
    arrays["terminals"][4] = True
    read = steps.read(write_npz(tmp_path / "a.npz", arrays, episode=None))
    np.testing.assert_array_equal(read.length, [5, LENGTH - 5, LENGTH])


def parquet(path, arrays, layout):
    table = {name: arrays[name] for name in ("rewards", "episode", "policy")}
    for name in ("observations", "actions"):
        if layout == "lists":
            table[name] = list(arrays[name])
        else:
            for i in range(arrays[name].shape[1]):
                table[f"{name}{layout}{i}"] = arrays[name][:, i]
    pyarrow.parquet.write_table(pyarrow.table(table), path)
    return path


@pytest.mark.parametrize("layout", ["lists", "_", "."])
def test_a_table_of_one_row_per_step_gives_the_same_steps(tmp_path, layout):
    arrays = episodes()
    expected = steps.read(write_npz(tmp_path / "a.npz", arrays), others=["policy"])
    read = steps.read(parquet(tmp_path / "a.parquet", arrays, layout), others=["policy"])
    check_equal(read, expected)
    np.testing.assert_array_equal(read.values["policy"], expected.values["policy"])


@pytest.mark.parametrize("options", [{}, {"compression": "gzip"}, {"compression": "lzf"}])
def test_an_hdf5_file_gives_the_same_steps(tmp_path, options):
    pytest.importorskip("h5py", reason="the extra data is not installed")
    arrays = episodes()
    expected = steps.read(write_npz(tmp_path / "a.npz", arrays))
    read = steps.read(recordings.write_d4rl(tmp_path / "a.hdf5", arrays, **options))
    check_equal(read, expected)


def test_a_minari_folder_gives_the_same_steps_without_the_last_observation(tmp_path):
    pytest.importorskip("h5py", reason="the extra data is not installed")
    arrays = episodes()
    expected = steps.read(write_npz(tmp_path / "a.npz", arrays))
    folder = recordings.write_minari(tmp_path / "point-v0", arrays)
    for place in (folder, folder / "data"):
        read = steps.read(place)
        check_equal(read, expected)
        assert read.environment == "Point-v0"


def check_equal(read, expected):
    for name in ("observations", "actions", "rewards", "first", "length", "finished"):
        np.testing.assert_array_equal(getattr(read, name), getattr(expected, name))


def test_columns_can_have_other_names(tmp_path):
    arrays = episodes()
    arrays["states"] = arrays.pop("observations")
    path = write_npz(tmp_path / "a.npz", arrays)
    with pytest.raises(ValueError, match=r"has no observations: it has .*'states'.*--columns"):
        steps.read(path)
    read = steps.read(path, columns.parse_names(["observations=states"]))
    np.testing.assert_array_equal(read.observations, arrays["states"])
    with pytest.raises(ValueError, match=r"observations=seen: .* has no 'seen'"):
        steps.read(path, columns.parse_names(["observations=seen"]))
    with pytest.raises(ValueError, match="'states': write COLUMN=NAME"):
        columns.parse_names(["states"])
    with pytest.raises(ValueError, match="--columns names observations twice"):
        columns.parse_names(["observations=states", "observations=seen"])


def changed(name, at, value):
    values = episodes()[name].astype(float)
    values[at] = value
    return {name: values}


FAULTS = {
    "a number that is not finite": (
        changed("observations", (13, 1), np.nan),
        r"observations\[1\] at row 13 \(episode 1, step 1\) is nan",
    ),
    "an infinite reward": (changed("rewards", 5, np.inf), r"rewards at row 5 \(episode 0"),
    "a number beyond float32": (changed("actions", (3, 0), 1e39), r"actions\[0\] at row 3 .* inf"),
    "a flag of 2": (changed("timeouts", 7, 2), "timeouts at row 7 is 2.0, but must be 0 or 1"),
    "too few rewards": ({"rewards": np.zeros(3)}, "rewards has 3 rows, but observations has 576"),
    "no observations": ({"observations": None}, "has no observations"),
    "images": ({"observations": np.zeros((576, 2, 2))}, r"shape \(576, 2, 2\), but needs one row"),
    "no step": (
        {name: values[:0] for name, values in episodes().items()},
        "observations has no step",
    ),
    "discrete actions": ({"actions": np.zeros(576, int)}, "whole numbers: only continuous"),
    "texts": ({"observations": np.full((576, 2), "a")}, "observations holds <U1"),
    "rewards of two kinds": ({"rewards": np.zeros((576, 2))}, "needs one number per step"),
    "no end": (
        {"timeouts": np.zeros(576), "episode": None},
        "no episode ends: terminals and timeouts are 0 in all 576 rows",
    ),
    "nothing that says where episodes end": (
        {"timeouts": None, "terminals": None, "episode": None},
        "does not say where an episode ends",
    ),
    "an episode that goes on after its end": (changed("timeouts", 3, 1), "row 4 is still 0"),
    "an episode without a number": (changed("episode", 3, np.nan), "episode at row 3 is nan"),
}


@pytest.mark.parametrize("name", [name for name, (_, said) in FAULTS.items() if said])
def test_a_fault_of_a_file_is_told_with_its_place(tmp_path, name):
    changes, said = FAULTS[name]
    path = write_npz(tmp_path / "faulty.npz", **changes)
    with pytest.raises(ValueError, match=said) as caught:
        steps.read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_episode_s_steps_must_follow_each_other(tmp_path):
    episode = episodes()["episode"]
    episode[-1] = 3
    with pytest.raises(ValueError, match="episode at row 575 is 3 again"):
        steps.read(write_npz(tmp_path / "a.npz", episode=episode, timeouts=None))


def test_a_source_must_be_one_within_an_episode(tmp_path):
    policy = episodes()["policy"]
    policy[5] = 1
    path = write_npz(tmp_path / "a.npz", policy=policy)
    with pytest.raises(ValueError, match="policy changes from 0 to 1 at row 5, within an episode"):
        steps.read(path, others=["policy"])


def test_pickled_objects_are_refused(tmp_path):
    class Attack:
        def __reduce__(self):
            return open, (str(tmp_path / "ran"), "w")

    path = tmp_path / "a.npz"
    np.savez(path, **{**episodes(), "actions": np.array([Attack()] * 3, object)})
    with pytest.raises(ValueError, match="actions holds Python objects"):
        steps.read(path)
    assert not (tmp_path / "ran").exists()


def header(shape, kind="<f4"):
    file = io.BytesIO()
    about = {"descr": kind, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, about)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (header((10**7, 10**5)), "is more than is read: a file's arrays may take 8 GiB"),
        (header((2**62, 2**62)), "is more than is read"),
        (header((-1, 2)), "damaged: its shape is"),
        (header((100, 2)), "damaged"),
        (b"\x93NUMPY\x09\x00", "damaged"),
        (b"", "damaged"),
    ],
)
def test_an_array_that_is_not_what_it_says_is_refused_before_it_is_unpacked(
    tmp_path, content, said
):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("observations.npy", content)
        archive.writestr("actions.npy", content)
    with pytest.raises(ValueError, match=said):
        steps.read(path)


@pytest.mark.parametrize("ending", [".npz", ".parquet", ".hdf5"])
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no archive", b"PAR1PAR1"])
def test_a_file_of_another_kind_is_told(tmp_path, ending, content):
    if ending == ".hdf5":
        pytest.importorskip("h5py", reason="the extra data is not installed")
    path = tmp_path / f"a{ending}"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="cannot be read as"):
        steps.read(path)


@pytest.mark.parametrize("size", [100, 3000, -200])
def test_a_cut_archive_is_told(tmp_path, size):
    path = write_npz(tmp_path / "a.npz")
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ValueError, match="cannot be read as a NumPy archive"):
        steps.read(path)


def test_an_archive_of_a_newer_zip_than_python_reads_is_told(tmp_path):
    path = write_npz(tmp_path / "a.npz")
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 6] = 99  # the version that its directory asks for
    path.write_bytes(content)
    with pytest.raises(ValueError, match="cannot be read as a NumPy archive: zip file version"):
        steps.read(path)


def test_missing_and_unknown_files_are_told(tmp_path):
    with pytest.raises(ValueError, match="there is no such file"):
        steps.read(tmp_path / "none.npz")
    (tmp_path / "a.pkl").write_bytes(b"")
    with pytest.raises(ValueError, match=r"has \.pkl, which is not read: name a file of \.npz"):
        steps.read(tmp_path / "a.pkl")
    with pytest.raises(ValueError, match=r"is a folder without metadata\.json"):
        steps.read(tmp_path)


def table(path, **changes):
    arrays = episodes()
    content = {
        "observations": list(arrays["observations"]),
        "actions_0": arrays["actions"][:, 0],
        "episode": arrays["episode"],
    }
    pyarrow.parquet.write_table(pyarrow.table({**content, **changes}), path)
    return path


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"observations": [[0.0, 1.0]] * 575 + [[0.0]]}, "row 575 has 1 numbers, the first row 2"),
        ({"episode": [0] * 575 + [None]}, "episode at row 575 is empty"),
        ({"observations": [[0.0, None]] * 576}, "observations has an empty number"),
        ({"actions_2": np.zeros(576)}, "columns actions_... have no number 1"),
        ({"observations": [{"a": 1.0}] * 576}, "where numbers are needed"),
        ({"episode": ["x" * 5000] * 576}, "holds a text of 5000 characters"),
    ],
)
def test_a_faulty_table_is_told_with_its_row(tmp_path, changes, said):
    with pytest.raises(ValueError, match=said):
        steps.read(table(tmp_path / "a.parquet", **changes))


def test_two_columns_of_one_name_are_refused(tmp_path):
    whole = pyarrow.parquet.read_table(table(tmp_path / "a.parquet"))
    twice = whole.append_column("episode", whole["episode"])
    pyarrow.parquet.write_table(twice, tmp_path / "a.parquet")
    with pytest.raises(ValueError, match="has two columns of the name 'episode': rename one"):
        steps.read(tmp_path / "a.parquet")


class TestHdf5:
    """What HDF5 can do besides holding arrays is not followed."""

    @pytest.fixture(autouse=True)
    def h5py(self):
        self.h5py = pytest.importorskip("h5py", reason="the extra data is not installed")

    def write(self, path, make):
        with self.h5py.File(path, "w") as file:
            for name, array in episodes().items():
                if name not in ("observations",):
                    file[name] = array
            make(file)
        return path

    def refused(self, tmp_path, make, said):
        with pytest.raises(ValueError, match=said) as caught:
            steps.read(self.write(tmp_path / "a.hdf5", make))
        assert "\n" not in str(caught.value)

    def test_links_to_other_files(self, tmp_path):
        recordings.write_d4rl(tmp_path / "other.hdf5")
        link = self.h5py.ExternalLink(str(tmp_path / "other.hdf5"), "observations")
        told = "observations is a link to another place"
        self.refused(tmp_path, lambda f: f.__setitem__("observations", link), told)
        soft = self.h5py.SoftLink("/actions")
        self.refused(tmp_path, lambda f: f.__setitem__("observations", soft), told)

    def test_external_storage(self, tmp_path):
        outside = tmp_path / "secret"
        outside.write_bytes(b"0" * 576 * 8)

        def make(file):
            parts = [(str(outside), 0, 576 * 8)]
            file.create_dataset("observations", (576, 2), "f4", external=parts)

        self.refused(tmp_path, make, "observations lies in other files")

    def test_virtual_arrays(self, tmp_path):
        recordings.write_d4rl(tmp_path / "other.hdf5")

        def make(file):
            layout = self.h5py.VirtualLayout((576, 2), "f4")
            layout[:] = self.h5py.VirtualSource(
                str(tmp_path / "other.hdf5"), "observations", (576, 2)
            )
            file.create_virtual_dataset("observations", layout)

        self.refused(tmp_path, make, "observations lies in other files")

    def test_more_than_is_read(self, tmp_path):
        def make(file):
            file.create_dataset(
                "observations", (10**9, 10), "f8", chunks=(1000, 10), compression="gzip"
            )

        self.refused(tmp_path, make, "is more than is read")

    def test_a_huge_chunk(self, tmp_path):
        def make(file):
            file.create_dataset(
                "observations", (576, 2), "f4", maxshape=(None, 2), chunks=(10**8, 2)
            )

        self.refused(tmp_path, make, "chunks of more than")

    def test_objects_of_any_length(self, tmp_path):
        def make(file):
            file.create_dataset("observations", (576,), self.h5py.vlen_dtype(np.float32))

        self.refused(tmp_path, make, "observations holds object: only numbers")

    def test_a_group_in_place_of_an_array(self, tmp_path):
        def make(file):
            file["observations/position"] = np.zeros((576, 2))

        self.refused(tmp_path, make, r"has no observations: it has .*'observations/position'")

    def test_a_group_within_itself(self, tmp_path):
        def make(file):
            file["loop/a"] = np.zeros(3)
            file["loop/again"] = file["loop"]

        self.refused(tmp_path, make, "has no observations")

    def test_a_cut_file(self, tmp_path):
        path = recordings.write_d4rl(tmp_path / "a.hdf5")
        path.write_bytes(path.read_bytes()[:-3000])
        with pytest.raises(ValueError, match="cannot be read as HDF5"):
            steps.read(path)

    @pytest.mark.parametrize(
        ("about", "said"),
        [({"data_format": "arrow"}, "data_format is 'arrow'; only hdf5 is read")],
    )
    def test_minari_s_other_storage(self, tmp_path, about, said):
        with pytest.raises(ValueError, match=said):
            steps.read(recordings.write_minari(tmp_path / "a", **about))

    def test_minari_s_faults_name_the_episode(self, tmp_path):
        folder = recordings.write_minari(tmp_path / "a")
        with self.h5py.File(folder / "data" / "main_data.hdf5", "a") as file:
            del file["episode_3/actions"]
        with pytest.raises(ValueError, match="has no episode_3/actions"):
            steps.read(folder)
        with self.h5py.File(folder / "data" / "main_data.hdf5", "a") as file:
            file["episode_3/actions"] = np.zeros((5, 1), "f4")
        with pytest.raises(ValueError, match="episode_3/actions has 5 rows, but its rewards have"):
            steps.read(folder)
        (folder / "data" / "metadata.json").write_text(json.dumps([1]))
        with pytest.raises(ValueError, match="holds no JSON object"):
            steps.read(folder)


def test_without_h5py_one_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    (tmp_path / "a.hdf5").write_bytes(b"\x89HDF")
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'mirrorpo\[data\]'"):
        steps.read(tmp_path / "a.hdf5")
