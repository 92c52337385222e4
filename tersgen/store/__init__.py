"""Arrays on disk: layout, encoding, digests, Zarr."""
