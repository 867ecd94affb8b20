"""Answers of two models, compared by a judge."""
