"""From modes to a spectrum: Eqs. (1.1) to (1.4)."""
