"""Keys of one build for the workers on this machine: without a key no one can connect to them.

Anyone who can reach the port of a Dask scheduler or worker can run code as its user, and every user
of a machine can reach its loopback ports. So each local cluster gets its own key and certificate,
which only its processes have, and accepts no connections without them.
"""

import re
import shutil
import subprocess
import warnings
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ...errors import ClusterError, TersWarning

if TYPE_CHECKING:
    from distributed import Security

_OPENSSL = (
    *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
    *("-keyout", "-", "-subj", "/CN=dask-internal", "-days", "365"),
)
_PEM = re.compile(r"-----BEGIN ([A-Z ]+)-----\n.*?-----END \1-----\n", re.DOTALL)
_PATIENCE_S = 30


def own_security() -> "Security | None":
    """Return new keys; None, with a warning, where nothing can make them."""
    from distributed import Security

    if find_spec("cryptography") is not None:
        return Security.temporary()
    found = _by_openssl()
    if found is None:
        warnings.warn(
            "workers: expected the package cryptography or the command openssl, found neither, so "
            "their ports are open to every user of this machine; pip install cryptography",
            TersWarning,
            stacklevel=2,
        )
        return None
    key, certificate = found
    both: dict[str, Any] = {
        f"tls_{role}_{what}": value
        for role in ("scheduler", "worker", "client")
        for what, value in (("key", key), ("cert", certificate))
    }
    return Security(require_encryption=True, tls_ca_file=certificate, **both)


def check_keys(scheduler: str) -> None:
    """Refuse the address of a scheduler that wants keys where Dask's settings name none."""
    from distributed import Security

    keys = Security().get_connection_args("client")
    if scheduler.startswith("tls://") and keys.get("ssl_context") is None:
        raise ClusterError(
            f"{scheduler}: expected keys for TLS in the settings of Dask, found none; set "
            "distributed.comm.tls.ca-file, .client.key and .client.cert"
        )


def _by_openssl() -> tuple[str, str] | None:
    """Return a new key and its certificate, as texts."""
    command = shutil.which("openssl")
    if command is None:
        return None
    try:
        made = subprocess.run(
            [command, *_OPENSSL], capture_output=True, check=True, timeout=_PATIENCE_S
        ).stdout.decode("ascii")
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    parts = {match.group(1): match.group(0) for match in _PEM.finditer(made)}
    key, certificate = parts.get("PRIVATE KEY"), parts.get("CERTIFICATE")
    return None if key is None or certificate is None else (key, certificate)
