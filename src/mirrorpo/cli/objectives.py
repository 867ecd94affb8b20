"""``mirrorpo objectives``: the zoo."""

from mirrorpo.cli.console import console


def show(name: str | None = None) -> None:
    """List the preference objectives, or show one: hyper-parameters, stages, paper.

    Args:
        name: of one objective.
    """
    import dataclasses

    from rich.table import Table

    from mirrorpo import objectives

    if name is None:
        table = Table("objective", "hyper-parameters", "stages (epochs)", "paper")
        for each in objectives.available():
            objective = objectives.get(each)
            fields = ", ".join(
                f"{field.name}={getattr(objective, field.name)}"
                for field in dataclasses.fields(objective)
                if isinstance(getattr(objective, field.name), (int, float))
            )
            stages = " → ".join(f"{stage} {epochs}" for stage, epochs in objective.stages)
            table.add_row(each, fields, stages, f"{objective.paper.authors} {objective.paper.year}")
        console.print(table)
        return
    objective = objectives.get(name)
    console.print(f"{name}: {objective.paper}")
    for field in dataclasses.fields(objective):
        grid = objective.search_grid.get(field.name)
        tried = f"   (search: {', '.join(f'{v:g}' for v in grid)})" if grid else ""
        console.print(f"  {field.name} = {getattr(objective, field.name)}{tried}")
    console.print(f"  stages: {objective.stages}   needs a reference: {objective.needs_reference}")
