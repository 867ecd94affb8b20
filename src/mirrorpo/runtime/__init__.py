"""Devices, JAX's start-up, pytrees, the user's cache."""
