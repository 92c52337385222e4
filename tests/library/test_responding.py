"""The ab-initio response of water to a tip, against other ways to the same numbers."""

import numpy as np
import pytest

from tersgen.errors import LibraryError
from tersgen.library.basis_sets import build_molecule
from tersgen.library.builtin import load_builtin
from tersgen.library.displacing import Finished, ResponseLevel, run_here, solve
from tersgen.library.forces import force_field
from tersgen.library.linear_response import Probes, response_forms
from tersgen.library.mode_matching import turn_to
from tersgen.library.nearfield import atom_positions
from tersgen.library.responding import Geometry, image, respond
from tersgen.library.sites import site_amplitudes, unpacked
from tersgen.schema.library import Library
from tersgen.schema.packing import matrices
from tersgen.units import BOHR_ANGSTROM

LEVEL = ResponseLevel(basis="6-31g")
NUMBERS = np.array([8, 1, 1])
NONE = np.empty((0, 3))


@pytest.fixture(scope="module")
def qmmm():
    pytest.importorskip("pyscf", reason="needs PySCF: pip install 'tersgen[qm]'")
    return pytest.importorskip("pyscf.qmmm")


@pytest.fixture(scope="module")
def water(qmmm):
    """Water with displacements of its own, so that modes need not be found: any will do."""
    species = load_builtin("water")
    generator = np.random.default_rng(1)
    modes = []
    for mode in species.modes:
        raw = generator.normal(size=(3, 3))
        rows = tuple(map(tuple, (raw / np.linalg.norm(raw)).tolist()))
        modes.append(mode.model_copy(update={"displacements": rows}))
    return species.model_copy(update={"modes": tuple(modes), "masses_amu": (16.0, 1.0, 1.0)})


@pytest.fixture(scope="module")
def tips(water):
    """Some positions, near and far, on no grid."""
    middle = atom_positions(water).mean(axis=0)
    return middle + np.array([[3.6, 0.3, 0.5], [3.6, 1.7, -1.1], [5.1, -0.8, 0.9], [200.0, 0, 0]])


@pytest.fixture(scope="module")
def imaged(water, tips, tmp_path_factory):
    return image(water, tips, Finished(tmp_path_factory.mktemp("parts")), LEVEL)


def displacements(species):
    """Return dR/dQ in amu^-1/2, shape (n_modes, n_atoms, 3)."""
    raw = np.array([mode.displacements for mode in species.modes])
    size = np.sqrt(np.einsum("i,mic->m", np.array(species.masses_amu), raw**2))
    return raw / size[:, None, None]


def amplitudes(species, tip, moment):
    """Return p^T B p of each mode."""
    pairs = [moment[a] * moment[b] for a, b in ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))]
    weights = np.array(pairs) * [1, 1, 1, 2, 2, 2]
    return np.array([mode.image[tip] for mode in species.modes]) @ weights


def test_an_image_is_what_charges_and_gradients_say(qmmm, water, tips, imaged):
    start = atom_positions(water) / BOHR_ANGSTROM
    ground = solve(NUMBERS, start, LEVEL)
    length, half, axis = 0.6, 0.05, np.array([1.0, 0.0, 0.0])
    tip = tips[0] / BOHR_ANGSTROM
    total = -2 * ground.nuc_grad_method().kernel()
    for sign in (1, -1):
        charges = sign * length / (2 * half) * np.array([1.0, -1.0])
        ends = np.array([tip + half * axis, tip - half * axis])
        field = qmmm.mm_charge(ground.copy(), ends, charges, unit="Bohr")
        field.kernel(ground.make_rdm1())
        total = total + field.nuc_grad_method().kernel()
    wanted = -np.einsum("mic,ic->m", displacements(water), total) / length**2 / BOHR_ANGSTROM**4
    assert amplitudes(imaged, 0, axis) == pytest.approx(wanted, rel=5e-3)


@pytest.mark.exhaustive
def test_from_afar_the_image_is_the_raman_tensor(qmmm, water, tips, imaged):
    from tersgen.library.engines.pyscf import polarizability_derivatives

    start = atom_positions(water)
    solution = solve(NUMBERS, start / BOHR_ANGSTROM, LEVEL)
    derivatives = polarizability_derivatives(solution, 0.002).derivatives
    modes = displacements(water)
    tensors = np.einsum("mic,icab->mab", modes, derivatives) * BOHR_ANGSTROM**2
    away = start.mean(axis=0) - tips[3]
    field = 2 * away / np.linalg.norm(away) ** 4  # of a dipole that points along ``away``
    wanted = np.einsum("a,mab,b->m", field, tensors, field)
    assert amplitudes(imaged, 3, away / np.linalg.norm(away)) == pytest.approx(wanted, rel=0.05)


def test_moving_the_molecule_is_moving_the_tip_back(qmmm, water):
    start = atom_positions(water) / BOHR_ANGSTROM
    tip = start.mean(axis=0) + np.array([0.4, -0.3, 7.0])
    step = np.array([0.0, 0.02, 0.01])
    moved = response_forms(solve(NUMBERS, start + step, LEVEL), Probes(NONE, np.eye(3), tip[None]))
    still = response_forms(
        solve(NUMBERS, start, LEVEL), Probes(NONE, np.eye(3), (tip - step)[None])
    )
    assert moved.images == pytest.approx(still.images, rel=1e-7)
    assert moved.matrix == pytest.approx(still.matrix, rel=1e-7, abs=1e-7)


@pytest.mark.parametrize(
    ("name", "across"),
    [("benzene", np.diag([-1.0, -1.0, 1.0])), ("acetylene", None), ("methanethiol", -np.eye(3))],
)
def test_displacements_from_atom_tensors_are_turned_back(name, across):
    """They are known up to a sign and what keeps all atoms: reflections, turns about an axis."""
    species = load_builtin(name)
    at, derivatives = atom_positions(species), matrices(force_field(species).derivatives)
    if across is None:  # a turn about the axis of the molecule
        along = np.argmax(np.ptp(at, axis=0))
        across = np.eye(3)
        others = np.ix_(*[[k for k in range(3) if k != along]] * 2)
        across[others] = [[0.6, -0.8], [0.8, 0.6]]
    turned = np.einsum("ba,iaxy->ibxy", across, derivatives)
    noise = np.random.default_rng(0).normal(size=derivatives.shape) * 0.05
    found = turn_to(at, turned, derivatives + noise)
    assert found @ across == pytest.approx(np.eye(3), abs=0.1)


@pytest.mark.parametrize(
    ("basis", "heavy", "core"),
    [
        ("def2-svpd", 53, 28),
        ("def2-svpd", 47, 28),
        ("def2-svpd", 79, 60),
        ("def2-svpd", 35, 0),
        ("lanl2dz", 17, 10),
    ],
)
def test_a_basis_set_brings_its_core_potentials(qmmm, basis, heavy, core):
    made = build_molecule(np.array([heavy, 1]), np.array([[0, 0, 0], [0, 0, 1.6]]), basis, 0)
    assert made.nelectron == heavy + 1 - core


def test_the_charge_is_what_the_molecule_states(qmmm, water, tmp_path):
    assert Geometry.of(load_builtin("water")).charge == 0
    ion = water.model_copy(update={"charge": -1})
    with pytest.raises(LibraryError, match="got 11 for H2O with charge -1"):
        respond(ion, Finished(tmp_path), LEVEL)


def test_a_stopped_computation_resumes_and_sites_follow_images(water, tips, imaged, tmp_path):
    folder, ran = tmp_path / "parts", []

    def stopping(function, tasks):
        for task in tasks[:4]:
            yield task, function(task)
        raise KeyboardInterrupt

    def counting(function, tasks):
        ran.extend(tasks)
        return run_here(function, tasks)

    with pytest.raises(KeyboardInterrupt):
        respond(water, Finished(folder), LEVEL, stopping)
    assert len(list(folder.iterdir())) == 4
    first = min(folder.iterdir())
    first.write_bytes(first.read_bytes()[:-20])
    finished = Finished(folder)
    found = respond(water, finished, LEVEL, counting)
    assert len(ran) == 6 - 4 + 1  # two unique atoms of three axes each
    assert respond(water, finished, LEVEL, counting) == found  # all is there
    assert len(ran) == 3
    other = folder / f"{'0' * 24}-0-0.npz"  # such as of another level
    other.touch()
    first.with_suffix(".1.part").touch()  # what a kill leaves
    finished.remove()
    assert list(folder.iterdir()) == [other]
    matrices = unpacked(np.array([mode.site_response for mode in found.modes], np.float64))
    n = len(found.sites)
    far = matrices.reshape(-1, n, 3, n, 3).sum(axis=(1, 3))
    moment = np.array([1.0, 0.0, 0.0])
    errors = []
    for k, tip in enumerate(tips):

        def field(points, tip=tip):
            away = points - tip
            size = np.linalg.norm(away, axis=1)[:, None]
            return 3 * away * away[:, :1] / size**5 - moment / size**3

        wanted = amplitudes(imaged, k, moment)
        got = site_amplitudes(found, field)
        errors.append(np.linalg.norm(got - wanted) / np.linalg.norm(wanted))
    assert max(errors[:3]) < 0.15
    assert errors[3] < 1e-3  # a uniform field is exact
    assert far == pytest.approx(far.swapaxes(1, 2), abs=1e-5)
    (again,) = Library([found])
    assert [mode.site_response for mode in again.modes] == [
        mode.site_response for mode in found.modes
    ]
    assert again.sites == found.sites
