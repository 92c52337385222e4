"""Readers of measured files, one file per format: each module registers its own."""
