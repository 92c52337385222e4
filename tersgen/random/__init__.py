"""Random numbers as functions of (draw, index, block, seed, stream), compiled by Numba."""
