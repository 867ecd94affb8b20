"""Tiny random models with a chat template: one that answers, and one that rewards."""

import torch
import transformers

from mirrorpo.language.models import stand_ins
from mirrorpo.language.models.chat import CHATML


def tokenizer(template=True):
    made = stand_ins.tokenizer()
    made.chat_template = CHATML if template else None
    return made


def write_chat_model(folder):
    """A model with a chat template; its path as text."""
    stand_ins.model().save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return str(folder)


def write_reward_model(folder, labels=1, template=True):
    """A classifier of sequences; its path as text."""
    torch.manual_seed(0)
    config = stand_ins.model().config
    config.num_labels = labels
    model = transformers.LlamaForSequenceClassification(config)
    model.score.weight.data.normal_(0, 1)
    model.save_pretrained(folder)
    tokenizer(template).save_pretrained(folder)
    return str(folder)
