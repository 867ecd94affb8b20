"""Published results: many runs in a few small files, and the run folders that are made of them."""
