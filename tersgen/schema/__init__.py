"""Frozen models of recipes, libraries, fields and manifests."""
