"""Maps from hotspots: Eq. (2.1), and the enhancement factor of Eq. (2.5).

Maps are float32, shape (H, W); x runs over rows 0..H-1 and y over columns 0..W-1. A Gaussian is
separable, so a hotspot costs H + W exponentials and H W multiply-adds.
"""

import numpy as np
from numpy.typing import NDArray

from ...numeric._jit import inlined, kernel
from ...numeric.elementary import exp

F32 = NDArray[np.float32]


@inlined
def enhancement_factor(incident_field: float, scattered_field: float) -> float:
    """Return EF = |E(omega_i)|^2 |E(omega_s)|^2 from local over incident field sizes: Eq. (2.5)."""
    return incident_field * incident_field * scattered_field * scattered_field


@kernel
def fill_profile(profile: F32, centre: float, sigma: float) -> None:
    """Fill ``profile`` with exp(-(k - centre)^2 / (2 sigma^2)), k = 0, 1, ...; unit peak."""
    slope = np.float32(-0.5 / (sigma * sigma))
    position = np.float32(centre)
    for k in range(profile.shape[0]):
        x = np.float32(np.int32(k)) - position
        profile[k] = exp(slope * (x * x))


@kernel
def add_hotspots(image: F32, rows: F32, columns: F32, amplitudes: F32) -> None:
    """Add sum_j amplitudes[j] rows[j, x] columns[j, y] to ``image``: the sum of Eq. (2.1).

    ``image`` has shape (H, W), ``rows`` (J, H), ``columns`` (J, W) and ``amplitudes`` (J,). Four
    hotspots share one pass over the image.
    """
    n_hotspots = amplitudes.shape[0]
    shared = n_hotspots - n_hotspots % 4
    for j in range(0, shared, 4):
        a0, a1, a2, a3 = amplitudes[j], amplitudes[j + 1], amplitudes[j + 2], amplitudes[j + 3]
        c0, c1, c2, c3 = columns[j], columns[j + 1], columns[j + 2], columns[j + 3]
        for x in range(image.shape[0]):
            w0, w1 = a0 * rows[j, x], a1 * rows[j + 1, x]
            w2, w3 = a2 * rows[j + 2, x], a3 * rows[j + 3, x]
            line = image[x]
            for y in range(image.shape[1]):
                line[y] += (w0 * c0[y] + w1 * c1[y]) + (w2 * c2[y] + w3 * c3[y])
    for j in range(shared, n_hotspots):
        for x in range(image.shape[0]):
            weight = amplitudes[j] * rows[j, x]
            line = image[x]
            for y in range(image.shape[1]):
                line[y] += weight * columns[j, y]
