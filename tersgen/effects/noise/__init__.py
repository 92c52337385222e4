"""Additive Gaussian noise of a spectrum, Eq. (10.3), and its circular roll, Eq. (10.2)."""
