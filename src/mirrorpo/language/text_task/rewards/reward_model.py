"""A reward model, one that classifies sequences with a single logit, as the reward."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mirrorpo.language.models import model_files
from mirrorpo.preference_texts.place import quoted
from mirrorpo.preference_texts.prompts import Prompt
from mirrorpo.user_text import UserText

from .reward import Said, Scorer
from .user_function import OPTION, finite_rewards


@dataclass(frozen=True)
class ModelReward:
    """A reward model of a folder or a hub; a `reward.Reward`.

    It reads prompt and completion as its own chat template writes them, the completion as the
    assistant's message. One without a template reads the two texts as they stand; a conversation
    then cannot be scored. Code that comes with a model is never run.

    Attributes:
        name: folder, or hub's name, which the user typed; see `UserText`.
    """

    name: str
    in_points: bool = False

    def facts(self) -> Mapping[str, str]:
        return {"reward": Path(self.name).name, **self.contents()}

    def contents(self) -> Mapping[str, str]:
        return model_files.checksums(self.name)

    def check(self, prompts: Sequence[Prompt]) -> None:
        if not isinstance(self.name, UserText):
            raise ValueError(
                f"The reward {self.name} is a model that a file names: name it yourself, by "
                f"{OPTION} {self.name}."
            )

    def scorer(self, model: Any, tokenizer: Any, batch: int) -> Scorer:
        self.check(())
        judge, of_judge = _load(self.name)

        def score(said: Said, usual: float) -> np.ndarray:
            written = [
                _written(of_judge, prompt, text, self.name)
                for prompt, text in zip(said.prompts, said.texts, strict=True)
            ]
            parts = [
                _logits(judge, of_judge, written[first : first + batch], self.name)
                for first in range(0, len(written), batch)
            ]
            return finite_rewards(np.concatenate(parts), said.texts, self.name)

        return score


def _load(name: str) -> tuple[Any, Any]:
    from mirrorpo.language.models import loading
    from mirrorpo.language.trl_names import transformers

    read: Callable[..., Any] = transformers.AutoModelForSequenceClassification.from_pretrained
    what, log = "reward model", transformers.utils.logging
    before = log.get_verbosity()
    log.set_verbosity_error()  # what is missing is said below
    try:
        how = {"dtype": "float32", "output_loading_info": True, "trust_remote_code": False}
        model, about = loading.loaded(what, name, lambda: read(name, **how))
    finally:
        log.set_verbosity(before)
    if about["missing_keys"]:
        raise ValueError(
            f"The {what} {name} has no weights of a classifier's head "
            f"({', '.join(sorted(about['missing_keys'])):.100}): it is a model of another kind."
        )
    if model.config.num_labels != 1:
        raise ValueError(
            f"The {what} {name} gives {model.config.num_labels} logits per text: a reward is one, "
            "so name a model with num_labels = 1."
        )
    tokenizer = loading.tokenizer_of(name)
    model.config.pad_token_id = tokenizer.pad_token_id  # by which it finds where a text ends
    return loading.on_device(model.eval()), tokenizer


def _written(tokenizer: Any, prompt: Prompt, text: str, name: str) -> str:
    """Prompt and completion as the reward model reads them."""
    from mirrorpo.language.models import chat

    if tokenizer.chat_template is None:
        if not isinstance(prompt.said, str):
            raise ValueError(
                f"{prompt.place} is a conversation, but the reward model {name} has no chat "
                "template to read it by: name one that has, or write prompts as texts."
            )
        return prompt.said + text
    asked = prompt.said if isinstance(prompt.said, tuple) else _as_message("user", prompt.said)
    whole = (*asked, *_as_message("assistant", text))
    return chat.templated(tokenizer, prompt.place, whole)


def _as_message(role: str, content: str) -> tuple[dict[str, str], ...]:
    return ({"role": role, "content": content},)


def _logits(model: Any, tokenizer: Any, written: Sequence[str], name: str) -> np.ndarray:
    from mirrorpo.language.trl_names import torch

    has_template = tokenizer.chat_template is not None
    given = tokenizer(
        list(written),
        return_tensors="pt",
        padding=True,
        padding_side="right",
        add_special_tokens=not has_template,  # a template writes them itself
        return_token_type_ids=False,
    )
    longest = getattr(model.config, "max_position_embeddings", None)
    size = given["input_ids"].shape[1]
    if longest is not None and size > longest:
        raise ValueError(
            f"A prompt with its completion has {size} tokens, but the reward model {name} takes "
            f"{longest}: {quoted(max(written, key=len))}"
        )
    with torch.inference_mode():
        return model(**given.to(model.device)).logits[:, 0].float().cpu().numpy()
