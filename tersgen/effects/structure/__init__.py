"""Structure targets: masks, bonds and positions of atoms in the frame of their map, Eq. (2.8)."""
