"""Where species and their modes come from."""
