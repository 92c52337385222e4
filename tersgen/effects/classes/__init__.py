"""The class of each sample, and its species, from the index."""
