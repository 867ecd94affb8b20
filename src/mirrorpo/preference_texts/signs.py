"""What a file is by its first bytes, where its name says another thing."""

import re

_MARKS = (
    (b"\xff\xfe\x00\x00", "written in UTF-32", "save it as UTF-8"),
    (b"\x00\x00\xfe\xff", "written in UTF-32", "save it as UTF-8"),
    (b"\xff\xfe", "written in UTF-16", "save it as UTF-8"),
    (b"\xfe\xff", "written in UTF-16", "save it as UTF-8"),
    (b"PAR1\x15", "a Parquet file", "end its name in .parquet"),
    (b"ARROW1", "an Arrow file", "end its name in .arrow"),
    (b"\x1f\x8b", "compressed with gzip", "end its name in .gz, or unpack it"),
    (b"PK\x03\x04", "a zip archive or a spreadsheet", "unpack it, or save the table as CSV"),
    (b"BZh", "compressed with bzip2", "unpack it"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", "unpack it"),
    (b"\xfd7zXZ", "compressed with xz", "unpack it"),
    (b"7z\xbc\xaf", "a 7z archive", "unpack it"),
    (
        b"version https://git-lfs",
        "a pointer of Git LFS in place of the file",
        "fetch the file itself, as by `git lfs pull` in its clone",
    ),
)
_TAR = (257, b"ustar")
_PAGE = re.compile(rb"\s*<(!doctype\s+html|html)\b", re.IGNORECASE)


def other(content: bytes) -> str | None:
    """What a file is that should hold rows as UTF-8 text, and what to do.

    This is the end of a sentence that begins with its name, and None where its first bytes are
    those of a text.

    Args:
        content: the file's, or as many bytes as there are; 262 are enough.
    """
    for mark, what, advice in _MARKS:
        if content.startswith(mark):
            return f"is {what}: {advice}."
    begin, mark = _TAR
    if content[begin : begin + len(mark)] == mark:
        return "is a tar archive: unpack it."
    if _PAGE.match(content):
        return "is a web page: download the file that it links to."
    # Letters of UTF-16 without a byte-order mark: every other byte is 0.
    head = content[:64]
    if len(head) >= 4 and not (any(head[1::2]) and any(head[::2])):
        return "is written in UTF-16: save it as UTF-8."
    return None
