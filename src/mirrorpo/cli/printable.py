"""Text from outside, made printable.

Names of files, models, losses and answers come from outside. Here, in one place, they are kept
from being more than text: no markup, no emoji codes, no control characters of a terminal, and
nothing that the terminal's encoding cannot show stops a command.
"""

import codecs
import re
import sys

# Control characters other than the end of a line, other ends of lines, and those that reorder
# what follows them.
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_PLAIN = {"\u00b1": "+-", "\u2013": "-", "\u2014": "-", "\u2026": "...", "\u2192": "->"}
_ERRORS = "mirrorpo-plain"


def escaped(text: str) -> str:
    """Text with its control characters as escapes, so that a terminal does not obey them."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def printable_streams() -> None:
    """Let standard output and error show what their encoding lacks in other characters."""
    codecs.register_error(_ERRORS, _in_plain)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=_ERRORS)


def _in_plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    shown = (_PLAIN.get(c) or c.encode("ascii", "backslashreplace").decode() for c in lacking)
    return "".join(shown), error.end
