"""A fine-tuning as a recipe states it: the file, what it asks for, its short form."""
