"""From recipe and index to samples."""
