"""Prompts of a task, in two halves: one to train on, one to score on."""
