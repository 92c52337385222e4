"""Datasets read by URL: the same values, versions, splits and errors as from a disk."""

import multiprocessing
import pickle
import shutil
import sys

import numpy as np
import pytest

import tersgen
from tersgen.cli import main
from tersgen.dataset import cache
from tersgen.errors import ConfigError, DatasetError, MissingExtraError
from tersgen.jobs.push import push
from tersgen.store import remote

from .servers import TOKEN


def assert_same(one, other):
    assert list(one.fields) == list(other.fields)
    for name in one.fields:
        np.testing.assert_array_equal(one[name][:], other[name][:])
    np.testing.assert_array_equal(one.rows_in("val"), other.rows_in("val"))


@pytest.fixture(scope="module")
def url(s3, stored):
    with pytest.MonkeyPatch.context() as patch:
        for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "REGION"):
            patch.setenv(f"AWS_{name}", "us-east-1")
        patch.setenv("AWS_ENDPOINT_URL", s3.url)
        push(stored["zarr"], "s3://bucket/tiny.zarr")
    return "s3://bucket/tiny.zarr"


@pytest.fixture
def served(web, stored, monkeypatch):
    root, proxy = web
    proxy.begin()
    for path in (stored["zarr"], stored["h5"].with_name("tiny.h5.d")):
        shutil.copytree(path, root / path.name, dirs_exist_ok=True)
    shutil.copy(stored["h5"], root / "tiny.h5")
    monkeypatch.delenv("TERSGEN_CACHE", raising=False)
    monkeypatch.delenv("TERSGEN_TOKEN", raising=False)
    return proxy


def test_rows_from_s3_are_those_on_disk(store, url, stored):
    there, local = tersgen.open(url), tersgen.open(stored["zarr"])
    assert str(there.path) == url
    assert_same(there, local)
    rows = np.array([599, 0, 130, 130, 31, 64])
    np.testing.assert_array_equal(there["spectra"][rows], local["spectra"][rows])
    assert there.sample(-1)["species"] == local.sample(-1)["species"]
    assert there.library == local.library


@pytest.mark.parametrize("name", ["tiny.zarr", "tiny.h5"])
def test_rows_from_a_web_server_are_those_on_disk(served, stored, name):
    local = tersgen.open(stored[name.rpartition(".")[2]])
    assert_same(tersgen.open(f"{served.url}/{name}", token=TOKEN), local)


def test_versions_are_opened_by_tag_and_id(store, url, stored):
    first = tersgen.open(stored["zarr"]).manifest.parent
    assert tersgen.open(f"{url}@v1").digest == tersgen.open(url).digest
    assert tersgen.open(f"{url}@{first[:8]}").splits == {}
    with pytest.raises(DatasetError, match=r"expected a tag \(v1\) or the beginning"):
        tersgen.open(f"{url}@v2")


def test_a_web_server_lists_nothing_and_versions_are_opened_all_the_same(served, stored):
    url, first = f"{served.url}/tiny.zarr", tersgen.open(stored["zarr"]).manifest.parent
    assert tersgen.open(f"{url}@v1", token=TOKEN).splits
    assert tersgen.open(f"{url}@{first[:8]}", token=TOKEN).splits == {}


def test_the_token_comes_from_the_environment_and_is_asked_for(served, monkeypatch):
    url = f"{served.url}/tiny.zarr"
    with pytest.raises(DatasetError, match="TERSGEN_TOKEN") as caught:
        tersgen.open(url)
    assert "\n" not in str(caught.value)
    monkeypatch.setenv("TERSGEN_TOKEN", TOKEN)
    dataset = tersgen.open(url)
    assert TOKEN not in repr(dataset) + str(pickle.dumps(dataset))


def test_a_pickle_is_opened_again_by_its_url(store, url):
    again = pickle.loads(pickle.dumps(tersgen.open(url)["label"]))
    np.testing.assert_array_equal(again[:], tersgen.open(url)["label"][:])


def test_blocks_are_those_on_disk(store, url, stored):
    from tersgen.dataset.sources import Copies, ReadTimes

    take = np.array([3, 40, 41, 100, 199])
    found = []
    for dataset in (tersgen.open(url), tersgen.open(stored["zarr"])):
        fields = dataset.fields
        out = {name: np.zeros((5, one.spec.value_bytes), np.uint8) for name, one in fields.items()}
        source = dataset.blocks(fields)
        source.read_into(60, [Copies(take, out, np.arange(5))], ReadTimes())
        found.append(out)
    for name, rows in found[0].items():
        np.testing.assert_array_equal(rows, found[1][name])


def test_neighbours_come_in_one_request_and_a_chunk_once(store, url, monkeypatch):
    monkeypatch.setattr(remote, "_TAIL", 2048)
    monkeypatch.setattr(remote, "_SMALL", 0)
    monkeypatch.setattr(cache, "_MOST_CHUNKS", 1)
    dataset = tersgen.open(url)
    dataset["maps"][:1]
    store.begin()
    dataset["maps"][:128]  # four chunks, one of which was read
    assert len(store.asked) == 1
    store.begin()
    dataset["maps"][140]
    dataset["maps"][141]
    assert len(store.asked) == 1


def test_what_is_not_there_is_said_in_one_line(store, served, capsys, monkeypatch):
    for url in ("s3://bucket/none.zarr", "s3://no-bucket/x.zarr", f"{served.url}/none.zarr"):
        with pytest.raises(DatasetError, match=r"no manifest\.json there"):
            tersgen.open(url, token=TOKEN)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(SystemExit) as caught:
        main(["info", "s3://bucket/tiny.zarr"])
    assert caught.value.code == 1
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert said[0].startswith("Error: s3://bucket/tiny.zarr/manifest.json: ")


@pytest.mark.parametrize(
    "arguments",
    [
        ["split", "{}"],
        ["tag", "{}", "v2"],
        ["repair", "{}"],
        ["extend", "{}", "--to", "400"],
        ["convert", "{}", "s3://bucket/other.zarr"],
        ["info", "--build", "{}"],
    ],
)
def test_what_writes_wants_a_dataset_on_this_machine(store, url, arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main([one.format(url) for one in arguments])
    assert caught.value.code == 2
    assert "got a URL, which is only read" in capsys.readouterr().err


def test_a_missing_extra_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'tersgen\[remote\]'"):
        tersgen.open("s3://bucket/x.zarr")


def test_a_url_is_no_local_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s3:" / "bucket").mkdir(parents=True)
    (tmp_path / "s3:" / "bucket" / "recipe.toml").write_text("seed = 1")
    with pytest.raises(ConfigError, match="expected a local file or folder, got a URL"):
        tersgen.load_recipe("s3://bucket/recipe.toml")


def test_a_url_of_another_kind(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["info", "ftp://host/x.zarr"])
    assert caught.value.code in (1, 2)
    assert "a URL of s3, gs, az, http, https, got one of ftp" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["info", "verify", "log"])
def test_commands_read_urls(store, url, command, capsys):
    with pytest.raises(SystemExit) as caught:
        main([command, url])
    assert caught.value.code == 0, capsys.readouterr().err
    assert capsys.readouterr().out


def test_verify_reads_every_value_of_a_web_server(served, capsys, monkeypatch):
    monkeypatch.setenv("TERSGEN_TOKEN", TOKEN)
    for name in ("tiny.zarr", "tiny.h5"):
        with pytest.raises(SystemExit) as caught:
            main(["verify", f"{served.url}/{name}"])
        assert caught.value.code == 0, capsys.readouterr().out


def _read_label(dataset, queue):
    try:
        queue.put(dataset["label"][:].sum())
    except BaseException as error:  # noqa: BLE001 - of Rust, too
        queue.put(str(error))


def test_a_fork_of_a_reader_gets_an_error_not_a_hang(store, url):
    dataset = tersgen.open(url)
    dataset["label"][0]
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    process = context.Process(target=_read_label, args=(dataset, queue), daemon=True)
    process.start()
    process.join(30)
    assert process.exitcode == 0
    assert "forked" in str(queue.get())
