"""Readers of measured files, one file a format: each module registers its own."""
