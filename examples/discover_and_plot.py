"""A short search for a loss, and pictures of it: `python examples/discover_and_plot.py`.

Too short to find anything good; `mirrorpo discover --help` has the settings of a real one.
"""

from pathlib import Path

from mirrorpo.cli.console import start_jax


def main(out: Path = Path("runs/short-search"), **sizes) -> list[Path]:
    """Search, and draw the fitness, the gradient's map and the learned function.

    Args:
        out: run folder; an interrupted search goes on.
        **sizes: settings of the search in place of the small ones here.

    Returns:
        The pictures.
    """
    start_jax()
    from mirrorpo import json_lines
    from mirrorpo.discovery import search
    from mirrorpo.discovery.gradient_map import gradient_map
    from mirrorpo.discovery.member_functions import member_functions
    from mirrorpo.discovery.settings import DiscoverySettings
    from mirrorpo.report import explain_plots, run_plots

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
    settings = DiscoverySettings(variants=("noisy:0.3",), learn=("g",), **{**small, **sizes})
    found = search.discover(settings, out)
    pictures = [out / name for name in ("fitness.png", "gradient-map.png", "functions.png")]
    lines = [json_lines.read(out / name) for name in ("metrics.jsonl", search.VALIDATIONS)]
    run_plots.save(run_plots.fitness(*lines), pictures[0])
    maps = [gradient_map(found.objective, found.visited)]
    explain_plots.save_gradient_maps(pictures[1], maps, found.visited, "found")
    curves = member_functions(found.objective, found.visited)
    explain_plots.save_functions(pictures[2], curves, found.visited, "found")
    return pictures


if __name__ == "__main__":
    print(*main(), sep="\n")
