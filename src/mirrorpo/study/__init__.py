"""The bench: algorithms x datasets x seeds, hyper-parameter search, results and statistics."""
