"""Serve an exported classifier over HTTP with onnxruntime alone: no torch, no tersgen.

``python serve_onnx.py model.onnx 8000`` answers ``POST /`` with the species of each spectrum:
``curl -d '{"spectra": [[0.1, 0.5, ...]]}' localhost:8000``. Spectra are on the axis and in the
range that ``GET /`` states; beside them, ``"measured"`` may be 0 where nothing was measured and an
edge is repeated. Without arguments it trains and exports a small model, serves it, and asks it
once.
"""

import json
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import onnxruntime
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument

LARGEST = 1 << 26  # bytes of a request


def server_of(path: str, port: int) -> ThreadingHTTPServer:
    """Return a server of a model, on loopback."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    about = {k: json.loads(v) for k, v in session.get_modelmeta().custom_metadata_map.items()
             if k in ("classes", "axis_cm1", "input_range")}  # fmt: skip
    about["points"] = session.get_inputs()[0].shape[1]
    names = [one.name for one in session.get_inputs()]

    class Handler(BaseHTTPRequestHandler):
        def answer(self, status: int, content: object) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self.answer(200, about)

        def do_POST(self) -> None:
            size = int(self.headers.get("Content-Length", 0))
            if size > LARGEST:
                self.answer(413, {"error": f"expected at most {LARGEST} bytes, got {size}"})
                return
            try:
                asked = json.loads(self.rfile.read(size))
                rows = np.array(asked["spectra"], np.float32)
                given = {"spectra": rows, "measured": np.ones_like(rows)}
                if "measured" in asked:
                    given["measured"] = np.array(asked["measured"], np.float32)
                fed = {name: given[name] for name in names}
                (shares,) = session.run(["probabilities"], fed)
            except (ValueError, KeyError, TypeError, InvalidArgument) as error:
                expected = f'{{"spectra": rows of {about["points"]} numbers}}'
                got = str(error).splitlines()[0]
                self.answer(400, {"error": f"expected {expected}, got: {got}"})
                return
            best = shares.argmax(axis=1)
            found = [
                {"species": about["classes"][k], "probability": float(row[k])}
                for k, row in zip(best, shares, strict=True)
            ]
            self.answer(200, found)

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


def main() -> None:
    """Serve a model that is named, or show how one is served."""
    if len(sys.argv) > 1:
        server_of(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 8000).serve_forever()
    import subprocess

    import tersgen

    names = [f"builtin:{name}" for name in ("benzene", "pyridine", "water")]
    ds = tersgen.build({"library": names, "fields": {"maps": False}}, 3000, "small.zarr")
    tersgen.split("small.zarr")
    for command in (
        ["fit", "--data", "small.zarr", "--out", "run", "--epochs", "2"],
        ["export", "run", "--onnx", "model.onnx"],
    ):
        subprocess.run([sys.executable, "-m", "ters_train", *command], check=True)
    with server_of("model.onnx", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        body = json.dumps({"spectra": ds["spectra"][:3].tolist()}).encode()
        url = f"http://127.0.0.1:{server.server_address[1]}/"
        with urllib.request.urlopen(urllib.request.Request(url, body)) as answer:
            print(*zip(json.load(answer), (ds[k]["species"] for k in range(3)), strict=True))
        server.shutdown()


if __name__ == "__main__":
    main()
