import pytest
import scipy.constants as codata

from tersgen import units


def test_constants_are_codata():
    assert pytest.approx(codata.value("Bohr radius") * 1e10, rel=1e-8) == units.BOHR_ANGSTROM
    ratio = codata.atomic_mass / codata.electron_mass
    assert pytest.approx(ratio, rel=1e-8) == units.AMU_ELECTRON_MASS
    hartree = codata.value("hartree-inverse meter relationship") / 100
    assert pytest.approx(hartree, rel=1e-10) == units.HARTREE_CM1
    assert pytest.approx(1e12 / codata.c / 100, rel=1e-15) == units.THZ_CM1
    second = codata.h * codata.c / codata.k * 100
    assert pytest.approx(second, rel=1e-9) == units.SECOND_RADIATION_CM_K
