"""What quantum chemistry programs print about vibrations: one module per kind of output."""
