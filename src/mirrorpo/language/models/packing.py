"""Sequences of a batch end to end in rows that they share, in place of a padded row for each.

Attention stays within a sequence: from positions that begin again, transformers sees where the
next one starts. What it does for which model is checked where packing is asked for.
"""

from dataclasses import dataclass

from mirrorpo.language.trl_names import torch


@dataclass(frozen=True)
class Packing:
    """Where the tokens of a padded batch stand in shared rows.

    Attributes:
        source: the token of the flattened batch that each place of the rows holds, long, shape
            (rows, width); the first one where a row is filled up.
        positions: each token's position in its sequence, long, shape (rows, width). A filling
            begins at 0 too, as one more sequence that nobody reads.
        place: where each token of the batch stands in the flattened rows, long, shape
            (batch, tokens); 0 for padding.
    """

    source: torch.Tensor
    positions: torch.Tensor
    place: torch.Tensor

    @classmethod
    def of(cls, mask: torch.Tensor, in_one_row: bool) -> "Packing":
        """The packing of a batch, in rows as wide as its longest sequence.

        Args:
            mask: the attention mask, shape (batch, tokens); 0 for padding.
            in_one_row: whether one row holds everything, without any filling.
        """
        tokens = mask.shape[1]
        lengths = mask.sum(1).tolist()
        rows = [list(range(len(lengths)))] if in_one_row else _shared(lengths, max(lengths))
        width = max(sum(lengths[one] for one in row) for row in rows)
        source = torch.zeros(len(rows), width, dtype=torch.long)
        positions = torch.zeros_like(source)
        place = torch.zeros(mask.shape, dtype=torch.long)
        real = [torch.nonzero(one)[:, 0] for one in mask.cpu()]
        for number, row in enumerate(rows):
            at = 0
            for one in row:
                end = at + lengths[one]
                source[number, at:end] = one * tokens + real[one]
                positions[number, at:end] = torch.arange(lengths[one])
                place[one, real[one]] = torch.arange(at, end) + number * width
                at = end
            positions[number, at:] = torch.arange(width - at)
        return cls(*(part.to(mask.device) for part in (source, positions, place)))


def _shared(lengths: list[int], width: int) -> list[list[int]]:
    """Which sequences share a row: the longest first, each into the first row with room."""
    rows: list[list[int]] = []
    room: list[int] = []
    for one in sorted(range(len(lengths)), key=lambda one: -lengths[one]):
        fits = (row for row, left in enumerate(room) if left >= lengths[one])
        row = next(fits, len(rows))
        if row == len(rows):
            rows.append([])
            room.append(width)
        rows[row].append(one)
        room[row] -= lengths[one]
    return rows
