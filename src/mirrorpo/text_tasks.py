"""Names of the tasks whose agents are language models."""

REVIEWS = "reviews"
OLD_REVIEWS = "sentiment"
"""Its name in run folders of version 0.1.0; no command takes it."""

TEXT_TASKS = (REVIEWS, OLD_REVIEWS)
