"""Importers of modes, one file a format: each module registers its own."""
