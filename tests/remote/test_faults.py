"""What goes wrong on the way: lost answers, 503, slow and torn bodies, files that change."""

import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

import tersgen
from tersgen.dataset import cache
from tersgen.dataset.sources import Copies, ReadTimes
from tersgen.errors import DamagedDataError, DatasetError
from tersgen.jobs.plan import make_plan
from tersgen.jobs.push import push
from tersgen.jobs.run import run
from tersgen.store import blocks, remote

from .servers import TOKEN, some


@pytest.fixture
def url(store, stored, monkeypatch):
    monkeypatch.setattr(remote, "_TAIL", 2048)  # or all of a tiny file comes as it is opened
    monkeypatch.setattr(remote, "_SMALL", 0)
    monkeypatch.setattr(cache, "_MOST_CHUNKS", 1)
    if "url" not in store.__dict__.setdefault("pushed", {}):
        push(stored["zarr"], "s3://bucket/faults.zarr")
        store.pushed["url"] = "s3://bucket/faults.zarr"
    store.begin()
    return store.pushed["url"]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def everything(dataset):
    return {name: dataset[name][:] for name in dataset.fields}


@pytest.mark.exhaustive
@pytest.mark.parametrize("fault", ["503", "lost", "torn", "slow"])
def test_what_goes_wrong_now_and_then_changes_no_value(store, url, stored, fault):
    store.rule = some(fault, 4)
    found = everything(tersgen.open(url))
    store.begin()
    for name, values in everything(tersgen.open(stored["zarr"])).items():
        np.testing.assert_array_equal(found[name], values)


@pytest.mark.parametrize(
    ("fault", "said"), [("503", "503"), ("torn", "body error"), ("lost", "error sending")]
)
def test_what_goes_wrong_always_is_said_in_one_line(store, url, fault, said):
    dataset = tersgen.open(url)
    store.rule = lambda asked: fault if "/maps/" in asked.path else None
    with pytest.raises(DatasetError, match=said) as caught:
        dataset["maps"][3]
    text = str(caught.value)
    assert not isinstance(caught.value, DamagedDataError)  # nothing is wrong with the dataset
    assert text.startswith(f"{url}/maps/c.0.0.0.0: cannot be read: ")
    assert "\n" not in text
    assert len(text) < 600
    assert len(store.asked) < 40  # the tries have a bound


def test_a_web_server_without_ranges_is_refused_in_one_line(stored):
    folder = str(stored["zarr"].parent)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/tiny.zarr"
        with pytest.raises(DatasetError, match="answers requests for ranges") as caught:
            tersgen.open(url)
        server.shutdown()
    assert not isinstance(caught.value, DamagedDataError)
    assert str(caught.value).count("cannot be read") == 1


def test_a_flipped_bit_on_the_way_is_found(store, url):
    dataset = tersgen.open(url)
    dataset["maps"][0]
    store.rule = lambda asked: "flipped" if "/maps/" in asked.path else None
    with pytest.raises(DamagedDataError, match="maps, rows 64 to 95"):
        dataset["maps"][70]


@pytest.fixture
def served(web, stored, tiny_recipe, tmp_path, monkeypatch):
    """A dataset on a web server, and another of the same name and form to take its place."""
    root, proxy = web
    proxy.begin()
    monkeypatch.setattr(remote, "_SMALL", 0)
    monkeypatch.setattr(cache, "_MOST_CHUNKS", 1)
    monkeypatch.setattr(blocks, "_SMALL_REMOTE", 0)  # or the shard is kept after the first row
    path = root / tmp_path.name / "x.zarr"
    shutil.copytree(stored["zarr"], path)
    other = tmp_path / "other.zarr"
    recipe = tersgen.resolve(tiny_recipe.model_copy(update={"seed": 12}))
    run(make_plan(recipe, 600, chunk_rows=32, shard_rows=256), other)
    return f"{proxy.url}/{tmp_path.name}/x.zarr", path, other


def _exchange(path, other):
    for name in ("maps/c.0.0.0.0", "maps/c.1.0.0.0"):
        shutil.copy(other / name, path / name)


def test_a_file_that_changes_is_an_error_and_no_mix(served):
    url, path, other = served
    dataset = tersgen.open(url, token=TOKEN)
    dataset["maps"][0]
    _exchange(path, other)
    with pytest.raises(DamagedDataError, match=r"after it was opened; open the dataset again$"):
        dataset["maps"][100]
    with pytest.raises(DamagedDataError, match="the file is of another dataset"):
        dataset["maps"][100]


def test_a_stream_stops_at_a_file_that_changes(served):
    url, path, other = served
    dataset = tersgen.open(url, token=TOKEN)
    out = {"maps": np.zeros((1, dataset["maps"].spec.row_bytes), np.uint8)}
    copies = [Copies(np.array([0]), out, np.array([0]))]
    source = dataset.blocks(["maps"])
    source.read_into(0, copies, ReadTimes())
    _exchange(path, other)
    with pytest.raises(DamagedDataError, match="another dataset"):
        source.read_into(100, copies, ReadTimes())


def test_a_file_that_is_repaired_is_read_again(served):
    url, path, _ = served
    dataset = tersgen.open(url, token=TOKEN)
    source, row_bytes = dataset.blocks(["maps"]), dataset["maps"].spec.row_bytes
    out = {"maps": np.zeros((1, row_bytes), np.uint8)}
    copies = [Copies(np.array([0]), out, np.array([0]))]
    source.read_into(0, copies, ReadTimes())
    shard = path / "maps/c.0.0.0.0"
    content = shard.read_bytes()
    shard.unlink()
    shard.write_bytes(content)
    source.read_into(100, copies, ReadTimes())
    np.testing.assert_array_equal(out["maps"][0], dataset["maps"][100].reshape(-1).view(np.uint8))
