"""Transforms of batches against NumPy and SciPy, and each row on its own."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from ters_train.config import TransformConfig
from ters_train.data.randomness import Key, integers, normal, uniform
from ters_train.data.transforms import (
    BLUR_LEVELS,
    Stream,
    Transforms,
    blur,
    blur_table,
    flip_and_turn,
    minmax,
    roll,
    shift_and_stretch,
    standardise,
)
from tersgen.errors import ConfigError

SHAPES = {"spectra": (37,), "maps": (2, 9, 9)}
SEED, EPOCH = 5, 2
OFF = {"standardise": False}
EVERYTHING = {
    "flip_rows": True,
    "flip_columns": True,
    "quarter_turns": True,
    "blur_px": 1.3,
    "roll_bins": 4,
    "shift_bins": 2.5,
    "stretch": 0.05,
    "spectrum_noise": 0.1,
    "map_noise": 0.2,
    "minmax": True,
    "standardise": True,
}


def make_batch(rows, dtype=torch.float32, low=0.0):
    """A batch whose content is decided by its row numbers, as in a dataset."""
    content = [np.random.default_rng(row) for row in rows]
    return {
        "spectra": torch.tensor(np.array([c.uniform(low, 1, 37) for c in content])).to(dtype),
        "maps": torch.tensor(np.array([c.uniform(low, 1, (2, 9, 9)) for c in content])).to(dtype),
        "label": torch.arange(len(rows), dtype=torch.int32),
        "row": torch.tensor(rows, dtype=torch.int64),
    }


def apply(settings_, batch, *, train=True, low=0.0, epoch=EPOCH):
    return Transforms(TransformConfig(**settings_), SEED, SHAPES, low)(batch, epoch, train)


def drawn(kind, stream, rows, *arguments):
    return kind(Key(SEED, EPOCH), torch.tensor(rows), stream, *arguments).numpy()


ROWS = [3, 1, 4, 15, 92, 65, 35, 89, 79, 32, 38, 46]


@pytest.mark.parametrize("k", range(4))
@pytest.mark.parametrize("flip_rows", [0, 1])
@pytest.mark.parametrize("flip_columns", [0, 1])
def test_flips_then_turns(flip_rows, flip_columns, k):
    maps = make_batch([1])["maps"]
    expected = maps[0].numpy()
    if flip_rows:
        expected = np.flip(expected, 1)
    if flip_columns:
        expected = np.flip(expected, 2)
    expected = np.rot90(expected, k, axes=(1, 2))
    got = flip_and_turn(maps, *(torch.tensor([value]) for value in (flip_rows, flip_columns, k)))
    assert np.array_equal(got[0], expected)


@pytest.mark.parametrize("names", [("flip_rows",), ("flip_columns",), ("quarter_turns",)])
def test_geometry_follows_its_streams(names):
    batch = make_batch(ROWS)
    got = apply(dict.fromkeys(names, True) | OFF, batch)["maps"].numpy()
    changes = {
        "flip_rows": (Stream.FLIP_ROWS, 2, lambda image, k: np.flip(image, 1) if k else image),
        "flip_columns": (
            Stream.FLIP_COLUMNS,
            2,
            lambda image, k: np.flip(image, 2) if k else image,
        ),
        "quarter_turns": (Stream.QUARTER_TURNS, 4, lambda image, k: np.rot90(image, k, (1, 2))),
    }
    stream, below, change = changes[names[0]]
    draws = drawn(integers, stream, ROWS, 1, below)[:, 0]
    assert set(draws) == set(range(below))
    for image, k, result in zip(batch["maps"].numpy(), draws, got, strict=True):
        assert np.array_equal(result, change(image, k))


def test_flips_of_maps_that_are_not_square():
    maps = torch.rand(3, 1, 4, 6, generator=torch.Generator().manual_seed(1))
    config = TransformConfig(flip_rows=True, flip_columns=True, standardise=False)
    done = Transforms(config, 0, {"maps": (1, 4, 6)})
    rows = torch.arange(3)
    got = done({"maps": maps, "row": rows}, 0, True)["maps"]
    for i in range(3):
        axes = [
            axis
            for axis, stream in ((1, Stream.FLIP_ROWS), (2, Stream.FLIP_COLUMNS))
            if integers(Key(0, 0), rows[i : i + 1], stream, 1, 2).item()
        ]
        assert np.array_equal(got[i], np.flip(maps[i].numpy(), axes))


@pytest.mark.parametrize("blur_px", [0.2, 1.0, 2.75])
def test_blur_is_scipys(blur_px):
    batch = make_batch(ROWS)
    got = apply({"blur_px": blur_px} | OFF, batch)["maps"].numpy()
    levels = drawn(integers, Stream.BLUR, ROWS, 1, BLUR_LEVELS)[:, 0]
    radius = int(np.ceil(4 * blur_px))
    for image, level, result in zip(batch["maps"].numpy(), levels, got, strict=True):
        sigma = blur_px * (level + 1) / BLUR_LEVELS
        for channel, blurred in zip(image.astype(np.float64), result, strict=True):
            expected = ndimage.gaussian_filter(channel, sigma, mode="nearest", radius=radius)
            np.testing.assert_allclose(blurred, expected, rtol=0, atol=1e-6)


def test_blur_of_any_half_kernel():
    image = np.random.default_rng(4).uniform(size=(1, 1, 5, 8)).astype(np.float32)
    half = np.array([0.5, 0.1, 0.3], np.float32)
    kernel = np.concatenate([half[:0:-1], half])
    expected = image[0, 0].astype(np.float64)
    for axis in (0, 1):
        expected = ndimage.correlate1d(expected, kernel, axis, mode="nearest")
    got = blur(torch.from_numpy(image), torch.from_numpy(half)[None])
    np.testing.assert_allclose(got[0, 0], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("blur_px", [1e-300, 1e-3, 0.4, 9.0])
def test_kernels_sum_to_one(blur_px):
    table = blur_table(blur_px).numpy().astype(np.float64)
    assert np.isfinite(table).all()
    np.testing.assert_allclose(table[:, 0] + 2 * table[:, 1:].sum(axis=1), 1, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("shift_bins", "stretch"), [(3.0, 0.0), (0.0, 0.2), (6.5, 0.1)])
def test_shift_and_stretch_is_numpys_interpolation(shift_bins, stretch):
    batch = make_batch(ROWS)
    got = apply({"shift_bins": shift_bins, "stretch": stretch} | OFF, batch)["spectra"].numpy()
    point = np.arange(37.0)
    moves = shift_bins * (2 * drawn(uniform, Stream.SHIFT, ROWS, 1)[:, 0].astype(np.float64) - 1)
    factors = stretch * (2 * drawn(uniform, Stream.STRETCH, ROWS, 1)[:, 0].astype(np.float64) - 1)
    for line, s, e, result in zip(batch["spectra"].numpy(), moves, factors, got, strict=True):
        expected = np.interp(point, 18 + (point - 18) * (1 + e) + s, line.astype(np.float64))
        np.testing.assert_allclose(result, expected, rtol=0, atol=1e-5)


def test_a_shift_keeps_its_digits_far_from_the_middle():
    line = np.random.default_rng(2).uniform(size=60_000).astype(np.float32)
    got = shift_and_stretch(
        torch.from_numpy(line)[None], torch.tensor([0.25]), torch.tensor([0.0])
    )[0].numpy()
    expected = 0.75 * line[1:].astype(np.float64) + 0.25 * line[:-1]
    np.testing.assert_allclose(got[1:], expected, rtol=0, atol=1e-6)
    assert got[0] == line[0]


@given(length=st.integers(1, 40), shifts=st.lists(st.integers(-200, 200), min_size=1, max_size=5))
@settings(max_examples=30, deadline=None)
def test_roll(length, shifts):
    spectra = torch.rand(len(shifts), length, generator=torch.Generator().manual_seed(length))
    got = roll(spectra, torch.tensor(shifts))
    for line, shift, result in zip(spectra.numpy(), shifts, got.numpy(), strict=True):
        assert np.array_equal(result, np.roll(line, shift))


def test_rolls_reach_both_ends_of_their_range():
    rows = list(range(200))
    got = apply({"roll_bins": 3} | OFF, make_batch(rows))["spectra"].numpy()
    draws = drawn(integers, Stream.ROLL, rows, 1, 7)[:, 0] - 3
    assert set(draws) == set(range(-3, 4))
    for row, shift, result in zip(make_batch(rows)["spectra"].numpy(), draws, got, strict=True):
        assert np.array_equal(result, np.roll(row, shift))


@pytest.mark.parametrize("low", [0.0, -1.0])
@pytest.mark.parametrize(
    ("name", "field", "stream"),
    [
        ("spectrum_noise", "spectra", Stream.SPECTRUM_NOISE),
        ("map_noise", "maps", Stream.MAP_NOISE),
    ],
)
def test_noise_is_added_and_clipped(name, field, stream, low):
    batch = make_batch(ROWS, low=low)
    got = apply({name: 0.3} | OFF, batch, low=low)[field].numpy()
    values = batch[field].numpy()
    noise = drawn(normal, stream, ROWS, values[0].size).reshape(values.shape)
    expected = np.clip(values + np.float64(0.3 * (1 - low)) * noise, low, 1)
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-6)
    assert got.min() == low
    assert got.max() == 1


@pytest.mark.parametrize("low", [0.0, -1.0])
def test_minmax(low):
    spectra = torch.rand(6, 37, generator=torch.Generator().manual_seed(3)) * 0.7 - 0.2
    spectra[2] = 0.25
    got = minmax(spectra, low).numpy()
    lines = spectra.numpy().astype(np.float64)
    least, most = lines.min(axis=1, keepdims=True), lines.max(axis=1, keepdims=True)
    expected = low + (1 - low) * (lines - least) / (most - least + 1e-12)
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-6)
    assert got.min() == low
    assert got.max() == 1


def test_standardise():
    assert standardise(torch.tensor([0.0, 0.25, 0.5, 1.0])).tolist() == [-1.0, -0.5, 0.0, 1.0]


def test_without_training_only_what_is_not_random_is_done():
    batch = make_batch(ROWS)
    done = apply(EVERYTHING, batch, train=False)
    assert torch.equal(done["spectra"], standardise(minmax(batch["spectra"])))
    assert torch.equal(done["maps"], standardise(batch["maps"]))
    symmetric = make_batch(ROWS, low=-1.0)
    done = apply({}, symmetric, train=False, low=-1.0)
    assert torch.equal(done["spectra"], symmetric["spectra"])


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
@pytest.mark.parametrize("chosen", [{}, OFF, EVERYTHING], ids=["default", "off", "everything"])
def test_the_input_is_left_as_it_is(chosen, dtype, train):
    batch, same = make_batch(ROWS, dtype), make_batch(ROWS, dtype)
    done = apply(chosen, batch, train=train)
    assert batch.keys() == same.keys()
    assert done.keys() - batch.keys() <= {"measured"}
    assert all(torch.equal(batch[name], same[name]) for name in same)
    assert done["label"] is batch["label"]
    assert {done[name].dtype for name in ("spectra", "maps")} == {torch.float32}
    assert {done[name].shape for name in ("spectra", "maps")} == {(12, 37), (12, 2, 9, 9)}


def test_fields_that_are_no_input_are_handed_on():
    batch = make_batch(ROWS, torch.float16)
    done = Transforms(TransformConfig(), SEED, {"spectra": (37,)})(batch, EPOCH, True)
    assert done["maps"] is batch["maps"]


@given(
    rows=st.lists(st.integers(0, 500), min_size=1, max_size=9),
    data=st.data(),
    low=st.sampled_from([0.0, -1.0]),
)
@settings(max_examples=25, deadline=None)
def test_a_row_is_the_same_alone_and_in_company(rows, data, low):
    transforms = Transforms(TransformConfig(**EVERYTHING), SEED, SHAPES, low)
    together = transforms(make_batch(rows, torch.float16, low), EPOCH, True)
    place = data.draw(st.integers(0, len(rows) - 1))
    alone = transforms(make_batch([rows[place]], torch.float16, low), EPOCH, True)
    for name in ("spectra", "maps"):
        assert torch.equal(together[name][place], alone[name][0])


@pytest.mark.parametrize("numbers_at_once", [1, 300, 1 << 18])
def test_it_does_not_matter_how_many_rows_are_done_at_once(monkeypatch, numbers_at_once):
    whole = apply(EVERYTHING, make_batch(ROWS, torch.float16))
    monkeypatch.setattr("ters_train.data.transforms._NUMBERS_AT_ONCE", numbers_at_once)
    parts = apply(EVERYTHING, make_batch(ROWS, torch.float16))
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_a_large_batch_is_its_parts():
    # large enough for several threads to share each operation
    shapes = {"spectra": (1001,), "maps": (1, 33, 33)}
    transforms = Transforms(TransformConfig(**EVERYTHING), SEED, shapes)
    generator = torch.Generator().manual_seed(0)
    batch = {
        "spectra": torch.rand(40, 1001, generator=generator),
        "maps": torch.rand(40, 1, 33, 33, generator=generator),
        "row": torch.arange(40),
    }
    whole = transforms(batch, EPOCH, True)
    for part in (slice(0, 1), slice(1, 4), slice(4, 40)):
        done = transforms({name: value[part] for name, value in batch.items()}, EPOCH, True)
        for name in ("spectra", "maps"):
            assert torch.equal(done[name], whole[name][part]), (name, part)


@pytest.mark.parametrize(("field", "name"), [
    ("maps", "flip_rows"), ("maps", "quarter_turns"), ("maps", "blur_px"),
    ("spectra", "shift_bins"), ("spectra", "stretch"), ("spectra", "roll_bins"),
])  # fmt: skip
def test_switching_one_on_changes_no_other(field, name):
    """The noise that is added is the same with and without what comes before it."""
    noise = {"spectra": "spectrum_noise", "maps": "map_noise"}[field]
    batch = make_batch(ROWS)
    batch[field] = torch.full_like(batch[field], 0.5)  # which shifts, turns and blurs leave
    both = apply({name: EVERYTHING[name], noise: 0.01} | OFF, batch)
    alone = apply({noise: 0.01} | OFF, batch)[field]
    if field == "spectra":  # what is moved in from beyond the axis has no noise
        alone = torch.where(both["measured"] == 1, alone, 0.5)
    torch.testing.assert_close(both[field], alone, rtol=0, atol=3e-7)


def test_what_was_measured_moves_with_the_spectrum():
    batch = make_batch(ROWS)
    batch["spectra"] = torch.ones_like(batch["spectra"])
    batch["spectra"][:, :12] = 0.0  # marks what was not measured
    batch["measured"] = batch["spectra"].clone()
    rolled = apply({"roll_bins": 5} | OFF, batch)
    assert torch.equal(rolled["measured"], rolled["spectra"])
    moved = apply({"shift_bins": 4.0, "stretch": 0.01} | OFF, batch)
    inside = moved["measured"] == 1
    assert (moved["spectra"][inside] == 1).all()
    assert 0 < (moved["spectra"][~inside] == 1).sum() < 5 * len(ROWS)  # in from beyond the axis


def test_seed_and_epoch_enter():
    batch = make_batch(ROWS)
    config = TransformConfig(spectrum_noise=0.1)
    first = Transforms(config, 1, SHAPES)(batch, 0, True)["spectra"]
    assert not torch.equal(first, Transforms(config, 2, SHAPES)(batch, 0, True)["spectra"])
    assert not torch.equal(first, Transforms(config, 1, SHAPES)(batch, 1, True)["spectra"])
    assert torch.equal(first, Transforms(config, 1, SHAPES)(batch, 0, True)["spectra"])


@pytest.mark.parametrize(
    ("chosen", "shapes", "message"),
    [
        ({"quarter_turns": True}, {"maps": (1, 8, 10)}, r"quarter_turns: expected square.* 8 x 10"),
        ({"blur_px": 11.0}, {"maps": (1, 8, 10)}, r"blur_px: expected at most the 10 pixels"),
        ({"roll_bins": 37}, SHAPES, r"roll_bins: expected less than the 37 points"),
        ({"shift_bins": 40.5}, SHAPES, r"shift_bins: expected less than the 37 points.* 40.5"),
        ({"map_noise": 0.1}, {"spectra": (37,)}, r"map_noise: expected maps among .*got spectra"),
        ({"stretch": 0.1}, {"maps": (1, 8, 8)}, r"stretch: expected spectra among .*got maps"),
    ],
)
def test_transforms_that_do_not_fit(chosen, shapes, message):
    with pytest.raises(ConfigError, match=message):
        Transforms(TransformConfig(**chosen), 0, shapes)


def test_a_range_that_no_dataset_has():
    with pytest.raises(ConfigError, match=r"lower end of -0\.5"):
        Transforms(TransformConfig(), 0, SHAPES, -0.5)
