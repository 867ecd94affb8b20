"""Where agents are trained and scored: batches, this process, Ray."""
