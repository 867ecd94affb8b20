"""Names of the tasks whose agents are language models."""

REVIEWS = "reviews"
TEXT_TASKS = (REVIEWS, "sentiment")
"""The latter is the name of `REVIEWS` in run folders of version 0.1.0; no command takes it."""
