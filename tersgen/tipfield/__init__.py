"""Tip fields on grids: their files, and importers for files of other programs."""
