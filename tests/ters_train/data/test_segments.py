"""Memory is used again only when nobody has a batch of it."""

import gc

import numpy as np

from ters_train.data.segments import Pool, RowSpec, views

SPECS = [
    RowSpec("spectra", (5,), np.dtype(np.float16)),
    RowSpec("label", (), np.dtype(np.int32)),
    RowSpec("row", (), np.dtype(np.int64)),
]


def test_a_segment_is_used_again_when_its_batches_are_gone():
    pool = Pool(SPECS, 10)
    arrays = pool.take()
    batch = views(arrays, 2, 4)
    batch["spectra"].fill_(3.0)
    flat = batch["spectra"].view(-1)
    del arrays, batch
    gc.collect()
    other = pool.take()
    assert pool.n_made == 2
    other["spectra"].fill(7.0)
    assert flat.tolist() == [3.0] * 10
    del flat
    gc.collect()
    pool.take()
    assert pool.n_made == 2


def test_the_fields_of_a_segment_lie_apart():
    arrays = Pool(SPECS, 10).take()
    assert arrays["spectra"].shape == (10, 5)
    for number, values in enumerate(arrays.values()):
        values.fill(number)
    assert [float(values.min()) for values in arrays.values()] == [0, 1, 2]
    assert [float(values.max()) for values in arrays.values()] == [0, 1, 2]


def test_a_view_is_no_copy():
    arrays = Pool(SPECS, 4).take()
    arrays["label"].fill(0)
    views(arrays, 1, 3)["label"].fill_(9)
    assert arrays["label"].tolist() == [0, 9, 9, 0]
