"""Training runs: from a cell of the confusion matrix to samples."""

import pytest

pytestmark = pytest.mark.browser


def test_a_cell_leads_to_samples(tab, host, run_folder):
    page = tab.show(f"{host.url}/index.html?data=sets/spectra.zarr#/runs?run=sets/run")
    assert "0.75" in page.locator(".tiles").inner_text()
    page.get_by_role("button", name="water read as pyridine: 3").click()
    assert "probability 0.8125" in page.locator(".examples").inner_text()
    page.locator(".examples").get_by_role("link", name="sample").click()
    page.wait_for_function("location.hash.startsWith('#/sample')")
    page.get_by_text("water").locator("visible=true").first.wait_for()
    page = tab.show(f"{host.url}/index.html?data=sets/spectra.zarr#/runs?run=sets/run")
    page.get_by_role("button", name="water read as water: 3").click()
    page.locator(".examples").get_by_role("link", name="water").click()
    page.wait_for_function("location.hash.startsWith('#/gallery')")
    page.locator(".card-name").first.wait_for()
    assert {one.inner_text() for one in page.locator(".card-name").all()} == {"water"}
