"""The light path of a spectrum: laser, support of the sample, edge filter, sensor, range."""
