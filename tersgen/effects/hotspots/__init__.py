"""Maps from hotspots: a species' constellation moved, turned and jittered, Eqs. (2.1)-(2.5)."""
