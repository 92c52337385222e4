"""The random streams: one number for each effect, so that a new effect changes no other.

A stream is half of the Philox key. Numbers are never reused or reordered.
"""

CLASS = 1
ORIENTATION = 2
SHIFT = 3
MODE_SHIFT = 4
WIDTH = 5
INTENSITY = 6
SPECTRUM_NOISE_LEVEL = 7
SPECTRUM_NOISE = 8
ROLL = 9
CONSTELLATION = 10
PLACEMENT = 11
JITTER = 12
AMPLITUDE = 13
BACKGROUND = 14
MAP_NOISE_LEVEL = 15
MAP_NOISE = 16
SYMMETRY = 17
RANDOM_SPECIES = 18
SPLIT = 19
ADSORPTION = 20
TIP_HEIGHT = 21
TIP_WIDTH = 22
APEX = 23
DARK_SHIFT = 24
DARK_INTENSITY = 25
CUBE_NOISE = 26
