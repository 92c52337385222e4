"""One file for each format; each registers its exporter in the group ``tersgen.exporters``."""
