"""The phases of a bench, by the names that its log gives them."""

SEARCH = "search"
"""Agents that choose hyper-parameters."""

FINAL = "final"
"""Agents whose scores are reported."""
