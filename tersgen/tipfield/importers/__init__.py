"""Importers of tip fields, one module each: add a file, and it is found."""
