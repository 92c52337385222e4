"""Maps and cubes of many molecules on a metal surface under one tip."""
