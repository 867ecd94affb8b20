"""How the package's small language model was made: a student of SmolLM2 on openings of reviews."""
