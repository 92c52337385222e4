"""Masses of the most abundant isotopes, the longest-lived one of radioactive elements.

Source: the table of isotopes in PySCF, after the National Institute of Standards and Technology,
"Atomic Weights and Isotopic Compositions"; a test compares the two.
"""

import numpy as np
from numpy.typing import NDArray

_TABLE = """
1.007825 4.002603 7.016004 9.012182 11.009305 12.000000 14.003074 15.994915 18.998403 19.992440
22.989770 23.985042 26.981538 27.976927 30.973762 31.972071 34.968853 39.962383 38.963707
39.962591 44.955910 47.947947 50.943964 51.940512 54.938050 55.934942 58.933200 57.935348
62.929601 63.929147 68.925581 73.921178 74.921596 79.916522 78.918338 83.911507 84.911789
87.905614 88.905848 89.904704 92.906378 97.905408 98.907216 101.904350 102.905504 105.903483
106.905093 113.903358 114.903878 119.902197 120.903818 129.906223 126.904468 131.904154
132.905447 137.905241 138.906348 139.905435 140.907648 141.907719 144.912744 151.919729
152.921227 157.924101 158.925343 163.929171 164.930319 165.930290 168.934211 173.938858
174.940768 179.946549 180.947996 183.950933 186.955751 191.961479 192.962924 194.964774
196.966552 201.970626 204.974412 207.976636 208.980383 208.982416 209.987131 222.017570
223.019731 226.025403 227.027747 232.038050 231.035879 238.050783 237.048167 244.064198
243.061373 247.070347 247.070299 251.079580 252.082972 257.095099 258.098425 259.101024
262.109692 267. 268. 269. 270. 270. 278. 281. 282. 285. 286. 289. 290. 293. 294. 294.
"""

ISOTOPE_AMU: tuple[float, ...] = (0.0, *map(float, _TABLE.split()))
"""Mass in amu of the most abundant isotope by atomic number, 1 (hydrogen) to 118 (oganesson)."""


def isotope_masses(numbers: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the masses in amu of the most abundant isotopes, shape (n_atoms,)."""
    return np.array([ISOTOPE_AMU[number] for number in numbers], np.float64)


def mass_numbers(numbers: NDArray[np.int64]) -> tuple[int, ...]:
    """Return the mass numbers of the most abundant isotopes.

    >>> mass_numbers(np.array([1, 6, 17]))
    (1, 12, 35)
    """
    return tuple(round(mass) for mass in isotope_masses(numbers).tolist())
