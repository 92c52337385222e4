"""The Python API: commands for datasets as functions; the command line calls the same code."""
