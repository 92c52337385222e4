"""How maps and cubes are scanned: blur by the tip, drift, blinks, shot noise, dead pixels."""
