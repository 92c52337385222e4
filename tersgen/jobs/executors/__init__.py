"""Executors, which build the shards: threads of this process, or workers of a Dask cluster."""
