"""Fit policies to preference data: the inner loop and the learner."""
