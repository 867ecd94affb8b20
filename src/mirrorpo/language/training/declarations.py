"""What an objective may declare on language models, see `objectives.needs`; light to import."""

from mirrorpo.cross_fitting import check_enough
from mirrorpo.objectives import Objective


def check_declarations(objective: Objective, pairs: int | None = None) -> None:
    """Refuse an objective that declares what `PreferenceTrainer` does not do.

    Args:
        objective: the objective of the training.
        pairs: how many there are, where a model of them is to say which are trusted least.

    Raises:
        ValueError: it moves its reference or orders its pairs, or they are too few for a model.
    """
    if objective.reference_update is not None:
        raise ValueError(
            f"{objective.name} moves its reference policy during training, but PreferenceTrainer "
            "computes a stage's reference once: take dpo, or TRL's DPOTrainer with sync_ref_model."
        )
    plan = objective.pair_plan
    if objective.uses_ease or (plan is not None and plan.easy_first):
        raise ValueError(
            f"{objective.name} orders the pairs from the easiest to the hardest, which "
            "PreferenceTrainer does not: it only leaves pairs out. Take slic-filtered, or dpo."
        )
    if plan is not None and pairs is not None:
        check_enough(pairs)
