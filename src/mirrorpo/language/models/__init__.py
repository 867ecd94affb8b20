"""Language models by name: how they read a conversation, what they write, how likely texts are."""
