"""Preference data of simulated trajectories: pools, labels, facts."""
