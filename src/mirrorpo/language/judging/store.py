"""What a judge has said, on disk: whoever asks the same again reads it there."""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mirrorpo import files, json_lines, typed


class Store:
    """Answers by question, as JSON lines. Threads may share one; processes may share its file.

    What is kept is kept for ever, so only a verdict may be: no failure, no refusal, no answer that
    nobody can read. Who reads an answer checks its type, as for any file.

    Args:
        path: the path of the file, new or of an earlier store. Lines that a kill has cut, or that
            are damaged, are passed over.
    """

    def __init__(self, path: Path):
        self.path = path
        self._lock = threading.Lock()
        self._known: dict[str, Any] = dict(json_lines.read(path, _parse))

    def __len__(self) -> int:
        return len(self._known)

    def get(self, question: Mapping[str, Any]) -> Any:
        """The answer to a question, or None where it was never asked."""
        return self._known.get(files.digest(question))

    def add(self, question: Mapping[str, Any], answer: Any) -> None:
        """Write an answer down, flushed to disk."""
        with self._lock:
            json_lines.append(self.path, {"question": files.digest(question), "answer": answer})
            self._known[files.digest(question)] = answer


def _parse(row: Mapping[str, Any]) -> tuple[str, Any]:
    return typed.check(row["question"], str, "question"), row["answer"]
