"""Preference pairs of texts: files and hub layouts in, checked rows out. Knows no JAX, no torch."""
