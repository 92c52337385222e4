"""The explorer in front of a real ``tersgen serve``."""

import json
import re

import numpy as np
import pytest

import tersgen
from tersgen import Recipe

from .conftest import Tab, command
from .test_accessible import violations
from .test_views import columns

pytestmark = pytest.mark.browser


@pytest.fixture
def served(browser, server):
    """Yield a tab that has the server's cookie, and the address of the page."""
    tab = Tab(browser)
    tab.show(server)
    base = server.partition("?")[0]
    yield tab, base
    tab.context.close()
    assert tab.problems == []
    assert all(url.startswith((base, "about:", "blob:")) for url in tab.requests)


def preview(page, act) -> None:
    """Do something that changes the recipe, and wait for the sample that is made of it."""
    with page.expect_response("**/api/v1/preview"):
        act()
    page.wait_for_timeout(100)


def test_every_view(served, npm_folder):
    tab, base = served
    axe = (npm_folder / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")
    for view in ("home", "recipe", "jobs", "runs", "runs?run=cnn", "sample?data=cube.zarr&row=2"):
        page = tab.show(f"{base}#/{view}")
        page.wait_for_timeout(300)
        assert page.locator(".error:visible").all_inner_texts() == []
        assert violations(page, axe) == [], view


def test_a_row_and_its_ideal(served, opened):
    tab, base = served
    page = tab.show(f"{base}#/sample?data=cube.zarr&row=7")
    shown = json.loads(tab.downloaded("Row (JSON)"))["fields"]["cube"]["values"]
    assert np.array_equal(np.array(shown), opened("cube")["cube"][7].ravel())
    page.get_by_label("ideal beside recorded").check()
    page.get_by_text("Ideal: no noise, no instrument").wait_for()
    plotted = columns(tab.downloaded("Spectrum of the sample as CSV"))
    assert set(plotted) == {"Raman shift / cm⁻¹", "recorded", "ideal"}
    assert plotted["ideal"].max() == 1.0


def test_a_recipe_begins_with_maps_of_molecules(served):
    tab, base = served
    page = tab.show(f"{base}#/recipe")
    page.get_by_label("Map of the preview, 300 to 900 cm⁻¹").wait_for()
    assert page.get_by_label("start from").input_value() == "nearfield"


def test_sliders_and_text_change_the_preview(served):
    tab, base = served
    page = tab.show(f"{base}#/recipe?recipe=canonical&index=5")
    page.locator(".u-over").wait_for()
    width = page.get_by_label("fwhm / cm⁻¹", exact=True).locator("visible=true").last
    slider = page.get_by_label("fwhm / cm⁻¹, slider")
    preview(page, lambda: slider.fill("40.35"))
    assert float(width.input_value()) == pytest.approx(40.35, abs=0.2)
    page.get_by_text("The whole recipe, as JSON").click()
    text = page.get_by_label("Recipe as JSON")
    assert json.loads(text.input_value())["lineshape"]["fwhm_cm1"] == float(width.input_value())
    quiet = {"lineshape": {"fwhm_cm1": 40.4}, "noise": {"spectrum": [0, 0], "map": [0, 0]}}
    with page.expect_response("**/api/v1/preview") as waiting:
        text.fill(json.dumps(quiet))
    expected = tersgen.generate(tersgen.resolve(Recipe.model_validate(quiet)), 5, 6)
    answer = waiting.value.json()
    assert answer["species"] == tersgen.resolve(Recipe()).library.names[expected["label"][0]]
    page.get_by_text(re.compile(f"sample 5: {answer['species']}")).wait_for()
    text.fill('{"lineshape": {"fwhm_cm1": -1}}')
    page.locator(".error:visible").first.wait_for()
    assert "lineshape.fwhm_cm1" in page.locator(".error:visible").first.inner_text()
    text.fill("{")
    assert "JSON" in page.locator(".error:visible").first.inner_text()
    tab.problems.clear()  # Chromium reports the refusal of the recipe as a failed request


def test_a_build_from_the_page(served, root, tmp_path):
    tab, base = served
    page = tab.show(f"{base}#/recipe?recipe=ideal")
    page.get_by_label("samples").fill("300")
    page.get_by_label("name").fill("made.zarr")
    page.get_by_role("button", name="Estimate").click()
    page.get_by_text(re.compile("300 rows, .*B")).wait_for()
    page.get_by_role("button", name="Build").click()
    page.get_by_role("link", name="made.zarr").wait_for(timeout=120_000)  # when it is done
    page.get_by_role("link", name="made.zarr").click()
    page.get_by_role("heading", name="made.zarr").wait_for()
    command("build", "--preset", "ideal", "--n", "300", "--out", str(tmp_path / "own.zarr"))
    digest = tersgen.open(tmp_path / "own.zarr").digest
    assert tersgen.open(root / "made.zarr").digest == digest
    assert digest in page.locator("main").inner_text()


def test_a_run_leads_to_its_dataset(served):
    tab, base = served
    page = tab.show(f"{base}#/runs")
    page.get_by_role("link", name="cnn").click()
    page.get_by_role("button", name="water read as pyridine: 3").click()
    page.locator(".examples").get_by_role("link", name="sample").click()
    page.get_by_text("water").locator("visible=true").first.wait_for()
    assert "data=spectra.zarr" in page.url
    assert "/sample?" in page.url


def test_without_a_token_it_says_what_to_do(browser, server):
    tab = Tab(browser)
    page = tab.show(server.partition("?")[0])
    assert "token" in page.locator(".error").inner_text()
    tab.context.close()
