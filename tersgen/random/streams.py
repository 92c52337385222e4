"""The random streams: one number for each effect, so that a new effect changes no other.

A stream is half of the Philox key. Numbers are never reused or reordered.
"""

import hashlib
from typing import Any

import numpy as np

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
AXIS_ERROR = 27
RESOLUTION = 28
FLUORESCENCE = 29
RESPONSE = 30
MISSING = 31
EXPOSURE = 32
SHOT_NOISE = 33
READ_NOISE = 34
COSMIC_RAYS = 35
DRIFT = 36
TIP_BLUR = 37
BLINKS = 38
DEAD_PIXELS = 39
MAP_EXPOSURE = 40
MAP_SHOT_NOISE = 41
MIXTURE = 42
FRACTIONS = 43
CUBE_SHOT_NOISE = 44
FREQUENCY_ERROR = 55
PLASMON = 56
METAL_LIGHT = 57
SUBSTRATE = 58
TIP_DIPOLE = 59
CUBE_EXPOSURE = 60
CUBE_READ_NOISE = 61
CUBE_COSMIC_RAYS = 62
MEASURED_ORDER = 64
SCENE = 66
DOMAINS = 67
PLACES = 68
TIP_EVENTS = 69
BLINKING = 70
PICOCAVITIES = 71
PICOCAVITY_MODES = 72
LASER = 73
BLEACHING = 74
EDGE_FILTER = 75
SENSOR = 76
FIXED_PATTERN = 77
DETECTOR = 78
SUPPORT = 79
OVEREXPOSURE = 80
LUMINESCENCE = 83

_PLUGINS = 1 << 31
"""Where the numbers of plug-ins begin."""


def stream_of(name: str) -> int:
    """Return the stream of a plug-in's effect: a hash of its name, 31 bits, beyond all of ours."""
    digest = hashlib.blake2b(name.encode(), digest_size=4).digest()
    return _PLUGINS | (int.from_bytes(digest, "little") & (_PLUGINS - 1))


ONLY: Any = np.int64(0)
"""The block of draws that come in one block; no literal, which would be compiled once more."""
