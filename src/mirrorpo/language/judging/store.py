"""What a judge has said, on disk: whoever asks the same again reads it there."""

import hashlib
import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mirrorpo import files


class Store:
    """Answers by question, as JSON lines. Threads may share one; processes may share its file.

    What is kept is kept for ever, so only a verdict may be: no failure, no refusal, no answer that
    nobody can read. Who reads an answer checks its type, as for any file.

    Args:
        path: of the file, new or of an earlier store. Lines that a kill has cut, or that are
            damaged, are passed over.
    """

    def __init__(self, path: Path):
        self.path = path
        self._lock = threading.Lock()
        self._known: dict[str, Any] = {}
        if not path.is_file():
            return
        content = path.read_text(encoding="utf-8", errors="replace")
        for line in content.split("\n"):
            try:
                row = json.loads(line)
                self._known[row["question"]] = row["answer"]
            except (json.JSONDecodeError, KeyError, TypeError, RecursionError):
                continue
        if content and not content.endswith("\n"):
            with path.open("a", encoding="utf-8") as file:
                file.write("\n")  # so that the next line does not join the one that was cut

    def __len__(self) -> int:
        return len(self._known)

    def get(self, question: Mapping[str, Any]) -> Any:
        """The answer to a question, or None where it was never asked."""
        return self._known.get(digest(question))

    def add(self, question: Mapping[str, Any], answer: Any) -> None:
        """Write an answer down, flushed to disk."""
        with self._lock:
            files.append_json_line(self.path, {"question": digest(question), "answer": answer})
            self._known[digest(question)] = answer


def digest(question: Mapping[str, Any]) -> str:
    """A checksum of everything that a question consists of."""
    return hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()
