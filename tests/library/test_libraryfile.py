"""Library files: the same species whatever way they went, and nothing taken on trust."""

import json
import os
import pickle
import subprocess
import sys
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tersgen
from tersgen.errors import LibraryError
from tersgen.library.builtin import builtin_names, crystal_names, load_builtin
from tersgen.library.filtering import choose_species, list_rows
from tersgen.library.importing import read_species
from tersgen.library.libraryfile import check_library, library_json, library_parts, read_library
from tersgen.schema.columns import species_digest
from tersgen.schema.library import Library
from tersgen.schema.species import Species

NAMES = ("benzene", "water", "silicon", "calcite")


@pytest.fixture(scope="module")
def library():
    return Library(map(load_builtin, NAMES))


@pytest.fixture
def path(library, tmp_path):
    return write(library, tmp_path / "some.tlib")


def write(library, path):
    path.write_bytes(b"".join(library_parts(library)))
    return path


def full_species():
    """Return a species with all that is optional."""
    water = load_builtin("water")
    random = np.random.default_rng(3)
    n = len(water.atoms)
    modes = [
        mode.model_copy(
            update={
                "displacements": tuple((0.5, 0.25, float(k)) for k in range(n)),
                "fwhm_cm1": None,
            }
        )
        for mode in water.modes
    ]
    return Species.model_validate(
        {
            **water.model_dump(),
            "modes": [mode.model_dump() for mode in modes],
            "masses_amu": [15.99, 1.008, 2.014],
            "isotopes": [0, 1, 2],
            "hessian": random.random(9 * 10 // 2).tolist(),
            "polarizability": np.diag([1.0, 2.0, 3.0]).tolist(),
            "atom_polarizabilities": [np.eye(3).tolist()] * n,
            "frequency_uncertainty_cm1": 28.0,
            "conformer_weight": 0.25,
            "class_name": "water molecule",
            "provenance": {**water.provenance.model_dump(), "levels": {"tensors": "HF/STO-3G"}},
        }
    )


@pytest.mark.parametrize("name", [*builtin_names(), *crystal_names()])
def test_a_species_comes_back_as_it_was(name):
    one = load_builtin(name)
    assert Library([one]).species[0] == one


def test_all_that_is_optional_comes_back(tmp_path):
    one = full_species()
    found = read_library(write(Library([one]), tmp_path / "a.tlib"))
    assert found.species[0] == one
    again = tmp_path / "a.json"
    again.write_bytes(library_json(found))
    assert read_species(again) == (one,)


def test_what_is_not_known_changes_no_digest(library):
    """So a quantity that species get later leaves the digests of those that lack it."""
    bare = load_builtin("water")
    assert set(Library([bare]).columns) == {
        *("page", "frequency", "tensor", "position", "atom_tensor"),
    }  # fmt: skip
    both = Library([bare, full_species().model_copy(update={"name": "other"})])
    assert both.digests[0].tobytes() == Library([bare]).digests[0].tobytes()


def test_the_digest_does_not_depend_on_files(library, path, tmp_path):
    parts = [
        read_library(write(Library([one]), tmp_path / f"{one.name}.tlib"))
        for one in library.species
    ]
    assert Library.joined(parts) == library == read_library(path)
    assert Library.joined(parts).digest == library.digest
    joined = b"".join(library_parts(Library.joined(parts)))
    assert joined == path.read_bytes()
    assert library.chosen(np.array([2, 0])) == Library(map(load_builtin, ("silicon", "benzene")))
    assert pickle.loads(pickle.dumps(read_library(path))) == library


def test_safetensors_reads_it(library, path):
    safetensors = pytest.importorskip("safetensors")
    with safetensors.safe_open(path, "numpy") as file:
        assert file.metadata()["digest"] == library.digest
        frequencies = file.get_tensor("frequency")
        ends = file.get_tensor("frequency.end")
    last = load_builtin("calcite")
    assert frequencies[ends[-2] :].tolist() == [mode.frequency_cm1 for mode in last.modes]


@given(data=st.data())
def test_no_flipped_byte_gives_another_species(library, tmp_path_factory, data):
    path = tmp_path_factory.mktemp("flips") / "a.tlib"
    content = bytearray(write(library, path).read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    with suppress(LibraryError):
        found = read_library(path)
        if found.digest == library.digest:  # as a recipe asks
            found.prove()
            assert [found.array(name)[0].tobytes() for name in found.columns] == [
                library.array(name)[0].tobytes() for name in found.columns
            ]


@pytest.mark.parametrize("cut", [0, 7, 8, 100, 5000, -1])
def test_a_file_cut_short_is_refused(path, cut):
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(LibraryError, match=r"expected a library file|expected .* bytes"):
        read_library(path)


def edited(path, change):
    """Write the file with another header."""
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    change(header)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + size :])


@pytest.mark.parametrize(
    "change",
    [
        lambda h: h.pop("digest"),
        lambda h: h.pop("page"),
        lambda h: h.pop("__metadata__"),
        lambda h: h["__metadata__"].update(format="other"),
        lambda h: h["tensor"].update(shape=[1 << 60, 3, 3]),
        lambda h: h["tensor"].update(shape=[-1, 3, 3]),
        lambda h: h["tensor"].update(dtype="F16"),
        lambda h: h["tensor"].update(dtype="U8"),
        lambda h: h["tensor"].update(data_offsets=[0, 8]),
        lambda h: h["tensor"].update(data_offsets="ab"),
        lambda h: h.update(tensor=None),
        lambda h: h.update(more={"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}),
    ],
)
def test_a_header_that_cannot_be_is_refused(path, change):
    edited(path, change)
    with pytest.raises(LibraryError, match="expected a library file") as caught:
        read_library(path)
    assert "\n" not in str(caught.value)


def test_a_huge_header_is_not_read(path):
    content = bytearray(path.read_bytes())
    content[:8] = (1 << 40).to_bytes(8, "little")
    path.write_bytes(content)
    with pytest.raises(LibraryError, match="a header of"):
        read_library(path)


def test_pipes_and_folders_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.tlib")
    for place in (tmp_path / "pipe.tlib", tmp_path):
        with pytest.raises(LibraryError, match="got a folder, pipe or device"):
            read_library(place)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("frequency", -1.0, "frequencies of 0 or less"),
        ("frequency", np.nan, "frequencies of 0 or less"),
        ("tensor", np.inf, "tensors that are not finite"),
        ("position", np.nan, "positions that are not finite"),
        ("atom_tensor", np.inf, "atom tensors that are not finite"),
        ("fwhm", 0.0, "widths of 0 or less"),
    ],
)
def test_modes_that_cannot_be_are_refused(path, name, value, message):
    """Sealed with right digests by somebody who does not care."""
    library = read_library(path)
    library.prove(*library.columns)
    library.columns[name].rows.reshape(-1)[0] = value
    parts = [
        {name: column.part(k) for name, column in library.columns.items()}
        for k in range(len(library))
    ]
    digests = b"".join(species_digest(one) for one in parts)
    crafted = Library.of_columns(library.columns, np.frombuffer(digests, np.uint8))
    with pytest.raises(LibraryError, match=message):
        check_library(crafted, path)


def test_a_changed_species_is_noticed_when_it_is_read(library, path):
    content = bytearray(path.read_bytes())
    size = int.from_bytes(content[:8], "little")
    content[8 + size + json.loads(content[8 : 8 + size])["tensor"]["data_offsets"][1] - 1] ^= 1
    path.write_bytes(content)
    found = read_library(path)
    assert found.digest == library.digest
    assert found.species[0] == library.species[0]
    with pytest.raises(LibraryError, match="its content is not what its digest says"):
        found.prove()


def of_many(n):
    """Return so many species that they are read in several steps."""
    benzene = load_builtin("benzene")
    return Library([benzene.model_copy(update={"name": f"number {k}"}) for k in range(n)])


def test_large_arrays_stay_in_the_file_until_they_are_asked_for(tmp_path):
    many = of_many(300)
    found = read_library(write(many, tmp_path / "many.tlib"))
    check_library(found, tmp_path / "many.tlib")
    assert isinstance(found.columns["tensor"].rows, np.ndarray)
    assert not isinstance(found.columns["atom_tensor"].rows, np.ndarray)
    assert b"".join(library_parts(found)) == b"".join(library_parts(many))
    for name in many.columns:
        for ours, theirs in zip(found.array(name), many.array(name), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    assert isinstance(found.columns["atom_tensor"].rows, np.ndarray)


@pytest.mark.parametrize(
    "read",
    [
        lambda found: found.array("atom_tensor"),
        lambda found: found[299],
        lambda found: found.chosen(np.array([299])).array("tensor"),
    ],
    ids=["array", "species", "chosen"],
)
def test_what_changes_in_a_file_after_it_was_proved_is_noticed(tmp_path, read):
    path = write(of_many(300), tmp_path / "many.tlib")
    found = read_library(path)
    found.prove()
    content = bytearray(path.read_bytes())
    size = int.from_bytes(content[:8], "little")
    end = json.loads(content[8 : 8 + size])["atom_tensor"]["data_offsets"][1]
    content[8 + size + end - 1] ^= 1  # of the last species
    path.write_bytes(content)
    assert len(found.array("tensor")[0]) == 300 * 30
    with pytest.raises(LibraryError, match="its content is not what its digest says"):
        read(found)


def test_a_faulty_species_among_many_is_named_by_its_number(tmp_path):
    path = write(of_many(300), tmp_path / "many.tlib")
    content = bytearray(path.read_bytes())
    size = int.from_bytes(content[:8], "little")
    begin, end = json.loads(content[8 : 8 + size])["frequency"]["data_offsets"]
    content[8 + size + begin + (end - begin) // 300 * 200] ^= 1
    path.write_bytes(content)
    with pytest.raises(LibraryError, match="species 200 of the library"):
        check_library(read_library(path), path)


def test_species_are_chosen_by_what_is_known(library):
    def names(**filters):
        chosen = choose_species(library, **{"formula": None, "has": (), "name": None, **filters})
        return [library.names[k] for k in chosen]

    assert names(formula="H6C6") == ["benzene"]
    assert names(has=("atoms",)) == ["benzene", "water"]
    assert names(has=("atoms", "hessian")) == []
    assert names(name="*a*") == ["water", "calcite"]
    assert [row["n_atoms"] for row in list_rows(library)][:2] == [12, 3]


def tersgen_command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "tersgen", *map(str, arguments)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_commands_write_read_merge_and_filter(tmp_path):
    merged = tmp_path / "all.tlib"
    done = tersgen_command("library", "merge", "builtin", "random:3", "-o", merged)
    assert done.returncode == 0, done.stderr
    assert len(read_library(merged)) == len(builtin_names()) + 3
    done = tersgen_command("library", "list", merged, "--formula", "C6H6", "--json")
    assert [row["name"] for row in json.loads(done.stdout)] == ["benzene"]
    few = tmp_path / "few.json"
    done = tersgen_command("library", "merge", merged, "--has", "atoms", "--name", "a*", "-o", few)
    assert done.returncode == 0, done.stderr
    assert {one.name for one in read_species(few)} >= {"acetonitrile", "adenine"}
    done = tersgen_command(
        "library", "merge", merged, "--formula", "Xx", "-o", tmp_path / "no.tlib"
    )
    assert done.returncode != 0
    assert len(done.stderr.splitlines()) == 1
    assert tersgen.resolve(tersgen.Recipe(library=(str(merged),))).library == read_library(merged)
