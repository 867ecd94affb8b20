"""Names of the tasks whose agents are language models."""

REVIEWS = "reviews"
TEXT = "text"
"""The user's own model, prompts and reward."""
OLD_REVIEWS = "sentiment"
"""Its name in run folders of version 0.1.0; no command takes it."""

TEXT_TASKS = (REVIEWS, TEXT, OLD_REVIEWS)
