"""Sentiment of a text by VADER: a published list of words and rules, the same for everyone.

Hutto and Gilbert, "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media
Text", ICWSM 2014.
"""

from functools import cache
from importlib import import_module
from typing import Any

VERSION = "vader-compound"


@cache
def analyser() -> Any:
    """VADER's analyser.

    Raises:
        ModuleNotFoundError: its package is not installed.
    """
    try:
        module: Any = import_module("vaderSentiment.vaderSentiment")
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("vaderSentiment"):
            raise
        raise ModuleNotFoundError(
            "Sentiment needs the package vaderSentiment, which is not installed: "
            "pip install 'mirrorpo[llm]'",
            name=error.name,
        ) from None
    return module.SentimentIntensityAnalyzer()


def compound(text: str) -> float:
    """VADER's compound score, in [-1, 1]: below 0 negative, above 0 positive."""
    return float(analyser().polarity_scores(text)["compound"])
