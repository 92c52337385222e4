"""What people who use a keyboard, a screen reader or a telephone find: axe-core finds nothing."""

import pytest

from .conftest import Tab

pytestmark = pytest.mark.browser

VIEWS = {
    "home": "index.html#/home",
    "overview": "index.html?data=sets/spectra.zarr#/overview",
    "gallery": "index.html?data=sets/cube.zarr#/gallery?species=benzene",
    "cube": "index.html?data=sets/cube.zarr#/sample?row=3",
    "structure": "index.html?data=sets/structure.zarr#/sample?row=3",
    "mixture": "index.html?data=sets/mixture.zarr#/sample?row=3",
    "compare": "index.html?data=sets/spectra.zarr#/compare?row=1&otherRow=2",
    "runs": "index.html?data=sets/spectra.zarr#/runs?run=sets/run",
}


@pytest.fixture(scope="module")
def axe(npm_folder) -> str:
    return (npm_folder / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")


def violations(page, axe: str) -> list[str]:
    """Return what axe-core finds, and where."""
    page.evaluate(axe)
    found = page.evaluate("axe.run(document).then((result) => result.violations)")
    return [f"{one['id']}: {[node['html'][:200] for node in one['nodes'][:3]]}" for one in found]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing(browser, host, run_folder, axe, view, scheme):
    tab = Tab(browser, color_scheme=scheme)
    page = tab.show(f"{host.url}/{VIEWS[view]}")
    assert page.locator(".error:visible").all_inner_texts() == []
    assert violations(page, axe) == []
    tab.context.close()
    assert tab.problems == []


@pytest.mark.parametrize("view", VIEWS)
def test_it_fits_a_telephone(tab, host, run_folder, view):
    tab.page.set_viewport_size({"width": 360, "height": 740})
    page = tab.show(f"{host.url}/{VIEWS[view]}")
    page.wait_for_timeout(100)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
