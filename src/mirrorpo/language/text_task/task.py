"""A task on texts: a model, prompts and a reward. The bench on reviews is one of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mirrorpo import files
from mirrorpo.language.models import model_files
from mirrorpo.preference_texts import prompts as readers
from mirrorpo.text_tasks import REVIEWS, TEXT

from .prompts import reviews as review_prompts
from .prompts.halves import Prompts, split
from .rewards import naming
from .rewards.reward import Reward


@dataclass(frozen=True)
class TextTask:
    """What language models are trained and scored on.

    Attributes:
        name: the name of the task.
        model: a hub's name, a folder, ``smollm2``, ``reviews-small`` or ``smoke``.
        prompts: to train on, and to score on.
        reward: the true reward of a completion.
        sources: files that its prompts come from.
    """

    name: str
    model: str
    prompts: Prompts
    reward: Reward
    sources: tuple[Path, ...] = ()

    def facts(self) -> Mapping[str, str]:
        """What decides its texts and rewards, for the name of what is cached.

        Settings, training prompts and the model's files are not in it. The order of the keys does
        not matter.
        """
        endings = {} if self.prompts.are_openings else {"endings": "own"}
        return {**endings, **self.reward.facts()}

    def contents(self) -> Mapping[str, str]:
        """Checksums of all files of the user's: a run is not resumed with others."""
        of_prompts = {str(path): files.checksum(path) for path in self.sources}
        return {**of_prompts, **model_files.checksums(self.model), **self.reward.contents()}

    def check(self) -> None:
        """See that the reward can score the prompts, as far as that can be told at once.

        Raises:
            ValueError: it cannot.
        """
        self.reward.check(self.prompts.training)


def reviews(model: str) -> TextTask:
    """Openings of reviews, rewarded for the praise that follows."""
    return TextTask(REVIEWS, model, review_prompts.PROMPTS, naming.BUILT_IN[REVIEWS])


def of(name: str, model: str, prompts: str | None, reward: str | None, seed: int) -> TextTask:
    """The task of a bench.

    Args:
        name: "reviews" or "text".
        model: see `TextTask`.
        prompts: for the task "text", a file of prompts, or "reviews" for the openings of reviews.
        reward: for the task "text", see `naming.reward`.
        seed: the seed of the split of the prompts.

    Raises:
        ValueError: "text" without prompts or reward, a file of prompts that cannot be read or has
            too few, or an unknown reward.
    """
    if name == REVIEWS:
        return reviews(model)
    missing = [
        option for option, given in (("prompts", prompts), ("reward", reward)) if given is None
    ]
    if prompts is None or reward is None:
        raise ValueError(
            f"task {TEXT} needs {' and '.join(missing)}: name a file of prompts, as in "
            "prompts=prompts.jsonl, and a reward, as in reward=my_reward.py:score."
        )
    found = naming.reward(reward)
    if prompts == review_prompts.NAME:
        return TextTask(name, model, review_prompts.PROMPTS, found)
    path = Path(prompts)
    given = split(prompts, readers.read(path), seed)
    return TextTask(name, model, given, found, (path,))
