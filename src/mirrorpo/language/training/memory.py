"""What an objective remembers from batch to batch, on language models."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mirrorpo import array_files
from mirrorpo.language.trl_names import torch

from .stages import Stage

FORMAT = "mirrorpo-objective-memory"
FILE = "objective_memory.safetensors"


@dataclass(frozen=True)
class Memory:
    """What an objective remembers of this process's batches; see `Objective.remember`.

    Attributes:
        values: float32, shape (memory_size,).
        stage: step at which the objective's stage began.
    """

    values: torch.Tensor
    stage: int

    def of(self, stage: int, device: Any) -> torch.Tensor | None:
        """The values for a stage; None if they are another's."""
        return self.values.to(device) if self.stage == stage else None

    def save(self, folder: Path) -> None:
        """Write `FILE` to a folder, whole or not at all."""
        arrays = {"values": self.values.cpu().numpy()}
        array_files.save_arrays(folder / FILE, arrays, {"format": FORMAT, "stage": self.stage})

    @classmethod
    def load(cls, folder: Path) -> "Memory | None":
        """What `save` wrote to a folder; None if it wrote nothing there.

        Raises:
            ValueError: a damaged file.
        """
        path = folder / FILE
        if not path.is_file():
            return None
        what, fields = "a file of an objective's memory", {"stage": int}
        card, found = array_files.load_checked(path, FORMAT, what, fields, ("values",))
        return cls(torch.from_numpy(found["values"]), card["stage"])


def recalled(memory: Memory | None, stage: Stage, step: int, device: Any) -> torch.Tensor | None:
    """What a stage's objective remembers at a step; None where it has seen no batch yet.

    Raises:
        ValueError: it has seen some, and the checkpoint that training resumed from lacks them.
    """
    found = None if memory is None else memory.of(stage.start, device)
    if found is None and stage.objective.memory_size and step > stage.start:
        raise ValueError(
            f"{stage.objective.name} remembers earlier batches, but training resumes at step "
            f"{step} and the checkpoint has no {FILE}: resume from another checkpoint."
        )
    return found
