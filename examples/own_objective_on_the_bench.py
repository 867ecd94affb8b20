"""A loss of your own beside the known ones: python examples/own_objective_on_the_bench.py

The same on the command line: mirrorpo bench --algorithms sft,orpo,examples/my_loss.py:SoftLPO
"""

from pathlib import Path

import mirrorpo as mpo

MY_LOSS = f"{Path(__file__).parent / 'my_loss.py'}:SoftLPO"


def main(out: Path = Path("runs/own-objective"), **sizes) -> str:
    """Run a small bench and return its table as Markdown, with what its numbers mean.

    Args:
        out: run folder; a finished bench is read back.
        **sizes: settings of the bench in place of the small ones here.
    """
    small = {"rows": 128, "seeds": 3, "epochs": 6, "time_steps": 32, "episodes": 20}
    result = mpo.bench(
        out=out,
        variants=["base", "noisy:0.3"],
        algorithms=["sft", "orpo", MY_LOSS],
        **{**small, **sizes},
    )
    return str(result)


if __name__ == "__main__":
    print(main())
