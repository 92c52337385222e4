"""Ports of Dask run code as their user: nobody without the keys of a cluster is heard there."""

import asyncio
import os
import shutil
import ssl
import subprocess
import sys
import warnings
from contextlib import suppress

import psutil
import pytest
from distributed import LocalCluster, Security
from distributed.comm import connect

from tersgen.dataset.recipes import save_recipe
from tersgen.errors import TersWarning
from tersgen.jobs.executors.interface import open_executor
from tersgen.jobs.executors.options import ClusterOptions
from tersgen.jobs.executors.security import own_security
from tersgen.jobs.plan import make_plan
from tersgen.jobs.run import run

pytestmark = pytest.mark.exhaustive

TLS = "DASK_DISTRIBUTED__COMM__TLS__"
NO_OPENSSL = pytest.mark.skipif(shutil.which("openssl") is None, reason="the command openssl")


def listening() -> list[tuple[str, int]]:
    """Return where this process and those that it started listen."""
    found = []
    here = psutil.Process()
    for process in [here, *here.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            found += [one.laddr for one in process.net_connections() if one.status == "LISTEN"]
    return found


def is_heard(address: str, security: Security) -> bool:
    """Return whether who speaks Dask's protocol at an address gets an answer."""

    async def ask() -> bool:
        comm = await connect(address, timeout=2, **security.get_connection_args("client"))
        await comm.write({"op": "identity", "reply": True})
        answer = await comm.read()
        comm.abort()
        return isinstance(answer, dict)

    try:
        return asyncio.run(asyncio.wait_for(ask(), 4))
    except (OSError, TimeoutError, TypeError):
        return False


def test_a_plain_scheduler_hears_everybody(local_cluster):
    assert is_heard(local_cluster.scheduler_address, Security())


def test_local_workers_hear_nobody_without_their_keys(spectra_recipe, tmp_path):
    before = set(listening())
    plan = make_plan(spectra_recipe, 600, shard_rows=256)
    with open_executor(ClusterOptions(workers=1, threads=1), plan) as (executor, _):
        run(plan, tmp_path / "a.zarr", executor=executor)
        places = sorted(set(listening()) - before)
        assert {host for host, _ in places} == {"127.0.0.1"}
        others = own_security()
        for _, port in places:
            assert not is_heard(f"tcp://127.0.0.1:{port}", Security())
            assert not is_heard(f"tls://127.0.0.1:{port}", others)
        # what has been tried shut no door
        assert len(run(plan, tmp_path / "b.zarr", executor=executor).manifest.digest) == 64


def test_no_two_clusters_have_the_same_keys():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "cryptography", None)
        first, second = own_security(), own_security()
    assert first.tls_client_key != second.tls_client_key
    assert first.require_encryption
    assert first.tls_ca_file not in repr(first)


def test_where_nothing_makes_keys_it_is_said(monkeypatch):
    monkeypatch.setattr("tersgen.jobs.executors.security.find_spec", lambda _: None)
    monkeypatch.setenv("PATH", "")
    with pytest.warns(TersWarning, match="open to every user of this machine; pip install"):
        assert own_security() is None


@pytest.mark.parametrize("answer", ["exit 1", "echo", "printf '\\377'"])
def test_an_openssl_that_makes_no_keys_is_as_none(monkeypatch, tmp_path, answer):
    (tmp_path / "openssl").write_text(f"#!/bin/sh\n{answer}\n")
    (tmp_path / "openssl").chmod(0o755)
    monkeypatch.setattr("tersgen.jobs.executors.security.find_spec", lambda _: None)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.warns(TersWarning, match="found neither"):
        assert own_security() is None


@NO_OPENSSL
def test_a_scheduler_with_tls_is_used_by_the_settings_of_dask(spectra_recipe, tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x",
         "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    ssl.create_default_context(cafile=str(certificate))
    roles = ("scheduler", "worker", "client")
    files = {f"tls_{role}_key": str(key) for role in roles}
    files |= {f"tls_{role}_cert": str(certificate) for role in roles}
    security = Security(require_encryption=True, tls_ca_file=str(certificate), **files)
    save_recipe(spectra_recipe, tmp_path / "r.json")
    with LocalCluster(
        n_workers=1, threads_per_worker=2, host="127.0.0.1", dashboard_address="127.0.0.1:0",
        security=security,
    ) as cluster:  # fmt: skip
        address = cluster.scheduler_address
        assert address.startswith("tls://")
        command = [
            *(sys.executable, "-m", "tersgen", "build", "--config", tmp_path / "r.json"),
            *("--n", "600", "--out", tmp_path / "a.zarr", "--scheduler", address),
        ]
        environment = {
            **os.environ,
            f"{TLS}CA_FILE": str(certificate),
            f"{TLS}CLIENT__KEY": str(key),
            f"{TLS}CLIENT__CERT": str(certificate),
        }
        refused = subprocess.run(command, capture_output=True, text=True, timeout=240)
        assert refused.returncode == 1
        (line,) = [one for one in refused.stderr.splitlines() if one.startswith("Error: ")]
        assert "Traceback" not in refused.stderr
        assert f"{address}: expected keys for TLS in the settings of Dask" in line
        done = subprocess.run(command, capture_output=True, text=True, timeout=240, env=environment)
        assert done.returncode == 0, done.stderr
        assert "digest" in done.stdout


def test_keys_are_made_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert own_security() is not None
