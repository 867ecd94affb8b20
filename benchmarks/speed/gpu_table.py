"""The rows of a GPU's measurements as lines, with ratios to textbook JAX and shares of the peak."""

from collections.abc import Mapping, Sequence
from typing import Any

from . import table
from .arithmetic import matrix_flops
from .workload import Workload

# What a row holds beside its figures.
ABOUT = (
    *("part", "status", "end", "seconds_of_part", "limit_seconds", "command", "versions"),
    *("machine", "git_commit", "small", "device"),
)
_RATE = "agent_steps_a_second"


def lines(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows with figures alone, and with what follows from several of them.

    The end of a part is a line where it says more than that the part came to its end.
    """
    peaks = [row["gflops_a_second"] for row in rows if row["what"] == "float32 peak" and _has(row)]
    ours = {row["size"]: row.get(_RATE) for row in rows if row["by"] == "mirrorpo"}
    found = []
    for row in rows:
        if row["end"] and row["status"] == "measured" and "note" not in row:
            continue
        line = {name: value for name, value in row.items() if name not in ABOUT}
        if _RATE in row:
            if ours.get(row["size"]):
                line["mirrorpo_is_times_faster"] = ours[row["size"]] / row[_RATE]
            if peaks:
                hidden, agents = _sizes(row["size"])
                work = Workload(agents, hidden, 1, row.get("time_steps", 1000))
                line["share_of_peak"] = row[_RATE] * matrix_flops(work) / 1e9 / peaks[-1]
        if row["status"] != "measured":
            line = {**line, "note": f"{row['status']}: {row.get('note', '')}".rstrip(": ")}
        found.append(line)
    return found


def as_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """The table in Markdown, below the device that it is of."""
    if not rows:
        return "Nothing is measured yet.\n"
    devices = sorted({row["device"] for row in rows if row.get("device")})
    commits = sorted({str(row["git_commit"])[:12] for row in rows})
    size = "small sizes, whose figures mean nothing" if rows[0]["small"] else "whole sizes"
    head = f"{', '.join(devices) or 'unknown device'}; commit {', '.join(commits)}; {size}\n\n"
    return head + table.as_table(lines(rows))


def _has(row: Mapping[str, Any]) -> bool:
    return "gflops_a_second" in row


def _sizes(size: str) -> tuple[int, int]:
    """Hidden units and agents of a size such as "2 x 64, 256 agents"."""
    hidden, agents = size.removeprefix("2 x ").removesuffix(" agents").split(", ")
    return int(hidden), int(agents)
