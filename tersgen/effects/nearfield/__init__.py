"""Maps and cubes of a molecule under a tip, Eqs. (2.6) and (2.7): a tile of pixels at a time."""
