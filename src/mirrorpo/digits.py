"""How many digits after the point numbers of an unknown unit are shown with."""

import math
from collections.abc import Iterable

_SIGNIFICANT, _MOST = 3, 6


def after_point(numbers: Iterable[float]) -> int:
    """As many as give the largest of them three digits; numbers that are not finite do not count.

    12.3, 0.123, 123: one, three and none; for nothing but zeros one.
    """
    sizes = [abs(number) for number in numbers if math.isfinite(number) and number]
    if not sizes:
        return 1
    return min(max(_SIGNIFICANT - 1 - math.floor(math.log10(max(sizes))), 0), _MOST)


def with_error(mean: float, error: float | None) -> str:
    """A mean of an unknown unit and its standard error, as "0.123 ± 0.004", where it has one."""
    known = error is not None and math.isfinite(error)
    decimals = after_point([mean, error] if error is not None else [mean])
    return f"{mean:.{decimals}f}" + (f" ± {error:.{decimals}f}" if known else "")
