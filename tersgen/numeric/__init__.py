"""Mathematics on arrays, compiled by Numba: no randomness, no schema, no file."""
