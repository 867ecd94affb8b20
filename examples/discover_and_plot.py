"""A short search for a loss, and pictures of it: `python examples/discover_and_plot.py`.

Too short to find anything good; `mirrorpo discover --help` has the settings of a real one.
"""

from pathlib import Path

import mirrorpo as mpo


def main(out: Path = Path("runs/short-search"), **sizes) -> list[Path]:
    """Search, and draw the fitness, the gradient's map and the learned function.

    Args:
        out: run folder; an interrupted search is resumed.
        **sizes: settings of the search in place of the small ones here.

    Returns:
        The pictures.
    """
    small = {
        "generations": 4,
        "population": 8,
        "rows": 64,
        "epochs": 4,
        "time_steps": 16,
        "episodes": 10,
        "validate_every": 2,
        "validation_seeds": 2,
        "validation_rows": 64,
        "validation_episodes": 10,
    }
    found = mpo.discover(out=out, variants="noisy:0.3", learn="link", **{**small, **sizes})
    about = mpo.explain(found.file)
    figures = {
        "fitness.png": found.plot(),
        "gradient-map.png": about.plot(),
        "functions.png": about.plot_functions(),
    }
    for name, figure in figures.items():
        figure.savefig(out / name)
    return [out / name for name in figures]


if __name__ == "__main__":
    print(*main(), sep="\n")
