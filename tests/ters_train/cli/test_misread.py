"""Misread rows, from ``fit`` and ``evaluate`` through a real server."""

import shutil
import subprocess
import sys

import pytest

import tersgen


@pytest.fixture
def server(few, runs, tmp_path):
    """Yield a client of a server of a dataset and a poor run, evaluated on its test part, too."""
    pytest.importorskip("fastapi")
    httpx = pytest.importorskip("httpx")
    run = tmp_path / "root" / "runs" / "cnn"
    poor = ["--set", "model.options.widths=[4,8]", "--epochs", 1, "--lr", 1e-5]
    runs.good("fit", "--data", few, "--out", run, *poor)
    shutil.copytree(few, tmp_path / "root" / "few.zarr")
    runs.good("evaluate", run, "--data", few, "--out", run / "again")
    token = tmp_path / "token"
    token.write_text("0123456789abcdef")
    words = ["serve", tmp_path / "root", "--port", "0", "--token-file", token, "--threads", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "tersgen", *map(str, words)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    headers = {"Authorization": f"Bearer {token.read_text()}"}
    try:
        url = process.stdout.readline().strip()
        with httpx.Client(base_url=url, headers=headers, timeout=60) as client:
            yield client
    finally:
        process.terminate()
        _, said = process.communicate(timeout=60)
    assert "Traceback" not in said


def test_a_server_leads_from_a_confusion_to_its_rows(server, few) -> None:
    dataset = tersgen.open(few)
    evaluations = server.get("/api/v1/runs/cnn").json()["evaluations"]
    for name, part in (("run", "val"), ("again", "test")):
        scores, misread = evaluations[name]["scores"], evaluations[name]["misread"]
        confusion, rows = evaluations[name]["confusion"]["confusion"], misread["rows"]
        classes = scores["classes"]
        assert 0 <= scores["ece"] <= 1
        assert {"misread", "correct"}.isdisjoint(scores)
        assert misread["digest"] == scores["digest"] == dataset.digest
        for i, counts in enumerate(confusion):
            for j, count in enumerate(counts):
                cell = [row for row in rows if (row["label"], row["predicted"]) == (i, j)]
                assert len(cell) == (min(count, 5) if i != j else 0)
        numbers = set(dataset.select(part=part).row_numbers.tolist())
        assert numbers >= {row["row"] for row in rows}
        assert all(1 / len(classes) <= row["probability"] <= 1 for row in rows)
        url, first = "/api/v1/datasets/few.zarr/rows", rows[0]
        (sample,) = server.get(url, params={"offset": first["row"], "limit": 1}).json()["rows"]
        assert (sample["index"], sample["species"]) == (first["row"], classes[first["label"]])
