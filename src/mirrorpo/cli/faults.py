"""A machine's faults in one line: no space, no permission, no memory."""

import errno
import re

_ADVICE = {
    errno.ENOSPC: "Free some space, and run the same command again.",
    errno.EDQUOT: "Free some space, and run the same command again.",
    errno.EFBIG: "The limit is the system's or the shell's (ulimit -f).",
    errno.EACCES: "Change its permissions, or name another place.",
    errno.EPERM: "Change its permissions, or name another place.",
    errno.EROFS: "Name another place.",
    errno.ENOTDIR: "A file stands where a folder is needed: name another place.",
    errno.EEXIST: "A file stands where a folder is needed: name another place.",
    errno.EISDIR: "Name a file.",
    errno.EMFILE: "Raise the shell's limit (ulimit -n).",
}
_NO_MEMORY = re.compile(r"RESOURCE_EXHAUSTED|out of memory|bad_alloc|can't allocate memory", re.I)
_NOT_WRITTEN = re.compile(
    r"No space left on device|Disk quota exceeded|File too large|StorageFull|FileTooLarge"
    r"|PytorchStreamWriter failed writing|unexpected pos \d+ vs|basic_ios::clear|iostream error",
    re.I,
)
# The temporary name of a file that is written atomically.
_PART = re.compile(r"(^|/)\.([^/]+)\.\w+\.part$")


def explain(error: BaseException) -> str | None:
    """A line on a fault of the machine, with what to do; None for what is none.

    Args:
        error: what was raised. Libraries of compiled code have classes of their own for a full
            disk or memory, which are told by their names and messages.
    """
    if isinstance(error, OSError):
        return _of_system(error)
    text = " ".join(str(error).split())
    if isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and _NO_MEMORY.search(f"{type(error).__name__} {text}")
    ):
        said = f" ({text:.160})" if text else ""
        return f"Out of memory{said}. Use fewer rows, agents or pairs at once, or a smaller model."
    if isinstance(error, RecursionError):
        return "The input is nested too deeply to be read."
    if isinstance(error, UnicodeEncodeError):
        return (
            f"The text {error.object[error.start : error.end]!r:.40} cannot be written as "
            f"{error.encoding}: set PYTHONUTF8=1, or rename what holds it."
        )
    # Of safetensors, and of tokenizers, which raises what is an Exception and nothing more.
    written_by_others = type(error) is Exception or type(error).__name__ == "SafetensorError"
    if (written_by_others or isinstance(error, RuntimeError)) and _NOT_WRITTEN.search(text):
        return f"A file cannot be written ({text:.160}). {_ADVICE[errno.ENOSPC]}"
    return None


def _of_system(error: OSError) -> str:
    if error.errno is None or error.strerror is None:
        return str(error) or type(error).__name__
    named = [_PART.sub(r"\1\2", str(name)) for name in (error.filename, error.filename2) if name]
    where = f"{' and '.join(dict.fromkeys(named))}: " if named else ""
    advice = _ADVICE.get(error.errno, "")
    return f"{where}{error.strerror}. {advice}".strip()
