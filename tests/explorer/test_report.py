"""A dataset as one page: ``tersgen report``."""

import base64
import gzip
import json
import re

import numpy as np
import pytest
from click import ClickException

import tersgen
from tersgen.errors import ConfigError
from tersgen.serve.report import make_report

from .conftest import RECIPES, command


@pytest.mark.browser
def test_a_report_needs_nothing_else(tab, datasets, tmp_path, opened):
    out = tmp_path / "cube.html"
    command("report", str(datasets / "cube.zarr"), "-o", str(out), "--n", "5")
    dataset, url = opened("cube"), out.as_uri()
    page = tab.show(f"{url}#/gallery?species=benzene")
    assert page.locator(".card-link").count() > 0
    page = tab.show(f"{url}#/sample?row=4&ideal=1")
    shown = json.loads(tab.downloaded("Row (JSON)"))
    assert shown["row"] == 39
    for name, values in shown["fields"].items():
        expected = np.ravel(dataset[name][39]).astype(np.float64)
        assert np.array_equal(np.array(values["values"], np.float64), expected), name
    page.get_by_text("Ideal: no noise, no instrument").wait_for()
    plotted = tab.downloaded("Spectrum of the sample as CSV").splitlines()
    assert plotted[0].endswith("recorded,ideal")
    words = RECIPES["cube"].replace("realistic", "realistic --preset ideal").split()
    command("build", "--out", str(tmp_path / "ideal.zarr"), *words)
    ideal = tersgen.open(tmp_path / "ideal.zarr")["spectra"][39]
    assert np.array_equal([float(line.split(",")[2]) for line in plotted[1:]], ideal)
    assert set(tab.requests) <= {url, "about:blank"} | {
        one for one in tab.requests if one.startswith("blob:")
    }


def test_images_that_are_drawn_on_reading_are_in_it(tmp_path):
    path, out = tmp_path / "drawn.zarr", tmp_path / "drawn.html"
    options = "--preset structure --set map.height=48 --set map.width=48 --library sites:water"
    command("build", "--n", "8", "--out", str(path), *options.split())
    assert tersgen.open(path).contents.computed
    command("report", str(path), "-o", str(out))
    packed = re.search(r'id="embedded"[^>]*>([^<]*)<', out.read_text()).group(1)
    content = json.loads(gzip.decompress(base64.b64decode(packed)))
    assert {*content["fields"]} == {one["name"] for one in content["manifest"]["fields"]}
    masks = np.frombuffer(base64.b64decode(content["fields"]["structure/masks"]), np.float16)
    assert np.array_equal(masks, tersgen.open(path)["structure/masks"][:].ravel())


def test_rows_that_are_not_there_are_refused(tmp_path):
    path = tmp_path / "tiny.zarr"
    options = "--library random:2 --set fields.maps=false --set grid.n_points=64"
    options += " --set lineshape.fwhm_cm1=90"
    command("build", "--n", "8", "--out", str(path), *options.split())
    dataset = tersgen.open(path)
    with pytest.raises(ConfigError, match="expected 1 to 8, the rows of the dataset, got 9"):
        make_report(dataset, 9)
    assert make_report(dataset, 8) == make_report(dataset)  # the same bytes each time
    with pytest.raises(ClickException, match=r"expected a name that ends in \.html"):
        command("report", str(path), "-o", str(tmp_path / "page.pdf"))


def test_a_report_has_the_arrays_that_are_drawn(tmp_path):
    table = {
        "library": ["builtin:ammonia"],
        "nearfield": {},
        "structure": {"store_images": False},
    }
    dataset = tersgen.build(table, 4, tmp_path / "drawn.zarr", threads=1)
    packed = re.search(rb'type="application/gzip">([^<]+)<', make_report(dataset))
    content = json.loads(gzip.decompress(base64.b64decode(packed[1])))
    assert {one["name"] for one in content["manifest"]["fields"]} >= {*dataset.fields}
    bonds = np.frombuffer(base64.b64decode(content["fields"]["structure/bonds"]), "<f2")
    assert np.array_equal(bonds, dataset["structure/bonds"][:].ravel())
