"""Calibration of classifiers: temperature, sets of species, novelty."""
