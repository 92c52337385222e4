"""Measured files read by URL: what a file on this machine gives, under the name of its URL."""

import gc
import os
import pickle
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest

import tersgen
from tersgen.cli import main
from tersgen.dataset import downloads
from tersgen.dataset.downloads import with_local_copy
from tersgen.errors import MeasurementError
from tersgen.urls import as_path

from .servers import TOKEN


def spectrum(path, centre):
    path.parent.mkdir(parents=True, exist_ok=True)
    shift = np.linspace(200, 1800, 200)
    values = 100 + 50 * np.exp(-(((shift - centre) / 12) ** 2))
    lines = [f"{x:.1f}\t{y:.4f}" for x, y in zip(shift, values, strict=True)]
    path.write_text("Raman shift (cm-1)\tIntensity\n" + "\n".join(lines))


@pytest.fixture
def served(web, monkeypatch, tmp_path):
    """The URL of a web server with two spectra of the same name, and its proxy."""
    monkeypatch.setenv("TERSGEN_TOKEN", TOKEN)
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    root, proxy = web
    proxy.begin()
    spectrum(root / "spectra" / "benzene" / "a.txt", 992)
    spectrum(root / "spectra" / "toluene" / "a.txt", 1004)
    (root / "labels.csv").write_text("file,label\nbenzene/a.txt,B\ntoluene/a.txt,T\n")
    yield proxy, root
    gc.collect()
    assert not list(temporary.iterdir())  # copies are removed when nobody has them any more


def run(words):
    with pytest.raises(SystemExit) as caught:
        main(words)
    return caught.value.code


def test_a_folder_by_url_is_refused():
    with pytest.raises(MeasurementError, match="got that of a folder or dataset; name its files"):
        tersgen.ingest(["http://127.0.0.1:9/spectra"], "unused.zarr", label="x")


def test_spectra_by_url_are_ingested_like_those_on_the_disk(served, tmp_path, capsys):
    proxy, root = served
    urls = [f"{proxy.url}/spectra/{name}/a.txt" for name in ("benzene", "toluene")]
    assert run(["ingest", *urls, "--label-from", "folder", "--out", str(tmp_path / "a.zarr")]) == 0
    local = tersgen.ingest(root / "spectra", tmp_path / "b.zarr", label_from="folder")
    found = tersgen.open(tmp_path / "a.zarr")
    assert found.classes == ("benzene", "toluene")
    assert found.digest == local.digest
    assert [one.name for one in found.basis.files] == ["benzene/a.txt", "toluene/a.txt"]
    labels = f"{proxy.url}/labels.csv?download=1"
    last = tersgen.ingest([f"{url}?secret=x" for url in urls], tmp_path / "c.zarr", labels=labels)
    assert last.classes == ("B", "T")
    assert "secret" not in capsys.readouterr().err
    assert [one.path for one in proxy.asked if one.method == "GET"][-1].endswith("?secret=x")


def test_a_spectrum_by_url_is_drawn_and_inspected(served, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    proxy, _ = served
    url = f"{proxy.url}/spectra/benzene/a.txt"
    out = tmp_path / "a.png"
    assert run(["plot", url, "--over", url.replace("benzene", "toluene"), "-o", str(out)]) == 0
    assert out.stat().st_size
    assert run(["inspect", url]) == 0
    assert "a.txt: text of two columns" in capsys.readouterr().out


def test_a_spectrum_by_url_is_predicted(served, tmp_path):
    pytest.importorskip("torch")
    from ters_train.prediction.sources import find_sources

    proxy, root = served
    url = f"{proxy.url}/spectra/benzene/a.txt"
    (path,) = find_sources([url])
    assert str(path) == url
    for one in (path, pickle.loads(pickle.dumps(path))):  # also in processes that read files
        (read,) = tersgen.measured.reading.read_spectra(one)
        (local,) = tersgen.measured.reading.read_spectra(root / "spectra" / "benzene" / "a.txt")
        np.testing.assert_array_equal(read.intensity, local.intensity)


def test_what_cannot_be_read_is_one_line(served, monkeypatch):
    proxy, root = served
    with pytest.raises(MeasurementError, match=r"nothing\.txt: the file is missing; check the URL"):
        with_local_copy(as_path(f"{proxy.url}/nothing.txt"))
    (root / "large.txt").write_bytes(bytes((1 << 20) + 1))
    monkeypatch.setattr(downloads, "LARGEST", 1 << 20)
    with pytest.raises(MeasurementError, match=r"large\.txt: expected at most 1 MiB, got 1048577"):
        with_local_copy(as_path(f"{proxy.url}/large.txt"))


def test_copies_stay_in_their_folder(served):
    proxy, root = served
    spectrum(root / "b c.txt", 800)
    path = with_local_copy(as_path(f"{proxy.url}/spectra/../b%20c.txt"))
    assert path.name == "b c.txt"
    assert Path(tempfile.gettempdir()) in Path(os.fspath(path)).resolve().parents


def test_the_index_of_a_dataset_is_no_measured_file(served, stored):
    proxy, root = served
    for path in (stored["h5"], stored["h5"].with_name("tiny.h5.d")):
        copy = shutil.copytree if path.is_dir() else shutil.copy
        copy(path, root / "spectra" / path.name)
    for name in ("tiny.h5", "tiny.h5@v1", "tiny.zarr"):
        url = as_path(f"{proxy.url}/spectra/{name}")
        assert with_local_copy(url) is url


def test_a_file_in_a_bucket(store, tmp_path):
    import obstore
    from obstore.store import from_url

    spectrum(tmp_path / "a.txt", 992)
    bucket = from_url("s3://bucket", client_options={"allow_http": True})
    obstore.put(bucket, "spectra/a.txt", tmp_path / "a.txt")
    copy = with_local_copy(as_path("s3://bucket/spectra/a.txt"))
    assert copy.read_bytes() == (tmp_path / "a.txt").read_bytes()
    assert str(copy) == "s3://bucket/spectra/a.txt"
