"""Reviews with a known true reward: the robots' bench for language.

The original model continues the openings of reviews; the target is the same model, fine-tuned on
its own most positive continuations. Both write the preference data, each objective fine-tunes the
original on it, and the continuations of what it trained are scored by the true reward.
"""
