"""Importers of modes, one file per format: each module registers its own."""
