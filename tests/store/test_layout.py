import pytest

from tersgen.effects.chain import field_table
from tersgen.recipe import Recipe
from tersgen.store.layout import choose_layout, leaf_rows

FIELDS = {"n_modes": 32, "precision": "float16"}
CANONICAL = field_table(Recipe(fields=FIELDS))
CUBES = field_table(Recipe(fields=FIELDS, map={"height": 128, "width": 128, "channels": 160}))


@pytest.mark.parametrize(
    ("table", "n_samples", "chunk_rows", "shard_rows"),
    [
        (CANONICAL, 100_000, 256, 4096),
        (CANONICAL, 10_000_000, 256, 16384),
        (CUBES, 100_000, 1, 8),
    ],
)
def test_rows_follow_from_the_bytes_of_a_row(table, n_samples, chunk_rows, shard_rows):
    layout = choose_layout(table, n_samples)
    assert (layout.chunk_rows, layout.shard_rows) == (chunk_rows, shard_rows)


def test_the_leaf_does_not_depend_on_the_layout():
    assert leaf_rows(CANONICAL) == 256
    assert choose_layout(CANONICAL, 1000, chunk_rows=32, shard_rows=512).shard_rows == 512


@pytest.mark.parametrize("precision", ["uint8", "uint12"])
@pytest.mark.parametrize("side", [64, 100, 512])
def test_the_leaf_of_fixed_point_rows_is_that_of_float16(precision, side):
    one, other = (
        field_table(
            Recipe(fields={**FIELDS, "precision": kind}, map={"height": side, "width": side})
        )
        for kind in (precision, "float16")
    )
    assert leaf_rows(one) == leaf_rows(other)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"chunk_rows": 100}, "chunk rows: expected a power of two, got 100; try 64"),
        ({"shard_rows": 5000}, "shard rows: expected a power of two, got 5000; try 4096"),
        ({"shard_rows": 128}, "shard rows: expected at least 256, got 128"),
        ({"chunk_rows": 1024, "shard_rows": 512}, "shard rows: expected at least 1024, got 512"),
    ],
)
def test_rows_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        choose_layout(CANONICAL, 1000, **options)
