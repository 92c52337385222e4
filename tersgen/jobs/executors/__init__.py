"""Who makes the shards of a build: threads of this process, or workers of a Dask cluster."""
