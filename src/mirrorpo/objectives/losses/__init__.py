"""The losses: one class per formula. A module here is found by itself."""
