"""A loss of your own beside the known ones: python examples/own_objective_on_the_bench.py

The same on the command line: mirrorpo bench --algorithms sft,orpo,examples/my_loss.py:SoftLPO
"""

from pathlib import Path

from mirrorpo.cli.console import start_jax
from mirrorpo.objectives.user_text import UserText

# `UserText` says that the name is yours, and not from a file: the code that it names is run.
MY_LOSS = UserText(f"{Path(__file__).parent / 'my_loss.py'}:SoftLPO")


def main(out: Path = Path("runs/own-objective"), **sizes) -> str:
    """Run a small bench and return its table as Markdown.

    Args:
        out: run folder; a finished bench is read back.
        **sizes: settings of the bench in place of the small ones here.
    """
    start_jax()
    from mirrorpo.study import bench, tables
    from mirrorpo.study.settings import BenchSettings

    small = {"rows": 128, "seeds": 3, "epochs": 6, "time_steps": 32, "episodes": 20}
    settings = BenchSettings(
        variants=("base", "noisy:0.3"),
        algorithms=("sft", "orpo", MY_LOSS),
        **{**small, **sizes},
    )
    log, sources = bench.run(settings, out)
    table = tables.build(
        log.frame(), settings.task, settings.algorithms, settings.variants, sources
    )
    return tables.to_markdown(table)


if __name__ == "__main__":
    print(main())
