"""Texts with a known true reward: the robots' bench for language.

The original model completes prompts; the target is the same model, fine-tuned on its own
completions of the highest reward. Both write the preference data, each objective fine-tunes the
original on it, and the completions of what it trained are scored by the true reward. Prompts and
reward are the user's, or those of reviews.
"""
