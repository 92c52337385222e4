"""Wavelengths in air and in vacuum, and Raman shifts from them."""

import numpy as np
from numpy.typing import NDArray

from ..errors import MeasurementError

_SHORTEST_IN_AIR_NM = 185.0


def air_refractivity(wavelength_nm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return n - 1 of standard air at vacuum wavelengths in nm, any shape.

    Dry air at 15 C, 101,325 Pa and 450 ppm of CO2: P. E. Ciddor, Appl. Opt. 35, 1566 (1996),
    Eq. (1).
    """
    squared = (1e3 / wavelength_nm) ** 2
    return np.asarray(0.05792105 / (238.0185 - squared) + 0.00167917 / (57.362 - squared))


def vacuum_nm(air_nm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the vacuum wavelengths of wavelengths in standard air, both nm, any shape."""
    if not (air_nm > _SHORTEST_IN_AIR_NM).all():
        raise MeasurementError(
            f"expected wavelengths in air above {_SHORTEST_IN_AIR_NM:g} nm, got {air_nm.min():g}"
        )
    vacuum = air_nm
    for _ in range(3):  # n changes so little with the wavelength that the second step is exact
        vacuum = air_nm * (1.0 + air_refractivity(vacuum))
    return vacuum


def shift_from_nm(
    wavelength_nm: NDArray[np.float64], laser_nm: float, vacuum: bool = False
) -> NDArray[np.float64]:
    """Return Raman shifts 1e7 (1/laser - 1/wavelength) in cm^-1; wavelengths in nm, any shape.

    Both are wavelengths in air, as gratings and lamps give them and lasers are named by them, or in
    vacuum. Read as the other, a shift of 3000 cm^-1 is off by 0.8.
    """
    if not (wavelength_nm > 0).all():
        raise MeasurementError(f"expected wavelengths above 0 nm, got {wavelength_nm.min():g}")
    laser = np.asarray(laser_nm, np.float64)
    if not vacuum:
        wavelength_nm, laser = vacuum_nm(wavelength_nm), vacuum_nm(laser)
    return np.asarray(1e7 / laser - 1e7 / wavelength_nm)
