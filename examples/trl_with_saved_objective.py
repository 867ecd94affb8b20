"""Fine-tune a language model with a saved or discovered objective (extra `llm`):

python examples/trl_with_saved_objective.py OBJECTIVE_FILE [MODEL PAIRS.jsonl OUT]

Without a model: four steps of a tiny random one on made-up pairs, to see that it works.
"""

import sys

import datasets

from mirrorpo import objectives
from mirrorpo.language import PreferenceConfig, PreferenceTrainer
from mirrorpo.language.models import stand_ins


def main(file: str, model: str = "", pairs: str = "", out: str = "runs/trl-example") -> dict:
    """Train, save, and return the last line of the trainer's log."""
    config = PreferenceConfig(
        out, max_steps=-1 if model else 4, per_device_train_batch_size=2, report_to=[]
    )
    data = datasets.Dataset
    plain = [{"prompt": "2 + 2 = ", "chosen": "4", "rejected": str(n)} for n in range(5, 9)]
    trainer = PreferenceTrainer(
        model or stand_ins.model(),
        objective=objectives.load(file),
        args=config,
        train_dataset=data.from_json(pairs) if pairs else data.from_list(plain),
        processing_class=None if model else stand_ins.tokenizer(),
    )
    trainer.train()
    trainer.save_model()
    return trainer.state.log_history[-1]


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
