"""Measured rows as a dataset: as any other, but that no recipe makes them again."""

import numpy as np
import pytest

import tersgen
from tersgen.dataset.reproduce import reproduce
from tersgen.dataset.splits import make_split
from tersgen.dataset.verify import verify
from tersgen.errors import ConfigError, MeasurementError, NotSyntheticError
from tersgen.jobs.convert import convert
from tersgen.jobs.ingest import Target, ingest, plan_ingest
from tersgen.jobs.repair import repair
from tersgen.measured.collection import collect, find_files
from tersgen.measured.labels import LabelRule, LabelTable
from tersgen.measured.reader import ReadOptions
from tersgen.schema.grid import Grid
from tersgen.schema.split import SplitRule

AXIS = np.arange(200.0, 1201.0, 2.5)
PLACES = {"benzene": 992.0, "quartz": 464.0, "water": 700.0}


def line(place, slope):
    return 1000.0 * np.exp(-(((AXIS - place) / 12.0) ** 2)) + slope * AXIS + 50.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder of twelve spectra, four of each substance, two of each sample."""
    folder = tmp_path_factory.mktemp("measured")
    rows = ["file,label,group,part"]
    for name, place in PLACES.items():
        for k in range(4):
            path = folder / f"{name}_{k}.txt"
            values = line(place, 0.1 * k)
            path.write_text("".join(f"{x} {y:.6f}\n" for x, y in zip(AXIS, values, strict=True)))
            rows.append(f"{path.name},{name},{name}{k // 2},{'train' if k < 3 else 'test'}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture(scope="module")
def collection(folder):
    files = [path for path in find_files([folder]) if path.suffix == ".txt"]
    return collect(files, LabelRule(LabelTable(folder / "labels.csv")))


@pytest.fixture(scope="module")
def real(collection, tmp_path_factory):
    out = tmp_path_factory.mktemp("real") / "real.zarr"
    ingest(*plan_ingest(collection, Target(), "zarr"), out)
    return out


def test_every_row_is_what_was_measured(real):
    ds = tersgen.open(real)
    assert (ds.kind, ds.classes, ds.n_samples) == ("measured", ("benzene", "quartz", "water"), 12)
    assert ds.manifest.kind == "measured"
    assert (ds.shift_cm1[0], ds.shift_cm1[-1], len(ds.shift_cm1)) == (200.0, 1200.0, 1024)
    order = []
    for row in range(12):
        one = ds.sample(row)
        file = ds.basis.files[one["source/file"]]
        name, number = file.name.removesuffix(".txt").split("_")
        order.append(file.name)
        assert one["species"] == name
        assert ds.basis.groups[one["source/group"]] == f"{name}{int(number) // 2}"
        count = one["raw/count"]
        assert one["raw/shift"][:count].tolist() == AXIS.tolist()
        wanted = line(PLACES[name], 0.1 * int(number))
        assert one["raw/intensity"][:count] == pytest.approx(wanted, abs=1e-3)
        on_grid = np.interp(ds.shift_cm1, AXIS, wanted)
        on_grid = (on_grid - on_grid.min()) / np.ptp(on_grid)
        assert one["spectra"] == pytest.approx(on_grid, abs=1e-5)
        assert one["source/extrapolated"] == 0.0
    assert order != sorted(order), "rows are to come in no order of class"
    assert sorted(order) == sorted(file.name for file in ds.basis.files)


def test_it_is_verified_converted_and_split(real, tmp_path):
    ds = tersgen.open(real)
    assert verify(real).sound
    convert(real, tmp_path / "real.h5", "hdf5")
    assert tersgen.open(tmp_path / "real.h5").digest == ds.digest
    assert [len(ds.rows_in(part)) for part in ("train", "test")] == [9, 3]
    names = [ds.basis.files[k].name for k in ds["source/file"][ds.rows_in("test")]]
    assert all(name.endswith("_3.txt") for name in names)
    rule = SplitRule(names=("train", "test"), ratios=(0.5, 0.5), by="sample", seed=3)
    make_split(real, "apart", rule)
    ds = tersgen.open(real)
    parts, groups = ds.parts("apart"), ds["source/group"][:]
    assert all(len(set(parts[groups == one])) == 1 for one in set(groups.tolist()))
    assert ds.splits["apart"].counts == ((2, 2),) * 3
    (real / "splits" / f"apart-{ds.splits['apart'].digest[:16]}.npy").unlink()
    assert any("rebuilt" in text for text in repair(real).done)
    assert verify(real).sound


def test_the_same_files_give_the_same_dataset_in_both_back_ends(collection, real, tmp_path):
    for name, kind in (("again.zarr", "zarr"), ("again.h5", "hdf5")):
        built = ingest(*plan_ingest(collection, Target(), kind), tmp_path / name, threads=1)
        assert built.manifest.digest == tersgen.open(real).digest
    again = ingest(*plan_ingest(collection, Target(), "zarr"), tmp_path / "again.zarr")
    assert again.n_kept == 12


def test_what_only_a_recipe_can_do(real, tmp_path, collection):
    with pytest.raises(NotSyntheticError, match="expected a synthetic dataset, got a measured one"):
        reproduce(real)
    with pytest.raises(NotSyntheticError):
        tersgen.open(real).recipe  # noqa: B018
    damaged = tmp_path / "damaged.zarr"
    ingest(*plan_ingest(collection, Target(), "zarr"), damaged)
    (damaged / "spectra" / "c.0.0").unlink()
    assert not verify(damaged).sound
    with pytest.raises(NotSyntheticError, match="measured rows cannot be rebuilt"):
        repair(damaged)


def test_a_build_that_was_stopped_goes_on(collection, tmp_path, monkeypatch):
    from tersgen.jobs.commit import ShardCommitter

    plan, rows = plan_ingest(collection, Target(precision="float16"), "zarr")

    def full(self, shard):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ShardCommitter, "commit", full)
    with pytest.raises(OSError, match="No space left"):
        ingest(plan, rows, tmp_path / "x.zarr")
    monkeypatch.undo()
    assert ingest(plan, rows, tmp_path / "x.zarr").manifest.n_samples == 12
    assert verify(tmp_path / "x.zarr").sound


def test_an_axis_that_is_not_covered(collection, tmp_path):
    wide = Grid(start_cm1=100.0, stop_cm1=1200.0, n_points=64)
    with pytest.raises(MeasurementError, match=r"\w+_\d.txt: expected a spectrum over 100 to"):
        ingest(*plan_ingest(collection, Target(wide), "zarr"), tmp_path / "x.zarr")
    assert not (tmp_path / "x.zarr").exists()
    target = Target(wide, allow_extrapolation=True, scale="symmetric", classes=("water", "z"))
    ingest(*plan_ingest(collection, target, "zarr"), tmp_path / "x.zarr")
    ds = tersgen.open(tmp_path / "x.zarr")
    assert ds.classes == ("water", "z", "benzene", "quartz")
    assert ds["source/extrapolated"][:] == pytest.approx(np.full(12, 100 / 1100), rel=1e-6)
    assert (ds["spectra"][:].min(), ds["spectra"][:].max()) == (-1.0, 1.0)
    assert ds.basis.edges == "repeated"


def test_arrays_on_the_grid_keep_no_axis_and_maps_are_scaled(tmp_path):
    rng = np.random.default_rng(2)
    spectra, maps = rng.random((5, 32)) * 9, rng.random((5, 2, 6, 7)) * 3 + 1
    np.savez(
        tmp_path / "rows.npz", spectra=spectra, shift_cm1=np.linspace(100, 410, 32), maps=maps,
        label=np.array(["a", "b", "a", "b", "a"]),
    )  # fmt: skip
    grid = Grid(start_cm1=100.0, stop_cm1=410.0, n_points=32)
    collection = collect([tmp_path / "rows.npz"], LabelRule())
    ingest(*plan_ingest(collection, Target(grid), "zarr"), tmp_path / "x.zarr")
    ds = tersgen.open(tmp_path / "x.zarr")
    assert "raw/shift" not in ds
    rows = ds["source/row"][:]
    assert sorted(rows.tolist()) == [0, 1, 2, 3, 4]
    assert np.allclose(ds["raw/intensity"][:], spectra[rows], rtol=1e-6)
    low = maps.min(axis=(1, 2, 3), keepdims=True)
    high = maps.max(axis=(1, 2, 3), keepdims=True)
    assert np.allclose(ds["maps"][:], ((maps - low) / (high - low))[rows], atol=1e-6)
    assert [ds.classes[k] for k in ds["label"][:]] == [["a", "b"][k % 2] for k in rows]


@pytest.mark.parametrize("extra", [{"maps": np.ones((2, 4, 4))}, {}])
def test_files_that_do_not_go_together(tmp_path, extra):
    rng = np.random.default_rng(4)
    axis = np.linspace(100, 200, 8)
    np.savez(tmp_path / "a.npz", spectra=rng.random((2, 8)), shift_cm1=axis)
    content = {"spectra": rng.random((2, 8)), "shift_cm1": axis + 500}
    if extra:
        content["maps"] = rng.random((2, 4, 4))
    np.savez(tmp_path / "b.npz", **content)
    collection = collect([tmp_path / "a.npz", tmp_path / "b.npz"], LabelRule())
    with pytest.raises(MeasurementError, match="same kinds of signals" if extra else "overlap"):
        plan_ingest(collection, Target(), "zarr")


def test_an_axis_beyond_any_raman_shift(tmp_path):
    np.save(tmp_path / "a.npy", np.random.default_rng(0).random((3, 19)))
    options = ReadOptions(axis=30_000.0 * np.arange(1, 20))
    collection = collect([tmp_path / "a.npy"], LabelRule(), options)
    with pytest.raises(MeasurementError, match="is the axis in another unit"):
        plan_ingest(collection, Target(), "zarr")


def test_names_that_are_not_allowed(tmp_path):
    (tmp_path / "a.txt").write_text("".join(f"{100 * k} {k}\n" for k in range(1, 9)))
    collection = collect([tmp_path / "a.txt"], LabelRule(label="\x1b[31m"))
    with pytest.raises(ConfigError, match="classes") as caught:
        plan_ingest(collection, Target(), "zarr")
    assert str(caught.value).isprintable()


def test_given_parts_need_a_part_of_every_row(folder):
    known = folder / "some.csv"
    known.write_text("file,label,part\nbenzene_0,x,train\nbenzene_1,x,\n")
    files = [folder / "benzene_0.txt", folder / "benzene_1.txt"]
    collection = collect(files, LabelRule(LabelTable(known)))
    known.unlink()
    with pytest.raises(MeasurementError, match="a part of every row"):
        plan_ingest(collection, Target(), "zarr")


def test_a_synthetic_dataset_has_no_samples_to_keep_together(tiny_recipe, tmp_path):
    from tersgen.jobs.plan import make_plan
    from tersgen.jobs.run import run

    run(make_plan(tiny_recipe, 64), tmp_path / "x.zarr")
    with pytest.raises(ConfigError, match="expected species or group"):
        make_split(tmp_path / "x.zarr", "default", SplitRule(by="sample"))
