"""The paper's own results, to stand beside ours.

Source: Alfano, Sapora, Foerster, Rebeschini and Teh, "Meta-Learning Objectives for Preference
Optimization" (arXiv:2411.06568). Hopper: Table 6. Three-Legged Ant: Tables 1 and 5.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

PaperScore = tuple[float, float]
"""Mean true return over 25 trained agents, and its standard error."""


@dataclass(frozen=True)
class PaperTask:
    """The paper's results on one task.

    Attributes:
        table: where they stand in the paper.
        better: return of the better source agent.
        worse: return of the worse source agent on the same task.
        scores: variant -> algorithm (our names) -> score.
    """

    table: str
    better: float
    worse: float
    scores: Mapping[str, Mapping[str, PaperScore]]


_HOPPER = PaperTask(
    table="Table 6",
    better=2100,
    worse=900,
    scores={
        "base": {
            "dpo": (1796, 78),
            "ipo": (2049, 13),
            "cpo": (2078, 12),
            "orpo": (2022, 15),
            "simpo": (2027, 15),
        },
        "mixed-quality": {
            "dpo": (458, 82),
            "ipo": (1606, 91),
            "cpo": (1078, 35),
            "orpo": (1039, 20),
            "simpo": (1460, 94),
        },
        "noisy:0.1": {
            "dpo": (693, 131),
            "ipo": (739, 118),
            "cpo": (1813, 33),
            "orpo": (1710, 33),
            "simpo": (1794, 65),
        },
    },
)

_TLA = PaperTask(
    table="Tables 1 and 5",
    better=3900,
    worse=1700,
    scores={
        "base": {
            "rrhf": (2789, 285),
            "slic": (3255, 66),
            "dpo": (3528, 58),
            "ipo": (3618, 44),
            "cpo": (3450, 55),
            "orpo": (3087, 322),
            "rdpo": (2606, 65),
            "simpo": (3683, 78),
            "sft": (3287, 62),
            "kto": (1534, 34),
            "fdpo": (3621, 50),
            "lpo": (3774, 102),
            "ta-mpo[schedule=linear]": (3577, 45),
            "ta-mpo[schedule=quadratic]": (3625, 49),
            "ta-mpo[schedule=sigmoid]": (3352, 57),
        },
        "mixed-quality": {
            "rrhf": (2245, 134),
            "slic": (2478, 54),
            "dpo": (2766, 89),
            "ipo": (2937, 85),
            "cpo": (2322, 208),
            "orpo": (2500, 71),
            "rdpo": (2107, 40),
            "simpo": (3117, 185),
            "sft": (2344, 40),
            "lpo": (2841, 46),
            "ta-mpo[schedule=linear]": (2730, 63),
            "ta-mpo[schedule=quadratic]": (3088, 69),
            "ta-mpo[schedule=sigmoid]": (2256, 44),
        },
        "noisy:0.1": {
            "rrhf": (1730, 442),
            "slic": (2329, 289),
            "dpo": (3082, 80),
            "ipo": (3162, 66),
            "cpo": (2967, 58),
            "orpo": (2841, 50),
            "rdpo": (2099, 50),
            "simpo": (2314, 752),
            "sft": (2733, 45),
            "kto": (1551, 31),
            "fdpo": (3192, 76),
            "lpo": (3617, 69),
            "ta-mpo[schedule=linear]": (3106, 62),
            "ta-mpo[schedule=quadratic]": (3443, 53),
            "ta-mpo[schedule=sigmoid]": (2725, 46),
        },
        "noisy:0.2": {
            "rrhf": (749, 498),
            "slic": (1964, 116),
            "dpo": (2530, 97),
            "ipo": (2392, 136),
            "cpo": (2427, 44),
            "orpo": (2359, 43),
            "rdpo": (1740, 36),
            "simpo": (118, 715),
            "sft": (2345, 37),
            "kto": (1531, 49),
            "fdpo": (2494, 101),
            "lpo": (2705, 370),
        },
        "noisy:0.3": {
            "rrhf": (330, 552),
            "slic": (1135, 224),
            "dpo": (1519, 140),
            "ipo": (1133, 115),
            "cpo": (2000, 35),
            "orpo": (1953, 37),
            "rdpo": (1667, 24),
            "simpo": (-3828, 341),
            "sft": (2049, 33),
            "kto": (1442, 35),
            "fdpo": (1633, 123),
            "lpo": (1569, 156),
            "ta-mpo[schedule=linear]": (1971, 35),
            "ta-mpo[schedule=quadratic]": (1988, 39),
            "ta-mpo[schedule=sigmoid]": (1923, 27),
        },
    },
)

RESULTS: Mapping[str, PaperTask] = {"hopper": _HOPPER, "tla": _TLA}
"""The paper's results by our task names."""


def table(task: str, variant: str) -> pd.DataFrame:
    """One column of the paper's tables: columns `algorithm`, `mean` and `standard_error`.

    Raises:
        KeyError: the paper has no such task or variant, see `RESULTS`.
    """
    rows = [(name, *score) for name, score in RESULTS[task].scores[variant].items()]
    return pd.DataFrame(rows, columns=["algorithm", "mean", "standard_error"])
