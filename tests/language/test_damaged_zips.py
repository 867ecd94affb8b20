"""A zip archive of which one byte is wrong is a fault that is told, whatever byte it is."""

import zipfile

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("trl")

from mirrorpo import files
from mirrorpo.language.training import checkpoints
from mirrorpo.preferences.own import archives


def damaged(whole):
    for at in range(len(whole)):
        for value in (0, 1, 8, 99, whole[at] ^ 0x40):
            yield whole[:at] + bytes([value]) + whole[at + 1 :]


def test_a_damaged_archive_of_arrays_is_a_value_error(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, a=np.arange(9.0))
    told = 0
    for content in damaged(path.read_bytes()):
        path.write_bytes(content)
        try:
            with archives.opened(path) as columns:
                for name in columns.names:
                    columns.read(name)
        except ValueError:
            told += 1
    assert told > 100


def test_what_reading_a_damaged_archive_raises_is_known(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("inside", b"some content")
    told = 0
    for content in damaged(path.read_bytes()):
        path.write_bytes(content)
        told += checkpoints._fault_of_zip(path) is not None
    assert told > 100


def test_an_archive_with_a_password_is_a_fault(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("inside", b"content")
    content = bytearray(path.read_bytes())
    for marker in (b"PK\x03\x04", b"PK\x01\x02"):
        content[content.index(marker) + (6 if marker[2] == 3 else 8)] |= 1
    path.write_bytes(content)
    with pytest.raises(files.BROKEN_ZIP), zipfile.ZipFile(path) as packed:
        packed.testzip()
    assert checkpoints._fault_of_zip(path) is not None
