"""Rows of bytes copied: short and long ones, aligned or not."""

import numpy as np
import pytest

from tersgen.numeric.rows import copy_rows


@pytest.mark.parametrize("row_bytes", [1, 4, 80, 511, 512, 516, 1152, 8192])
@pytest.mark.parametrize("offset", [0, 3])
def test_rows_come_to_their_places_and_no_others_change(row_bytes, offset):
    rng = np.random.default_rng(row_bytes)
    memory = rng.integers(0, 256, offset + 40 * row_bytes, np.uint8)
    source = memory[offset:].reshape(40, row_bytes)
    room = rng.integers(0, 256, offset + 60 * row_bytes, np.uint8)
    target = room[offset:].reshape(60, row_bytes)
    take, put = np.sort(rng.choice(40, 25, replace=False)), rng.permutation(60)[:25]
    wanted = target.copy()
    wanted[put] = source[take]
    copy_rows(source, take, target, put)
    np.testing.assert_array_equal(target, wanted)
