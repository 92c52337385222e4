"""Samples of several species, each with its fraction."""
