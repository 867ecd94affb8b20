"""Which objective for my data: what a preference dataset is like, and what won on such data."""
