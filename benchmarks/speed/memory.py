"""The peak memory of this process alone."""

import re
import sys
from pathlib import Path

try:
    import resource
except ModuleNotFoundError:  # Windows
    resource = None

_STATUS = Path("/proc/self/status")


def peak_mib() -> float:
    """The largest resident set of this process so far, in MiB; 0 where the system does not say.

    Linux says it in a file of the process: `getrusage`'s figure is at least that of the process
    which started this one.
    """
    if _STATUS.is_file():
        for kib in re.findall(r"VmHWM:\s+(\d+)", _STATUS.read_text()):
            return int(kib) / 2**10
    if resource is None:
        return 0.0
    # macOS counts in bytes, others in KiB.
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
