"""Structure targets against NumPy in float64 over stored parameters, and promise P1."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

import tersgen
from tersgen.errors import ConfigError, LibraryError
from tersgen.library.geometry import SYMBOLS
from tersgen.schema.library import Library

N_ROWS = 6
LAST = 2**53
FEW = settings(max_examples=10, deadline=None)
NAMES = ("masks", "bonds", "positions", "elements", "count")
BONDS = {
    "formaldehyde": [("C", "H"), ("C", "H"), ("C", "O")],
    "benzene": [("C", "C")] * 6 + [("C", "H")] * 6,
    "methane": [("C", "H")] * 4,
}
"""Bonds as any chemist draws them, sorted."""


@pytest.fixture(scope="module")
def recipe():
    """Three molecules, one of them not flat, tilted and off the centre of a frame of odd pixels."""
    return tersgen.resolve(
        tersgen.Recipe(
            seed=5,
            library=tuple(f"builtin:{name}" for name in BONDS),
            grid={"n_points": 64},
            lineshape={"fwhm_cm1": 150.0},
            map={"height": 33, "width": 44},
            nearfield={
                "apex_angstrom": 1.0,
                "orientation": "tilted",
                "max_tilt_deg": 60.0,
                "frame_angstrom": (9.0, 13.0),
            },
            structure={"radius_angstrom": 0.45, "depth_angstrom": 1.2},
        )
    )


def turned(recipe, block, row):
    """Return symbols, positions from frame's centre and top, and which count, of all atoms."""
    species = recipe.library.species[block["label"][row]]
    turn = Rotation.from_quat(np.roll(block["params/orientation"][row], -1)).as_matrix()
    atoms = np.array([atom.position for atom in species.atoms])
    atoms = (atoms - atoms.mean(axis=0)) @ turn.T
    atoms -= [*block["params/apex"][row], atoms[:, 2].max()]
    symbols = np.array([atom.symbol for atom in species.atoms])
    listed = np.isin(symbols, recipe.structure.elements)
    return symbols, atoms, listed & (atoms[:, 2] >= -recipe.structure.depth_angstrom)


def pixel_centres(recipe):
    """Return x of each row and y of each column, Angstrom, as the map has them."""
    sizes = recipe.map.height, recipe.map.width
    x, y = (
        ((np.arange(n) + 0.5) / n - 0.5) * extent
        for n, extent in zip(sizes, recipe.nearfield.frame_angstrom, strict=True)
    )
    return x[:, None], y[None, :]


def distances(recipe, a, b):
    """Return the distance of each pixel from the line from a to b, in the plane, shape (H, W)."""
    x, y = pixel_centres(recipe)
    along = b[:2] - a[:2]
    length = max(float(along @ along), 1e-300)
    t = np.clip(((x - a[0]) * along[0] + (y - a[1]) * along[1]) / length, 0, 1)
    return np.hypot(x - a[0] - t * along[0], y - a[1] - t * along[1])


def assert_profile(found, distance, radius, shape):
    """Compare an image with the profile of distances to the nearest; edges within rounding."""
    if shape == "disc":
        sure = np.abs(distance - radius) > 1e-4
        assert np.array_equal(found[sure], (distance < radius)[sure])
        assert np.isin(found, (0, 1)).all()
        return
    sure = np.abs(distance - 4 * radius) > 1e-4
    expected = np.where(distance < 4 * radius, np.exp2(-((distance / radius) ** 2)), 0)
    np.testing.assert_allclose(found[sure], expected[sure], rtol=2e-3, atol=1e-5)


@pytest.mark.parametrize("shape", ["disc", "gaussian"])
def test_masks_bonds_and_positions(recipe, shape, changed):
    recipe = changed(recipe, structure={"shape": shape})
    block = tersgen.generate(recipe, 30, 48)
    assert set(block["label"]) == {0, 1, 2}
    n_hidden = 0
    for row in range(18):
        symbols, atoms, counts = turned(recipe, block, row)
        n_hidden += (~counts).sum()
        n = block["structure/count"][row]
        assert n == counts.sum()
        found = block["structure/positions"][row]
        np.testing.assert_allclose(found[:n], atoms[counts], rtol=0, atol=2e-6)
        assert not found[n:].any()
        numbers = [SYMBOLS.index(symbol) for symbol in symbols[counts]]
        assert list(block["structure/elements"][row]) == numbers + [0] * (12 - n)
        for mask, element in zip(
            block["structure/masks"][row], recipe.structure.elements, strict=True
        ):
            of_element = [distances(recipe, a, a) for a in atoms[counts & (symbols == element)]]
            nearest = np.min(of_element, axis=0) if of_element else None
            if nearest is None:
                assert not mask.any()
            else:
                assert_profile(mask.astype(float), nearest, recipe.structure.radius_angstrom, shape)
        bonds = [
            (i, j)
            for i in range(len(atoms))
            for j in range(i)
            if counts[i] and counts[j] and np.linalg.norm(atoms[i] - atoms[j]) < 1.7
            and not symbols[i] == symbols[j] == "H"
        ]  # fmt: skip
        image = block["structure/bonds"][row].astype(float)
        if bonds:
            nearest = np.min([distances(recipe, atoms[i], atoms[j]) for i, j in bonds], axis=0)
            half = recipe.structure.bond_width_angstrom / 2
            assert_profile(image, nearest, half, shape)
        else:
            assert not image.any()
    assert n_hidden > 10


def test_masks_lie_on_the_map(recipe, changed):
    """A narrow tip over methane: the middle of its map is near that of the carbon's disc."""
    (methane,) = [one for one in recipe.library.species if one.name == "methane"]
    alone = changed(
        recipe,
        library=Library(species=(methane,)),
        nearfield={"tip_field": "gaussian_z", "width_angstrom": (1.0, 1.0), "apex_angstrom": 2.0},
        map={"background": (0.0, 0.0)},
        noise={"map": (0.0, 0.0)},
        structure={"elements": ("C",), "depth_angstrom": 10.0},
        fields={"precision": "float32"},
    )
    block = tersgen.generate(alone, 0, 40)
    x, y = pixel_centres(alone)
    inside = 0
    for row in range(40):
        image, mask = block["maps"][row, 0], block["structure/masks"][row, 0].astype(float)
        if mask.sum() < 7:  # cut by the edge, or beyond it
            continue
        inside += 1
        for axis in (x, y):
            of_map = (image * axis).sum() / image.sum()
            of_mask = (mask * axis).sum() / mask.sum()
            assert abs(of_map - of_mask) < 0.8
    assert inside > 20
    corners = block["structure/positions"][:, 0, :2]
    assert np.abs(corners).max() > 2.5  # farther off than the tolerance by far


def test_bonds_are_those_that_a_chemist_draws(recipe):
    from tersgen.library.covalent import find_bonds

    for species in recipe.library.species:
        symbols = [atom.symbol for atom in species.atoms]
        places = np.array([atom.position for atom in species.atoms])
        bonds = find_bonds(symbols, places, 0.4)
        pairs = [tuple(sorted((symbols[i], symbols[j]))) for i, j in bonds]
        assert sorted(pairs) == BONDS[species.name]


def test_elements_choose_what_counts(recipe, changed):
    heavy = tersgen.resolve(
        changed(recipe, structure={"elements": ("O", "C", "S"), "n_atoms": None})
    )
    assert heavy.structure.n_atoms == 6
    block = tersgen.generate(heavy, 30, 48)
    assert block["structure/masks"].shape == (18, 3, 33, 44)
    assert not block["structure/masks"][:, 2].any()
    assert set(block["structure/elements"].ravel()) == {0, 6, 8}
    whole = tersgen.generate(recipe, 30, 48)
    order = [recipe.structure.elements.index(symbol) for symbol in ("O", "C")]
    assert np.array_equal(block["structure/masks"][:, :2], whole["structure/masks"][:, order])
    assert block["structure/bonds"].sum() < whole["structure/bonds"].sum()


def test_what_does_not_fit_is_refused(recipe, changed):
    with pytest.raises(ConfigError, match=r"expected at least 12, the atoms of benzene, got 4"):
        tersgen.resolve(changed(recipe, structure={"n_atoms": 4}))
    with pytest.raises(
        ConfigError, match=r"expected species with atom positions, got anatase, cal"
    ):
        tersgen.resolve(changed(recipe, library=("crystals",), structure={}))
    with pytest.raises(ConfigError, match=r"expected elements of the library, H, C, O, got N"):
        tersgen.resolve(changed(recipe, structure={"elements": ("N",)}))
    with pytest.raises(ConfigError, match=r"expected chemical symbols such as C or Cl, got Xx"):
        tersgen.resolve(changed(recipe, structure={"elements": ("C", "Xx")}))
    full = recipe.library.species[0]
    atoms = (full.atoms[0].model_copy(update={"symbol": "Og"}), *full.atoms[1:])
    odd = full.model_copy(update={"atoms": atoms})
    heavy = changed(recipe, library=Library(species=(odd,)))
    with pytest.raises(LibraryError, match="up to Cm for a bond, got Og"):
        tersgen.generate(heavy, 0, 1)


# ---- a sample is a pure function of recipe and index


def assert_equal_rows(some, whole, rows=slice(None)):
    for name, array in some.items():
        assert np.array_equal(array, whole[name][rows]), name


@given(st.integers(0, LAST - N_ROWS), st.integers(0, N_ROWS - 1))
@FEW
def test_one_row_alone_equals_that_row_in_its_block(recipe, start, row):
    whole = tersgen.generate(recipe, start, start + N_ROWS)
    alone = tersgen.generate(recipe, start + row, start + row + 1)
    assert_equal_rows(alone, whole, slice(row, row + 1))


@given(st.integers(0, LAST - 400), st.integers(2, 7))
@FEW
def test_any_number_of_threads(recipe, start, threads):
    one = tersgen.generate(recipe, start, start + 300, threads=1)
    assert_equal_rows(tersgen.generate(recipe, start, start + 300, threads), one)


def test_targets_change_no_other_field_and_do_without_maps(recipe, changed):
    whole = tersgen.generate(recipe, 40, 46)
    without = tersgen.generate(recipe.model_copy(update={"structure": None}), 40, 46)
    assert set(whole) - set(without) == {f"structure/{name}" for name in NAMES}
    assert_equal_rows(without, whole)
    off = tersgen.generate(changed(recipe, fields={"structure": False}), 40, 46)
    assert set(off) == set(without)
    bare = changed(recipe, fields={"maps": False, "params": False})
    assert_equal_rows(tersgen.generate(bare, 40, 46), whole)
    no_lines = tersgen.generate(changed(recipe, structure={"bonds": False}), 40, 46)
    assert "structure/bonds" not in no_lines
    assert_equal_rows(no_lines, whole)
