"""Covalent radii against those that PySCF holds, from the same publication."""

import pytest

from tersgen.errors import LibraryError
from tersgen.library.covalent import COVALENT_ANGSTROM, covalent_radius

OTHERS = {6: 0.76, 25: 1.39, 26: 1.32, 27: 1.26}
"""Published for several states: here sp3 and low spin, in PySCF sp2 and a mean of spins."""


def test_radii_are_the_published_ones():
    radii = pytest.importorskip("pyscf.data.radii")
    bohr = pytest.importorskip("pyscf.data.nist").BOHR
    for number in range(1, 97):
        theirs = OTHERS.get(number, radii.COVALENT[number] * bohr)
        assert COVALENT_ANGSTROM[number] == pytest.approx(theirs, abs=0.004), number


def test_an_element_without_a_radius():
    assert covalent_radius(6) == 0.76
    with pytest.raises(LibraryError, match="got Bk, which has no covalent radius"):
        covalent_radius(97)
