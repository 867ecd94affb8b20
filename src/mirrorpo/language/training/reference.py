"""The reference policy's log-probs: computed once for all pairs, kept with every checkpoint."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mirrorpo import array_files
from mirrorpo.language.trl_names import prepare_deepspeed, prepare_fsdp, torch

from .rows import ROW

FORMAT = "mirrorpo-reference-log-probs"
FILE = "reference_log_probs.safetensors"


@dataclass(frozen=True)
class ReferenceLogProbs:
    """Summed log-probs of the reference for every pair.

    Attributes:
        chosen, rejected: float32 on the CPU, shape (pairs,).
        step: the step at which the reference was the policy; -1 where it is another model.
        data: checksum of the pairs' tokens.
    """

    chosen: torch.Tensor
    rejected: torch.Tensor
    step: int
    data: str

    def of(self, rows: Sequence[int], device: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """Chosen and rejected log-probs of some pairs, each of shape (len(rows),)."""
        index = torch.as_tensor(rows, dtype=torch.long)
        return self.chosen[index].to(device), self.rejected[index].to(device)

    def save(self, folder: Path) -> None:
        """Write `FILE` to a folder, whole or not at all."""
        arrays = {"chosen": self.chosen.numpy(), "rejected": self.rejected.numpy()}
        card = {"format": FORMAT, "step": self.step, "data": self.data}
        array_files.save_arrays(folder / FILE, arrays, card)

    @classmethod
    def load(cls, folder: Path, data: str) -> "ReferenceLogProbs | None":
        """What `save` wrote to a folder; None if it wrote nothing there.

        Raises:
            ValueError: a damaged file, or log-probs of other pairs.
        """
        path = folder / FILE
        if not path.is_file():
            return None
        what = "a file of reference log-probs"
        fields = {"step": int, "data": str}
        card, found = array_files.load_checked(path, FORMAT, what, fields, ("chosen", "rejected"))
        if card["data"] != data:
            raise ValueError(
                f"{path} is of other preference pairs: resume with the dataset, the tokenizer and "
                "the max_length that the checkpoint was trained with."
            )
        arrays = {name: torch.from_numpy(array) for name, array in found.items()}
        return cls(arrays["chosen"], arrays["rejected"], card["step"], data)


def measure_reference(
    model: Any,
    loader: Any,
    log_probs: Callable[[Any, Any], tuple[torch.Tensor, torch.Tensor]],
    gather: Callable[[torch.Tensor], torch.Tensor],
    pairs: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    """A model's summed log-probs of all pairs, without dropout and without gradient.

    Args:
        model: left in the mode it came in.
        loader: the loader of batches with the column `ROW`, this process's share.
        log_probs: those of chosen and rejected completions of a batch, each (batch,).
        gather: joins a tensor of shape (batch, 3) of all processes.
        pairs: how many rows there are.

    Returns:
        Of chosen and of rejected completions, float32 on the CPU, each of shape (pairs,).
    """
    table = torch.full((pairs, 2), float("nan"))
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            for batch in loader:
                chosen, rejected = log_probs(model, batch)
                rows = torch.as_tensor(batch[ROW], device=chosen.device)
                # float64 holds row numbers exactly, so one gather is enough.
                joined = torch.stack([rows.double(), chosen.double(), rejected.double()], dim=1)
                joined = gather(joined).cpu()
                table[joined[:, 0].long()] = joined[:, 1:].float()
    finally:
        model.train(training)
    return table[:, 0].contiguous(), table[:, 1].contiguous()


def prepared(model: Any, trainer: Any) -> Any:
    """Another model as the reference, spread over the processes of a trainer as its policy is."""
    if trainer.is_deepspeed_enabled:
        return prepare_deepspeed(model, trainer.accelerator)
    if trainer.is_fsdp_enabled:
        return prepare_fsdp(model, trainer.accelerator)
    return trainer.accelerator.prepare_model(model, evaluation_mode=True)
