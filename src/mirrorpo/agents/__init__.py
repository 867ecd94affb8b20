"""Source agents: their files, the shipped ones, PPO, limbs, calibration."""
