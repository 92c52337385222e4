"""Measured substances: what the script makes, kinds of strengths, sources, and names."""

import importlib.util
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import tersgen
from tersgen.errors import TersWarning
from tersgen.library.builtin import all_names, group_names, load_builtin, load_group
from tersgen.numeric.crosssection import PHOTON_COUNT, stokes_factor
from tersgen.numeric.tensor import activity
from tersgen.units import wavelength_nm_to_cm1

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "published" / "measured.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("measured", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_two_species_have_one_name():
    assert not [name for name, count in Counter(all_names()).items() if count > 1]


def test_the_files_are_what_the_script_makes(script):
    for group, species in script.make_groups().items():
        assert list(load_group(group)) == species
        assert [one.name for one in species] == sorted(group_names(group))


def test_there_are_as_many_as_promised():
    assert len(group_names("measured")) >= 30
    assert len(group_names("positions")) >= 10


@pytest.mark.parametrize("group", ["measured", "positions"])
def test_sources_and_kinds_are_stated(group):
    for one in load_group(group):
        assert one.provenance.kind == "published"
        assert any(mark in one.provenance.note for mark in ("(19", "(20", "ASTM"))
        kind = one.provenance.intensity
        if group == "positions":
            assert kind == "positions only"
            assert len({mode.tensor for mode in one.modes}) == 1
        else:
            assert kind == ("strength class" if len(one.modes) > 1 else None)


def test_heights_of_classes_come_back_at_the_laser_of_the_source(script):
    gypsum = load_builtin("gypsum")
    laser = wavelength_nm_to_cm1(gypsum.provenance.laser_nm)
    heights = np.array(
        [
            activity(np.array(mode.tensor))
            * stokes_factor(mode.frequency_cm1, laser, 298.0, PHOTON_COUNT)
            for mode in gypsum.modes
        ]
    )
    expected = [script.HEIGHTS[one] for one in ("vw", "m", "m", "w", "vw", "vs", "m")]
    np.testing.assert_allclose(100 * heights / heights.max(), expected, rtol=1e-3)


def test_positions_only_warn_and_the_others_do_not():
    with pytest.warns(TersWarning, match=r"rutile: the source has no strengths"):
        tersgen.resolve(tersgen.Recipe(library=("builtin:rutile",)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        recipe = tersgen.resolve(tersgen.Recipe(library=("measured",)))
    assert recipe.library.names == group_names("measured")
