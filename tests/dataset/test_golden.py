"""Datasets that an earlier day wrote: still read, still sound, still what the generator makes.

If one of these fails, the format or the generator has changed. Then raise ``FORMAT_VERSION``
(``tersgen/schema/manifest.py``) or ``GENERATOR_VERSION`` (``tersgen/recipe.py``), say so in
``schemas/FORMAT.md`` and CHANGELOG.md, and make new golden files: ``python tests/golden/make.py``.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from blake3 import blake3

import tersgen
from tersgen.dataset.parts import load_parts
from tersgen.dataset.reproduce import reproduce
from tersgen.dataset.verify import verify
from tersgen.dataset.versions import list_tags, locate, version_ids
from tersgen.errors import DatasetError
from tersgen.recipe import GENERATOR_VERSION
from tersgen.schema.manifest import FORMAT_VERSION
from tersgen.store.checksum_table import HEAD_WORDS

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"
EXPECTED = json.loads((GOLDEN / f"v{FORMAT_VERSION}.json").read_text())
CHANGED = (
    "the golden datasets are no longer what they were: raise FORMAT_VERSION (if what is on disk "
    "has changed) or GENERATOR_VERSION (if values have), and make new ones: "
    "python tests/golden/make.py"
)

# run where tersgen is never imported: only what another program has
PLAIN = """
import json, sys
path, kind, wanted = sys.argv[1], sys.argv[2], json.load(sys.stdin)
if kind == "zarr":
    import zarr
    arrays = zarr.open_group(path, mode="r")
else:
    import h5py
    arrays = h5py.File(path, "r")
found = {}
for name, one in wanted.items():
    array = arrays[name]
    values = {row: array[int(row)] for row in one["rows"]}
    dtype = str(array.dtype)
    if "scale_factor" in array.attrs:
        dtype, scale, offset = "float32", array.attrs["scale_factor"], array.attrs["add_offset"]
        values = {row: (one * scale + offset).astype("f4") for row, one in values.items()}
    rows = {row: one.tobytes().hex() for row, one in values.items()}
    found[name] = {"dtype": dtype, "shape": list(array.shape), "rows": rows}
assert "tersgen" not in sys.modules
json.dump(found, sys.stdout)
"""


@pytest.fixture(params=sorted(EXPECTED))
def golden(request) -> tuple[Path, dict]:
    return GOLDEN / request.param, EXPECTED[request.param]


def test_both_back_ends_and_the_versions_of_today_are_there():
    assert {one["format"] for one in EXPECTED.values()} == {"zarr", "hdf5"}, CHANGED
    recipe = tersgen.open(GOLDEN / f"v{FORMAT_VERSION}.zarr").recipe
    assert recipe.generator == GENERATOR_VERSION, CHANGED


def test_rows_of_an_earlier_generator_are_read_but_not_made():
    path = GOLDEN / "generator2.zarr"
    dataset = tersgen.open(path)
    assert dataset.contents.generator == 2
    assert dataset["spectra"][:].shape == (270, 16)
    assert verify(path).sound
    with pytest.raises(DatasetError, match="expected rows of generator 3, got 2: they can be read"):
        reproduce(path, fraction=1)


def test_the_newest_version_is_read(golden):
    path, expected = golden
    dataset = tersgen.open(path)
    assert dataset.manifest.version == expected["version"], CHANGED
    assert dataset.manifest.digest == expected["digest"], CHANGED
    assert list(dataset.classes) == expected["classes"]
    assert np.bincount(dataset["label"][:]).tolist() == expected["class_counts"]
    assert list(dataset.fields) == list(expected["arrays"]), CHANGED
    for name, wanted in expected["arrays"].items():
        field = dataset[name]
        assert (str(field.dtype), list(field.shape)) == (wanted["dtype"], wanted["shape"])
        for row, values in wanted["rows"].items():
            assert field[int(row)].tobytes().hex() == values, f"{name}, row {row}: {CHANGED}"


def test_every_version_is_read_and_sound(golden):
    path, expected = golden
    assert verify(path).faults == (), CHANGED
    tagged = tersgen.open(f"{path}@v1.0")
    assert tagged.manifest.version == expected["v1.0"]["version"]
    ids = version_ids(locate(path))
    assert len(ids) == 3
    for version in ids:
        report = verify(f"{path}@{version}")
        assert report.faults == (), CHANGED
        older = tersgen.open(f"{path}@{version}")
        if older.n_samples == expected["v1.0"]["n_samples"]:
            assert report.digest == expected["v1.0"]["digest"], CHANGED
        for name, wanted in expected["arrays"].items():
            for row, values in wanted["rows"].items():
                if int(row) < older.n_samples:
                    assert older[name][int(row)].tobytes().hex() == values, CHANGED


def test_the_split_is_read_and_was_grown(golden):
    path, expected = golden
    folder = locate(path).folder
    (split,) = tersgen.open(path).manifest.splits
    parts = load_parts(folder, split)
    assert parts.tobytes().hex() == expected["parts"], CHANGED
    (older,) = tersgen.open(f"{path}@v1.0").manifest.splits
    assert split.sizes == (older.n_samples, len(parts))
    assert load_parts(folder, older).tobytes() == parts[: older.n_samples].tobytes(), CHANGED


def test_the_tags_are_read(golden):
    path, expected = golden
    tags = {tag.name: tag for tag in list_tags(locate(path))}
    assert {name: tag.deleted for name, tag in tags.items()} == {"v1.0": False, "draft": True}
    assert tags["draft"].version == expected["v1.0"]["version"]
    with pytest.raises(DatasetError, match="was deleted"):
        tersgen.open(f"{path}@draft")


def test_the_generator_makes_the_same_rows(golden):
    path, _ = golden
    report = reproduce(path, fraction=1)
    assert report.equal, f"{report.different}: {CHANGED}"
    assert report.n_rows == report.n_samples


def test_plain_zarr_python_and_h5py_read_the_same(golden, tmp_path):
    path, expected = golden
    found = subprocess.run(
        [sys.executable, "-I", "-c", PLAIN, path, expected["format"]],
        input=json.dumps(expected["arrays"]),
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert json.loads(found.stdout) == expected["arrays"]


def test_the_specification_quotes_them():
    page = " ".join((ROOT / "schemas" / "FORMAT.md").read_text().split())
    assert f"# The format on disk, version {FORMAT_VERSION}" in page
    folder = GOLDEN / f"v{FORMAT_VERSION}.zarr"
    manifest = json.loads((folder / "manifest.json").read_text())
    lines = (folder / "journal.jsonl").read_text().splitlines()
    records = [json.loads(line)["record"] for line in lines]
    newest = {record["shard"]: record["digests"]["label"] for record in records}
    for digest in (manifest["arrays"]["label"], manifest["digest"]):
        assert digest in page, f"schemas/FORMAT.md, section 6: {CHANGED}"
    for digest in (*newest.values(), manifest["arrays"]["maps"], manifest["recipe_digest"]):
        assert f"{digest[:8]}..." in page, f"schemas/FORMAT.md, section 6: {CHANGED}"


def test_the_specification_quotes_the_table_of_checksums():
    page = " ".join((ROOT / "schemas" / "FORMAT.md").read_text().split())
    path = GOLDEN / f"v{FORMAT_VERSION}.h5"
    at = HEAD_WORDS + list(tersgen.open(path).fields).index("label")
    with h5py.File(GOLDEN / f"{path.name}.d" / "shards" / "000001.h5") as file:
        checks = file["checks"][()].tolist()
    n_arrays = len(checks) - 1 - HEAD_WORDS
    which = f"`checks` has {len(checks)} numbers for its {n_arrays} arrays: the fourteenth"
    assert at == 13
    assert f"{which}, {checks[at]:08x}, is that of `label`" in page, CHANGED
    assert f"of the {4 * len(checks) - 4} bytes before it, is {checks[-1]:08x}." in page, CHANGED


def test_the_lock_file_proves_itself_as_specified(golden):
    text = (locate(golden[0]).folder / "lock.json").read_text()
    content = json.loads(text)
    assert text == json.dumps(content, indent=1) + "\n", CHANGED
    check = content.pop("check")
    plain = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    assert blake3(plain.encode()).hexdigest() == check, CHANGED


def test_the_specification_is_right_about_canonical_json():
    page = " ".join((ROOT / "schemas" / "FORMAT.md").read_text().split())
    given, written = re.search(r"`(\{\"b\".*?\})` is written `(\{.*?\})`\.", page).groups()
    text = json.dumps(json.loads(given), sort_keys=True, separators=(",", ":"), allow_nan=False)
    assert text == written
