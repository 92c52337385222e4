import http.client
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from tersgen.dataset.splits import make_split
from tersgen.dataset.versions import give_tag, locate
from tersgen.jobs.plan import make_plan
from tersgen.jobs.run import run
from tersgen.schema.split import SplitRule

from .servers import Proxy, web_app

pytest.importorskip("obstore", reason="the extra remote is not installed")
pytest.importorskip("moto", reason="the server of the tests is not installed")


def _served(server):
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server


@contextmanager
def _behind_proxy(app):
    """Yield a proxy of a server of a WSGI application."""
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log(self, *_):
            pass

    server = _served(make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet))
    proxy = _served(Proxy(server.server_port))
    yield proxy
    for one in (proxy, server):
        one.shutdown()
        one.server_close()


@pytest.fixture(scope="session")
def s3():
    """A proxy of object storage, with a bucket named ``bucket``."""
    from moto.server import DomainDispatcherApplication, create_backend_app

    with _behind_proxy(DomainDispatcherApplication(create_backend_app)) as proxy:
        connection = http.client.HTTPConnection("127.0.0.1", proxy.upstream)
        connection.request("PUT", "/bucket", headers={"Host": "s3.amazonaws.com"})
        assert connection.getresponse().status == 200
        connection.close()
        yield proxy


@pytest.fixture
def store(s3, monkeypatch):
    """The same proxy, with nothing wrong, and its credentials in the environment."""
    for name, value in {
        "AWS_ENDPOINT_URL": s3.url,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("TERSGEN_CACHE", "TERSGEN_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    s3.begin()
    return s3


@pytest.fixture(scope="session")
def web(tmp_path_factory):
    """A web server of the files in a folder, behind a proxy: the folder, and the proxy."""
    root = tmp_path_factory.mktemp("web")
    with _behind_proxy(web_app(root)) as proxy:
        yield root, proxy


@pytest.fixture(scope="session")
def stored(tiny_recipe, tmp_path_factory) -> dict[str, Path]:
    """Datasets of 600 rows in shards of 256, with a split and a tag, in both back ends."""
    folder = tmp_path_factory.mktemp("stored")
    paths = {}
    for name in ("zarr", "h5"):
        out = paths[name] = folder / f"tiny.{name}"
        format = "zarr" if name == "zarr" else "hdf5"
        run(make_plan(tiny_recipe, 600, format, chunk_rows=32, shard_rows=256), out)
        make_split(out, "default", SplitRule(seed=3))
        give_tag(locate(out), "v1", None)
    return paths
