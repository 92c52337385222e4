"""Reading over S3 on loopback beside the same dataset on the disk, and beside zarr over obstore.

The server is moto's unless ``--endpoint`` names another. It shares the processors with its clients,
and is slow: an epoch is measured beside fetching the same bytes alone, too, and from a server that
only sends files (``range_server.py``). Rounds take turns. Single rows are random.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from machine import Json, describe, spread, write_json

CANONICAL = Path(__file__).parents[1] / "examples" / "canonical.toml"
BUCKET = "tersgen-benchmark"


def wait_for(server: "subprocess.Popen[bytes]", said: Path) -> str:
    """Return the URL of a server that was started, once it says where it listens."""
    for _ in range(600):
        text = said.read_text()
        if "Running on http://" in text:
            return "http://" + text.split("Running on http://")[1].split()[0]
        if server.poll() is not None:
            break
        time.sleep(0.1)
    raise SystemExit(f"the server did not start: {said.read_text()[-500:]}")


def epochs(data: str, n_epochs: int) -> list[float]:
    """Return rows a second of each shuffled epoch in a new process; not the first."""
    command = [sys.executable, "-m", "ters_train", "bench-loader", "--data", data, "--json",
               "--device", "cpu", "--epochs", str(n_epochs + 1)]  # fmt: skip
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return [line["samples_per_s"] for line in lines[1:]]


def milliseconds(action: Callable[[Any], object], arguments: list[Any]) -> list[float]:
    """Return how long an action takes with each argument."""
    found = []
    for argument in arguments:
        start = time.perf_counter()
        action(argument)
        found.append(1000 * (time.perf_counter() - start))
    return found


def fetch(data: Path, url: str) -> float:
    """Return rows a second if bytes are only fetched: the ranges of an epoch, 32 at a time."""
    import obstore
    from obstore.store import S3Store

    import tersgen

    manifest = tersgen.open(data).manifest
    assert manifest is not None
    prefix = url.removeprefix(f"s3://{BUCKET}/")
    store = S3Store(BUCKET, prefix=prefix, client_options={"allow_http": True})
    ranges = []
    for path in sorted(data.glob("**/c.*")):
        inside, size = str(path.relative_to(data)), path.stat().st_size
        rows = manifest.shard_rows // manifest.chunk_rows
        step = max(size // rows, 1 << 18)  # small fields come by the shard
        ranges += [(inside, at, min(at + step, size)) for at in range(0, size, step)]
    np.random.default_rng(0).shuffle(ranges)

    def get(one: tuple[str, str, str]) -> int:
        inside, start, end = one
        return len(obstore.get_range(store, str(inside), start=int(start), end=int(end)))

    start = time.perf_counter()
    with ThreadPoolExecutor(32) as pool:
        sum(pool.map(get, ranges))
    return manifest.n_samples / (time.perf_counter() - start)


def start_server(command: list[str], folder: Path) -> tuple["subprocess.Popen[bytes]", str]:
    """Start a server, and return it and its URL."""
    said = folder / f"{Path(command[0]).name}.txt"
    with said.open("wb") as log:
        server = subprocess.Popen(command, stderr=log, stdout=log)
    return server, wait_for(server, said)


def of_fast_server(data: Path, rounds: int, n_epochs: int) -> Json:
    """Return the rates of epochs from the disk and from a server that only sends files."""
    script = str(Path(__file__).with_name("range_server.py"))
    server, endpoint = start_server([sys.executable, script, str(data.parent)], data.parent)
    before = os.environ["AWS_ENDPOINT_URL"]
    found: Json = {"local": [], "server": []}
    try:
        os.environ["AWS_ENDPOINT_URL"] = endpoint
        for _ in range(rounds):
            found["local"] += epochs(str(data), n_epochs)
            found["server"] += epochs(f"s3://{BUCKET}/{data.name}", n_epochs)
    finally:
        os.environ["AWS_ENDPOINT_URL"] = before
        server.terminate()
        server.wait()
    found["ratio"] = round(float(np.median(found["server"]) / np.median(found["local"])), 3)
    return found


def measure(data: Path, url: str, rounds: int, n_epochs: int, n_rows: int) -> Json:
    """Return all figures of a dataset on the disk and in a store."""
    import zarr
    from obstore.store import S3Store
    from zarr.storage import ObjectStore

    import tersgen

    result: Json = {"epoch_local": [], "epoch_s3": [], "fetch": []}
    for _ in range(rounds):
        result["epoch_local"] += epochs(str(data), n_epochs)
        result["epoch_s3"] += epochs(url, n_epochs)
        result["fetch"].append(fetch(data, url))
    share = np.median(result["epoch_s3"]) / np.median(result["fetch"])
    result["epoch_over_fetch"] = round(float(share), 3)
    ratio = np.median(result["epoch_s3"]) / np.median(result["epoch_local"])
    result["epoch_ratio"] = round(float(ratio), 3)

    def open_zarr(_: object) -> Any:
        path = url.removeprefix(f"s3://{BUCKET}/")
        store = S3Store(BUCKET, prefix=path, client_options={"allow_http": True})
        return zarr.open_group(ObjectStore(store, read_only=True), mode="r")

    times: dict[str, list[float]] = {}
    times["open_local"] = milliseconds(lambda _: tersgen.open(data), [0] * 9)
    times["open_s3"] = milliseconds(lambda _: tersgen.open(url), [0] * 9)
    times["open_zarr_obstore"] = milliseconds(open_zarr, [0] * 9)
    ours, theirs, local = tersgen.open(url), open_zarr(0), tersgen.open(data)
    rows = np.random.default_rng(1).integers(0, ours.n_samples, 2 * n_rows).tolist()
    for name in ("spectra", "label"):
        field, array, near = ours[name], theirs[name], local[name]
        np.testing.assert_array_equal(field[5], array[5])
        for some in (rows[:n_rows], rows[n_rows:]):  # in turn
            for who, read in (("s3", field), ("zarr_obstore", array), ("local", near)):
                found = milliseconds(read.__getitem__, some)
                times.setdefault(f"row_{name}_{who}", []).extend(found)
    result["milliseconds"] = {name: spread(values) for name, values in times.items()}
    return result


def main() -> int:
    """Measure a canonical dataset on the disk and in a store on loopback."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--n", type=int, default=32768)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--rows", type=int, default=100)
    parser.add_argument("--endpoint", help="URL of another S3 server, with its credentials set")
    parser.add_argument("--out", type=Path, default=None, help="where to put the dataset")
    parser.add_argument("--json", type=Path, default=None)
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(dir=arguments.out))
    server = None
    try:
        endpoint = arguments.endpoint
        if endpoint is None:
            command = ["moto_server", "-H", "127.0.0.1", "-p", "0"]
            server, endpoint = start_server(command, folder)
            os.environ.update(AWS_ACCESS_KEY_ID="key", AWS_SECRET_ACCESS_KEY="secret")
        os.environ.update(AWS_ENDPOINT_URL=endpoint, AWS_REGION="us-east-1")
        request = urllib.request.Request(f"{endpoint}/{BUCKET}", method="PUT")
        urllib.request.urlopen(request).close()
        data, url = folder / "data.zarr", f"s3://{BUCKET}/{folder.name}/data.zarr"
        tool = [sys.executable, "-m", "tersgen"]
        build = ["build", "--config", str(CANONICAL), "--n", str(arguments.n), "--out", str(data)]
        subprocess.run([*tool, *build], check=True)
        pushed = subprocess.run(
            [*tool, "push", str(data), url, "--json"], check=True, capture_output=True
        )
        sent = json.loads(pushed.stdout)
        result = measure(data, url, arguments.rounds, arguments.epochs, arguments.rows)
        result["range_server"] = of_fast_server(data, arguments.rounds, arguments.epochs)
        result["push_mb_per_s"] = round(sent["bytes_sent"] / sent["seconds"] / 1e6, 1)
    finally:
        if server is not None:
            server.terminate()
            server.wait()
        shutil.rmtree(folder)
    result = {
        "machine": describe(),
        "n": arguments.n,
        "server": arguments.endpoint or "moto",
        **result,
    }
    write_json(arguments.json, result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
