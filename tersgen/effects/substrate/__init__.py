"""The image dipole of a molecule in a metal surface."""
