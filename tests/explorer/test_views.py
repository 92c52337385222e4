"""What the page shows of datasets on a static host."""

import csv
import io
import json
import re
import shutil

import numpy as np
import pytest

from .conftest import BUNDLE, RECIPES, Tab
from .static_server import hosted

pytestmark = pytest.mark.browser


def columns(text: str) -> dict[str, np.ndarray]:
    """Return the columns of a CSV file by their heads."""
    head, *rows = csv.reader(io.StringIO(text))
    return {name: np.array([float(row[k]) for row in rows]) for k, name in enumerate(head)}


def pixel_at(page, row: int, column: int, shape: tuple[int, int]) -> None:
    """Click a pixel of the map, whose frame is that of mapview.ts."""
    canvas = page.locator("canvas.map").first
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    left, top, right, bottom = 54, 10, 86, 44
    side_x = (box["width"] - left - right) / shape[1]
    side_y = (box["height"] - top - bottom) / shape[0]
    at = {"x": left + (column + 0.5) * side_x, "y": top + (row + 0.5) * side_y}
    canvas.click(position=at)


@pytest.mark.parametrize("name", RECIPES)
def test_a_row_is_that_of_tersgen(tab, host, opened, name):
    dataset = opened(name)
    row = dataset.n_samples - 1
    tab.show(f"{host.url}/index.html?data=sets/{name}.zarr#/sample?row={row}")
    shown = json.loads(tab.downloaded("Row (JSON)"))
    expected = dataset.sample(row)
    assert shown["species"] == expected["species"]
    assert set(shown["fields"]) == {spec.name for spec in dataset.contents.fields}  # as stored
    for field, values in shown["fields"].items():
        flat = np.ravel(expected[field]).astype(np.float64)
        assert np.array_equal(np.array(values["values"], np.float64), flat), field


def test_a_clicked_pixel_shows_its_spectrum(tab, host, opened):
    cube = opened("cube")["cube"]
    page = tab.show(f"{host.url}/index.html?data=sets/cube.zarr#/sample?row=5")
    for row, column in ((0, 0), (7, 11), (11, 15)):
        pixel_at(page, row, column, cube.shape[1:3])
        plotted = columns(tab.downloaded("Spectrum of the pixel as CSV"))
        assert np.array_equal(plotted[f"pixel {row}, {column}"], cube[5, row, column])
    assert "pixel=11%2C15" in page.url


def test_a_band_shows_its_map(tab, host, opened):
    dataset = opened("cube")
    cube = dataset["cube"][5].astype(np.float32)
    axis = dataset.axes["shift_channel"].points()
    page = tab.show(f"{host.url}/index.html?data=sets/cube.zarr#/sample?row=5&band=900,1100")
    used = (axis >= 900) & (axis <= 1100)
    shown = columns(tab.downloaded("Map as CSV"))["intensity"]
    assert np.allclose(shown, cube[:, :, used].mean(axis=2).ravel(), atol=1e-6)

    over = page.locator(".u-over").first  # drag over the right half
    over.scroll_into_view_if_needed()
    box = over.bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.5, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.75, y, steps=4)
    page.mouse.up()
    low, high = (float(one.input_value()) for one in page.locator("input.band").all())
    span = axis[-1] - axis[0]
    assert low == pytest.approx(axis[0] + 0.5 * span, abs=0.02 * span)
    assert high == pytest.approx(axis[0] + 0.75 * span, abs=0.02 * span)
    shown = columns(tab.downloaded("Map as CSV"))["intensity"]
    used = (axis >= low) & (axis <= high)
    assert np.allclose(shown, cube[:, :, used].mean(axis=2).ravel(), atol=1e-6)


def test_the_keyboard_chooses_pixels_and_samples(tab, host):
    page = tab.show(f"{host.url}/index.html?data=sets/cube.zarr#/sample?row=5&pixel=3,4")
    page.locator("canvas.map").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.locator(".readout:has-text('row 4')").wait_for()
    assert "column 5" in page.locator(".readout").inner_text()
    assert page.locator("#announcer").inner_text() == page.locator(".readout").inner_text()
    page.locator("#main").focus()
    page.keyboard.press("ArrowRight")
    page.get_by_text("sample 6 of", exact=False).wait_for()


def test_the_overview_is_the_manifest(tab, host, opened):
    dataset = opened("spectra")
    page = tab.show(f"{host.url}/index.html?data=sets/spectra.zarr")
    text = page.locator("main").inner_text()
    for word in (dataset.digest, *dataset.classes, *dataset.fields, "train", "480"):
        assert word in text
    page.get_by_role("link", name="rows beside these").click()  # the version before the split
    page.get_by_role("heading", name="Two samples").wait_for()
    assert len(page.locator("canvas.map").all()) >= 2


def test_the_gallery_filters(tab, host, opened):
    dataset = opened("spectra")
    labels, shifts = dataset["label"][:], dataset["params/shift"][:]
    rows = np.arange(dataset.n_samples)
    part = rows[np.isin(rows, dataset.rows_in("val"))]
    cases = {
        "": rows,
        "species=water": rows[labels == dataset.classes.index("water")],
        "part=default:val": part,
        "by=params/shift&low=0.25&high=0.5": rows[(shifts >= 0.25) & (shifts <= 0.5)],
        "species=water&by=params/shift&low=0.5": rows[
            (labels == dataset.classes.index("water")) & (shifts >= 0.5)
        ],
    }
    for query, expected in cases.items():
        assert len(expected)
        page = tab.show(f"{host.url}/index.html?data=sets/spectra.zarr#/gallery?{query}")
        links = [one.get_attribute("href") for one in page.locator(".card-link").all()]
        assert [int(link.partition("row=")[2]) for link in links] == expected[:24].tolist()
    page.get_by_label("species").select_option("pyridine")
    page.get_by_label("SNR at least").fill("5")
    page.get_by_label("SNR at least").press("Enter")
    expect = pytest.importorskip("playwright.sync_api").expect
    expect(page).to_have_url(re.compile("snr=5"))
    expect(page.locator("[role=status]")).not_to_contain_text("reading")
    expect(page.locator(".card-name").first).to_have_text("pyridine")
    names = {one.inner_text() for one in page.locator(".card-name").all()}
    assert names == {"pyridine"}


def test_atoms_from_the_species_are_those_of_the_row(tab, host):
    tables = []
    for name in ("structure", "geometry"):
        page = tab.show(f"{host.url}/index.html?data=sets/{name}.zarr#/sample?row=3")
        page.get_by_text("Table of atoms").click()
        rows = page.locator("table:has(caption:text-is('Atoms')) tbody tr").all()
        cells = [row.inner_text().split("\t") for row in rows]
        tables.append(sorted((symbol, *map(float, numbers)) for symbol, *numbers in cells))
    assert [row[0] for row in tables[0]] == [row[0] for row in tables[1]]
    numbers = [np.array([row[1:] for row in table]) for table in tables]
    assert np.allclose(*numbers, atol=2e-3)


@pytest.mark.parametrize("name", ["spectra", "cube"])
def test_sticks_have_the_irreps_of_their_modes(tab, host, opened, name):
    dataset = opened(name)
    for row in range(4):
        page = tab.show(f"{host.url}/index.html?data=sets/{name}.zarr#/sample?row={row}")
        page.get_by_text("Table of sticks").click()
        cells = page.locator("table:has(caption:text('sticks of')) tbody tr").all()
        shown = [cell.inner_text().split("\t") for cell in cells]
        species = dataset.species[int(dataset["label"][row])]
        shift = float(dataset["params/shift"][row])
        modes = iter(sorted(species.modes, key=lambda mode: mode.frequency_cm1))
        plain = str.maketrans(
            "\u2080\u2081\u2082\u2083\u2084\u2085\u2086\u2032\u2033", "0123456'\""
        )
        for position, _, irrep in shown:  # each is the next mode at about its place
            near = (mode for mode in modes if abs(mode.frequency_cm1 + shift - float(position)) < 8)
            assert next(near).irrep == irrep.translate(plain)


def test_few_requests_show_a_large_dataset(tab, tmp_path):
    from .conftest import command

    options = (
        "--library random:4 --set grid.n_points=128 --set lineshape.fwhm_cm1=60 "
        "--set fields.maps=false --n 100000"
    )
    command("build", "--out", str(tmp_path / "large.zarr"), *options.split())
    with hosted({"": BUNDLE, "sets": tmp_path}) as host:
        tab.show(f"{host.url}/index.html?data=sets/large.zarr")
        assert len(host.sent) <= 8
        assert sum(size for _, size in host.sent) < 300_000
        host.sent.clear()
        tab.show(f"{host.url}/index.html?data=sets/large.zarr#/gallery")
        assert len(host.sent) <= 14
        assert sum(size for _, size in host.sent) < 1_000_000


def test_a_host_without_ranges(tab, datasets, opened):
    with hosted({"": BUNDLE, "sets": datasets}, has_ranges=False) as host:
        tab.show(f"{host.url}/index.html?data=sets/cube.zarr#/sample?row=39")
        shown = json.loads(tab.downloaded("Row (JSON)"))["fields"]["cube"]["values"]
    assert np.array_equal(np.array(shown), opened("cube")["cube"][39].ravel())


def test_fixed_point_values_are_decoded(tab, datasets, tmp_path, opened):
    copy = tmp_path / "fixed.zarr"
    shutil.copytree(datasets / "plain.zarr", copy)
    root = json.loads((copy / "zarr.json").read_text())
    attributes = {"scale_factor": 0.5, "add_offset": 3.0, "_FillValue": 2}
    root["consolidated_metadata"]["metadata"]["label"]["attributes"].update(attributes)
    (copy / "zarr.json").write_text(json.dumps(root))
    labels = opened("plain")["label"][:]
    row = int(np.flatnonzero(labels == 4)[0])
    with hosted({"": BUNDLE, "sets": tmp_path}) as host:
        page = tab.show(f"{host.url}/index.html?data=sets/fixed.zarr#/sample?row={row}")
        assert json.loads(tab.downloaded("Row (JSON)"))["fields"]["label"]["values"] == [5.0]
        assert page.locator("h1").inner_text() == opened("plain").classes[5]


@pytest.mark.parametrize("kind", ["flipped", "missing", "absent"])
def test_damage_is_said_never_shown(browser, datasets, tmp_path, kind):
    shutil.copytree(datasets / "cube.zarr", tmp_path / "cube.zarr")
    shard = next((tmp_path / "cube.zarr" / "spectra").glob("c.0*"))
    if kind == "flipped":
        content = bytearray(shard.read_bytes())
        content[40] ^= 1
        shard.write_bytes(content)
    elif kind == "missing":
        shard.unlink()
    else:
        (tmp_path / "cube.zarr" / "manifest.json").unlink()
    tab = Tab(browser)
    with hosted({"": BUNDLE, "sets": tmp_path}) as host:
        page = tab.show(f"{host.url}/index.html?data=sets/cube.zarr#/sample?row=0")
        said = page.locator(".error").inner_text()
        assert len(page.locator("canvas").all()) == 0
    tab.context.close()
    expected = {"flipped": "checksum differs", "missing": "got none", "absent": "complete dataset"}
    assert expected[kind] in said


HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.mark.parametrize("view", ["overview", "gallery", "sample", "compare"])
def test_hostile_names_stay_text(tab, datasets, tmp_path, view):
    copy = tmp_path / "hostile.zarr"
    shutil.copytree(datasets / "spectra.zarr", copy)
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["classes"] = [f"{HOSTILE}{k}" for k in range(len(manifest["classes"]))]
    manifest["change"] = HOSTILE
    for field in manifest["fields"]:
        field["description"] = HOSTILE
        field["unit"] = HOSTILE
    for split in manifest["splits"]:
        split["rule"]["names"] = [HOSTILE, "b", "c"]
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with hosted({"": BUNDLE, "sets": tmp_path}) as host:
        page = tab.show(f"{host.url}/index.html?data=sets/hostile.zarr#/{view}")
        page.wait_for_timeout(200)
        assert HOSTILE in page.locator("main").inner_text()
        assert len(page.locator("main img").all()) == 0
        assert all(url.startswith((host.url, "about:")) for url in tab.requests)


@pytest.mark.parametrize("address", ["javascript:alert(1)", "file:///etc", "data:text/html,x"])
def test_addresses_of_other_kinds_are_refused(tab, host, address):
    page = tab.show(f"{host.url}/index.html?data={address}")
    assert "http" in page.locator(".error").inner_text()
