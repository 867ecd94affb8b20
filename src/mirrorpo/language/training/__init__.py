"""The trainer of language models with any objective, and what it is made of."""
