"""Faults of a preference dataset: those of `mirrorpo.preference_faults`, in units of return."""

from mirrorpo.preference_faults import Variant, parse

__all__ = ["Variant", "parse"]
