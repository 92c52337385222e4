"""Raman bands of supports and containers: position and FWHM in cm^-1, height as observed.

Heights are relative to the strongest band, in spectra excited in the visible and not polarized.
Glasses and water are sums of Gaussians, the others of Lorentzians.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

GAUSSIAN_SUPPORTS = ("glass", "silica", "water")

BANDS: dict[str, tuple[tuple[float, float, float], ...]] = {
    "glass": (
        *((480.0, 160.0, 0.45), (560.0, 90.0, 0.8), (790.0, 90.0, 0.3)),
        *((950.0, 80.0, 0.35), (1095.0, 110.0, 1.0)),
    ),
    "silica": (
        *((430.0, 230.0, 1.0), (490.0, 30.0, 0.35), (605.0, 30.0, 0.2)),
        *((805.0, 80.0, 0.25), (1060.0, 80.0, 0.1), (1195.0, 80.0, 0.06)),
    ),
    "quartz": (
        *((128.0, 7.0, 0.4), (206.0, 22.0, 0.35), (265.0, 7.0, 0.07), (355.0, 6.0, 0.07)),
        *((464.0, 7.0, 1.0), (696.0, 8.0, 0.02), (807.0, 8.0, 0.05), (1085.0, 8.0, 0.03)),
        (1161.0, 8.0, 0.05),
    ),
    "silicon": (
        *((302.0, 30.0, 0.03), (520.5, 3.5, 1.0), (620.0, 40.0, 0.008), (670.0, 40.0, 0.008)),
        *((825.0, 60.0, 0.006), (943.0, 40.0, 0.022), (975.0, 40.0, 0.028)),
    ),
    "water": (
        *((1640.0, 90.0, 0.07), (2130.0, 200.0, 0.015)),
        *((3230.0, 220.0, 0.75), (3420.0, 230.0, 1.0), (3620.0, 110.0, 0.2)),
    ),
    "pet": (
        *((278.0, 20.0, 0.2), (632.0, 8.0, 0.3), (704.0, 10.0, 0.12), (796.0, 10.0, 0.08)),
        *((858.0, 14.0, 0.35), (997.0, 12.0, 0.08), (1096.0, 14.0, 0.25), (1118.0, 12.0, 0.22)),
        *((1182.0, 12.0, 0.12), (1286.0, 20.0, 0.5), (1415.0, 20.0, 0.13), (1460.0, 24.0, 0.12)),
        *((1615.0, 9.0, 1.0), (1727.0, 22.0, 0.8), (2965.0, 35.0, 0.35), (3082.0, 16.0, 0.35)),
    ),
}
"""``glass`` soda-lime, nu(Si-O) of Q2 and Q3 groups and Si-O-Si bends (B. O. Mysen and P. Richet,
"Silicate Glasses and Melts" (2005), ch. 5); ``silica`` with its defect lines at 490 and 605 (F. L.
Galeener, Phys. Rev. B 19, 4292 (1979)); alpha-``quartz`` (J. F. Scott and S. P. S. Porto, Phys.
Rev. 161, 903 (1967)); ``silicon`` with second order (P. A. Temple and C. E. Hathaway, Phys. Rev. B
7, 3685 (1973)); ``water`` (D. M. Carey and G. M. Korenowski, J. Chem. Phys. 108, 2669 (1998));
``pet``, polyethylene terephthalate (F. J. Boerio, S. K. Bahl and G. E. McGraw, J. Polym. Sci.
Polym. Phys. 14, 1029 (1976)). Positions follow these; widths and heights are rounded."""


class Supports(NamedTuple):
    """Bands of some supports, one support after the other."""

    first: NDArray[np.int64]
    """First band of each support and the end, shape (K + 1,)."""
    band: F64
    """Position and FWHM, cm^-1, and height, shape (bands, 3)."""
    is_gaussian: NDArray[np.bool_]
    """Shape (K,)."""


def supports(
    names: Sequence[str], others: Mapping[str, Sequence[tuple[float, float, float]]]
) -> Supports:
    """Return the bands of some supports: of ours, or of others by name."""
    known = {**BANDS, **others}
    counts = [len(known[name]) for name in names]
    bands = [band for name in names for band in known[name]]
    return Supports(
        first=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        band=np.array(bands, np.float64).reshape(-1, 3),
        is_gaussian=np.array([name in GAUSSIAN_SUPPORTS for name in names], np.bool_),
    )
