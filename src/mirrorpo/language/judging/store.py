"""What a judge has said, on disk: whoever asks the same again reads it there."""

import hashlib
import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mirrorpo import json_lines, typed


class Store:
    """Answers by question, as JSON lines. Threads may share one; processes may share its file.

    Args:
        path: of the file, new or of an earlier store. A line that a kill has cut is passed over.
    """

    def __init__(self, path: Path):
        self.path = path
        self._lock = threading.Lock()
        self._known: dict[str, Any] = dict(json_lines.read(path, _parse))

    def __len__(self) -> int:
        return len(self._known)

    def get(self, question: Mapping[str, Any]) -> Any:
        """The answer to a question, or None where it was never asked."""
        return self._known.get(digest(question))

    def add(self, question: Mapping[str, Any], answer: Any) -> None:
        """Write an answer down, flushed to disk."""
        with self._lock:
            json_lines.append(self.path, {"question": digest(question), "answer": answer})
            self._known[digest(question)] = answer


def _parse(row: Mapping[str, Any]) -> tuple[str, Any]:
    return typed.check(row["question"], str, "question"), row["answer"]


def digest(question: Mapping[str, Any]) -> str:
    """A checksum of everything that a question consists of."""
    return hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()
