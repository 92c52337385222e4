"""Runs a tersgen command with limits: ``python -m tersgen.serve.confined library import ...``.

For files from strangers: a fault of a reader, or a file made to exhaust memory, ends this process
alone.
"""

import os
import resource
import sys

_LIMITS = (
    (resource.RLIMIT_AS, 4 << 30),
    (resource.RLIMIT_CPU, 60),
    (resource.RLIMIT_FSIZE, 256 << 20),
    (resource.RLIMIT_NOFILE, 256),
    (resource.RLIMIT_CORE, 0),
)


def main() -> None:
    """Set the limits, which hold for what takes the place of this process, too."""
    for kind, most in _LIMITS:
        _, hard = resource.getrlimit(kind)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))
    os.execv(sys.executable, [sys.executable, "-m", "tersgen", *sys.argv[1:]])


if __name__ == "__main__":
    main()
