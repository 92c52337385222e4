"""Orientation, positions, widths and intensities of the modes of a sample, Eqs. (3.1) and (3.2)."""
