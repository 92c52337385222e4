"""P8: a dataset outlives the code that wrote it, settings and fields of later days included."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

import tersgen
from tersgen.dataset.basis import StoredBasis, contents_of
from tersgen.dataset.reproduce import reproduce
from tersgen.dataset.verify import verify
from tersgen.dataset.versions import locate
from tersgen.errors import DatasetError
from tersgen.generator import Generator
from tersgen.jobs.extend import plan_extension
from tersgen.jobs.finish import Origin
from tersgen.jobs.plan import Plan, make_plan
from tersgen.jobs.repair import repair
from tersgen.jobs.rows import GeneratedRuns
from tersgen.jobs.run import run
from tersgen.recipe import Recipe
from tersgen.schema.fields import FieldSpec

pytestmark = pytest.mark.exhaustive

GOLDEN = Path(__file__).parents[1] / "golden"
NAMES = ("v4.h5", "v4.zarr")
ROWS = 300


def copy_of(name, folder):
    """A copy of a golden dataset."""
    for path in GOLDEN.glob(f"{name}*"):
        if path.is_dir():
            shutil.copytree(path, folder / path.name)
        else:
            shutil.copy(path, folder / path.name)
    return folder / name


def newer(*arguments):
    """Run a command of the newer code; return what it prints."""
    script = Path(__file__).with_name("newer_code.py")
    done = subprocess.run(
        [sys.executable, script, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def shard_of(path):
    """A file of the first shard."""
    return next(
        iter(sorted(locate(path).folder.rglob("000000.h5" if path.suffix == ".h5" else "c.0")))
    )


@pytest.fixture(params=NAMES)
def golden(request, tmp_path):
    return copy_of(request.param, tmp_path)


# ---- settings of a later day


def test_newer_code_reads_the_values_and_digests_that_were_written(golden):
    dataset = tersgen.open(golden)
    values = {name: blake3(one[:].tobytes()).hexdigest() for name, one in dataset.fields.items()}
    assert json.loads(newer("values", golden)) == {"digest": dataset.digest, "values": values}
    newer("verify", golden)
    newer("reproduce", golden, "--fraction", "1")


def test_newer_code_repairs_what_was_written_before(golden):
    path = shard_of(golden)
    sound = path.read_bytes()
    path.write_bytes(bytes(len(sound)))
    newer("repair", golden)
    assert path.read_bytes() == sound
    assert verify(golden).sound


def test_newer_code_extends_what_was_written_before_as_this_code_does(golden, tmp_path):
    (tmp_path / "other").mkdir()
    other = copy_of(golden.name, tmp_path / "other")
    newer("extend", golden, "--to", "300")
    command = [sys.executable, "-m", "tersgen", "extend", other, "--to", "300"]
    subprocess.run(command, check=True, capture_output=True)
    assert tersgen.open(golden).digest == tersgen.open(other).digest
    assert verify(golden).sound


@pytest.mark.parametrize("form", ["zarr", "hdf5"])
def test_newer_code_goes_on_with_a_build(tiny_recipe, tmp_path, form):
    path = tmp_path / {"zarr": "a.zarr", "hdf5": "a.h5"}[form]
    whole = run(make_plan(tiny_recipe, ROWS, form, 64, 256), path).manifest
    folder = locate(path).folder
    # as if it had been killed before its end: one shard sealed, no version
    for gone in ("manifest.json", "versions", "journal.jsonl"):
        place = folder / gone
        lines = place.read_bytes().splitlines(keepends=True) if gone[0] == "j" else []
        if gone == "versions":
            for version in [*place.glob("*.json"), *place.glob("copies/*.json")]:
                if len(version.stem) == 64:
                    version.unlink()
        elif lines:
            place.write_bytes(lines[0])
        else:
            place.unlink()
    newer("build", "--config", folder / "recipe.json", "--n", ROWS, "--format", form,
          "--chunk-rows", 64, "--shard-rows", 256, "--out", path)  # fmt: skip
    assert tersgen.open(path).digest == whole.digest
    assert verify(path).sound


# ---- fields, settings and generators of a later day


class Rows:
    """Rows of today with one more array."""

    def __init__(self, generated):
        self._generated = generated

    def make(self, start, n_rows):
        numbers = np.arange(start, start + n_rows, dtype=np.float32)
        return {**self._generated.make(start, n_rows), "later/value": later_values(numbers)}

    def __getattr__(self, name):
        return getattr(self._generated, name)


def later_values(rows):
    return np.stack([rows, rows + 0.5], axis=1).astype(np.float32)


LATER = FieldSpec(
    name="later/value", dims=("later",), shape=(2,), dtype="float32", unit="furlong",
    description="what is not known today",
)  # fmt: skip


def write_later(recipe, path, form, more=None, generator=None, field=False):
    """Write a dataset as a later version of tersgen may."""
    content = {**recipe.document, **(more or {})}
    if generator is not None:
        content["generator"] = generator
    today = contents_of(StoredBasis.of(recipe))
    document = StoredBasis(content, lambda: recipe.held_library, "recipe")
    contents = today._replace(
        fields=(*today.fields, LATER) if field else today.fields,
        recipe_digest=document.digest,
        generator=content["generator"],
    )
    layout = make_plan(recipe, ROWS, form, 64, 256).layout
    rows = GeneratedRuns(Generator(recipe), 256)
    run(
        Plan(document, contents, ROWS, layout, form),
        path,
        origin=Origin("build", rows=Rows(rows) if field else rows),
    )
    return path


@pytest.fixture(params=["a.zarr", "a.h5"])
def place(request, tmp_path):
    return tmp_path / request.param, "zarr" if request.param == "a.zarr" else "hdf5"


def stream_values(dataset, name):
    """All rows of a field as training gets them."""
    from ters_train.data.order import Order
    from ters_train.data.rows import all_rows
    from ters_train.data.stream import Stream

    stream = Stream(dataset, [name], Order(all_rows(dataset), 50))
    out = np.empty((dataset.n_samples, *dataset[name].spec.shape), dataset[name].dtype)
    for batch in stream:
        out[batch["row"].numpy()] = batch[name].numpy()
    return out


def test_a_field_of_a_later_day_is_read_streamed_and_verified(tiny_recipe, place):
    path = write_later(tiny_recipe, *place, field=True)
    dataset = tersgen.open(path)
    wanted = later_values(np.arange(ROWS, dtype=np.float32))
    assert dataset["later/value"].spec.unit == "furlong"
    np.testing.assert_array_equal(dataset["later/value"][:], wanted)
    np.testing.assert_array_equal(stream_values(dataset, "later/value"), wanted)
    assert verify(path).sound
    assert "later/value" in str(dataset)


LATER_RECIPES = {
    "a setting": ({"noise": {"later": 1.0}}, None),
    "a section": ({"later": {"strength": 2.0}}, None),
    "a generator": ({}, 99),
}


@pytest.fixture(params=sorted(LATER_RECIPES))
def later(request, tiny_recipe, place):
    more, generator = LATER_RECIPES[request.param]
    return write_later(tiny_recipe, *place, more, generator)


def test_rows_of_a_recipe_of_a_later_day_are_read(later, tiny_recipe):
    dataset = tersgen.open(later)
    made = tersgen.generate(tiny_recipe, 0, ROWS)
    for name, field in dataset.fields.items():
        np.testing.assert_array_equal(field[:], made[name])
    np.testing.assert_array_equal(stream_values(dataset, "spectra"), made["spectra"])
    assert verify(later).sound
    assert verify(later, quick=True).sound
    subprocess.run([sys.executable, "-m", "tersgen", "info", later], check=True,
                   capture_output=True)  # fmt: skip


def one_line(error):
    text = str(error.value)
    assert "\n" not in text
    assert "generator" in text
    return text


def test_rows_of_a_recipe_of_a_later_day_are_not_made(later):
    with pytest.raises(DatasetError) as error:
        plan_extension(later, 10, None)
    one_line(error)
    with pytest.raises(DatasetError) as error:
        reproduce(later, fraction=1)
    one_line(error)
    path = shard_of(later)
    damaged = path.read_bytes()[:-1]
    path.write_bytes(damaged)
    with pytest.raises(DatasetError) as error:
        repair(later)
    one_line(error)
    assert path.read_bytes() == damaged


def test_a_recipe_of_a_later_day_is_one_line(later):
    dataset = tersgen.open(later)
    if dataset.contents.generator != 99:
        with pytest.raises(DatasetError) as error:
            dataset.recipe  # noqa: B018
        one_line(error)
    assert dataset.document.content["grid"]


# ---- what is as by default


SECTIONS = {
    name: info.default
    for name, info in Recipe.model_fields.items()
    if isinstance(info.default, BaseModel)
}


@given(st.sets(st.sampled_from(sorted(SECTIONS))), st.data())
def test_what_is_given_as_by_default_changes_neither_digest_nor_fields(tiny_recipe, names, data):
    table = tiny_recipe.model_dump(exclude={"library"})
    given_table = {"library": tiny_recipe.library, **tiny_recipe.document}
    given_table["library"] = tiny_recipe.library
    for name in names:
        section = table[name]
        chosen = data.draw(st.sets(st.sampled_from(sorted(section))))
        kept = given_table.get(name, {})
        given_table[name] = {**kept, **{key: section[key] for key in chosen}}
    recipe = Recipe(**given_table)
    assert StoredBasis.of(recipe).digest == StoredBasis.of(tiny_recipe).digest
    mine, theirs = (contents_of(StoredBasis.of(one)) for one in (recipe, tiny_recipe))
    assert mine == theirs


@pytest.mark.parametrize("name", ["nearfield", "structure", "mixture", "instrument"])
def test_an_effect_that_is_off_is_left_out(tiny_recipe, name):
    recipe = tiny_recipe.model_copy(update={name: None})
    assert name not in recipe.document
    assert StoredBasis.of(recipe).digest == StoredBasis.of(tiny_recipe).digest
