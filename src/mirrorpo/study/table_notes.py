"""What a table's numbers are: what the errors contain, what bold means, who leads by how much."""

import math
from collections.abc import Iterable

from mirrorpo import plain_text
from mirrorpo.study.measures import AGREEMENT, OWN_REWARD, RETURN, REWARD
from mirrorpo.study.tables import Cell, ResultTable


def score(table: ResultTable, episodes: int) -> str:
    """What the numbers are, in one or two sentences; `episodes` of each agent, on a task."""
    if table.scored_by == RETURN:
        return f"Mean true return, {episodes} episodes per agent."
    if table.scored_by in (REWARD, OWN_REWARD):
        return (
            f"Mean {table.scored_by}, {episodes} continuations of test prompts per agent; a "
            "win is a higher reward than the original's continuation of the same prompt."
        )
    return (
        "Mean agreement with held-out labels, in %: how often an agent makes the chosen actions "
        "likelier than the rejected ones, per step. No task is named that the agents could act on."
    )


def errors(table: ResultTable) -> str:
    """What the standard errors contain, in one sentence."""
    cells = list(table.cells.values())
    if not cells:
        return "No agent has been scored yet."
    kinds = {(cell.summary.agents, cell.summary.draws) for cell in cells}
    agents = _range(agents for agents, _ in kinds)
    draws = _range(draws for _, draws in kinds)
    if draws == "1":
        return (
            f"± standard error over the agents of a cell ({agents}), all trained on one data draw: "
            "it does not contain the draw of the data."
        )
    return (
        f"± standard error over agents and data draws ({agents} agents on {draws} draws per cell)."
    )


def bold(table: ResultTable) -> str:
    """What bold means, in one or two sentences."""
    text = (
        "Bold: the highest mean of a column, and all that a paired test on common data draws and "
        "seeds does not find worse (5 %, corrected by Holm for the number of rows)."
    )
    if any(_untested(cell) for cell in table.cells.values()):
        text += " A row with fewer than two agents in common with the best cannot be found worse."
    return text


def leaders(table: ResultTable) -> list[str]:
    """One sentence per variant: whether its best row is significantly better than the next."""
    return [f"{variant}: {leader.sentence}" for variant, leader in table.leaders.items()]


def to_markdown(table: ResultTable) -> str:
    """All notes as Markdown, to stand below a table."""
    found = [f"- {plain_text.in_markdown(line)}" for line in leaders(table)]
    told = [score(table, 0), ""] if table.scored_by == AGREEMENT else []
    lines = [*told, f"{errors(table)} {bold(table)}", "", *found]
    return "\n".join(lines).rstrip() + "\n"


def _untested(cell: Cell) -> bool:
    known = not cell.summary.diverged
    return known and cell.best and cell.behind != 0.0 and math.isnan(cell.p_value)


def _range(numbers: Iterable[int]) -> str:
    found = sorted(set(numbers))
    return str(found[0]) if len(found) == 1 else f"{found[0]} to {found[-1]}"
