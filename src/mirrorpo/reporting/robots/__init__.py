"""Draw robots, limbs and calibrations."""
