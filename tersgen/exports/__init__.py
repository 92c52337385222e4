"""Datasets in the formats of other programs, each file or folder whole or not there at all."""
