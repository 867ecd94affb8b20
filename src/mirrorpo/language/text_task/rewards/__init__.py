"""True rewards of completions: what a reward is, each built-in one, and those of the user."""
