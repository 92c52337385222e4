"""Measured spectra: files of instruments, read by content."""
