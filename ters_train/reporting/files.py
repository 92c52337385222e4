"""Small files of a run, each replaced as a whole or not at all."""

import os
from pathlib import Path

from tersgen.errors import OutputError


def replace_file(path: Path, content: bytes) -> None:
    """Write a file under a temporary name, flush it to disk and give it its name.

    A link of that name is replaced, not followed.

    Raises
    ------
    OutputError
        If the file system refuses; what was there before is still there.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.unlink(missing_ok=True)
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            with os.fdopen(os.open(partial, flags, 0o666), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from None
