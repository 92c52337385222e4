"""A browser that dies takes nothing with it: the build that it asked for is finished."""

import os
import signal
import socket
import subprocess
import time

import pytest

import tersgen

from .conftest import _chromium, command

pytestmark = [pytest.mark.browser, pytest.mark.exhaustive]

STEP = 1 if os.environ.get("TERSGEN_ALL_FAULTS") else 4
WAITS_S = [0.05 * k for k in range(0, 20, STEP)]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _press_build(browser, url: str, seed: int) -> None:
    """Ask for a build from the page."""
    page = browser.contexts[0].new_page()
    page.goto(url)
    page.wait_for_selector(".view")
    page.goto(f"{url.partition('?')[0]}#/recipe?recipe=ideal")
    page.get_by_text("The whole recipe, as JSON").click()
    page.get_by_label("Recipe as JSON").fill(f'{{"seed": {seed}, "library": ["random:3"]}}')
    page.get_by_label("samples").fill("2000")
    page.get_by_label("name").fill(f"made{seed}.zarr")
    with page.expect_response("**/api/v1/jobs"):
        page.get_by_role("button", name="Build").click()


def test_a_killed_browser_loses_no_job(browser, server, root, tmp_path):
    playwright = browser.browser_type
    for seed, wait in enumerate(WAITS_S, 1):
        port = _free_port()
        words = [
            _chromium(), "--headless", "--no-sandbox", f"--remote-debugging-port={port}",
            f"--user-data-dir={tmp_path / str(seed)}", "about:blank",
        ]  # fmt: skip
        process = subprocess.Popen(
            words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        try:
            for _ in range(200):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
            doomed = playwright.connect_over_cdp(f"http://127.0.0.1:{port}")
            _press_build(doomed, server, seed)
            time.sleep(wait)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    command(
        *("build", "--preset", "canonical", "--seed", str(len(WAITS_S)), "--library", "random:3"),
        *("--n", "2000", "--out", str(tmp_path / "own.zarr")),
    )  # fmt: skip
    deadline = time.monotonic() + 240
    names = [root / f"made{seed}.zarr" for seed in range(1, len(WAITS_S) + 1)]
    while time.monotonic() < deadline and not all(
        (one / "manifest.json").exists() for one in names
    ):
        time.sleep(0.5)
    digests = [tersgen.open(one).digest for one in names]
    assert len(set(digests)) == len(names)
    assert digests[-1] == tersgen.open(tmp_path / "own.zarr").digest
