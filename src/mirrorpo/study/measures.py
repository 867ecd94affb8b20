"""What the score of an agent is.

It is its return on a task, its agreement with held-out labels, or the reward of its texts.
"""

RETURN, AGREEMENT = "true return", "held-out label agreement in %"
REWARD = "true reward in points"
OWN_REWARD = "reward"
"""In a unit of the user's own."""

MEASURE = "held_out_agreement"
"""Column of a bench's results: the share of held-out labels that an agent agrees with. It is there
where agents are scored by it."""
