"""An HTTP response of a file, for the servers that tests start."""

import io
from pathlib import Path
from typing import Any


def file_response(path: Path, environ: dict[str, Any], has_ranges: bool = True) -> Any:
    """Return the response with a file's bytes, or with the range of them that was asked for.

    From memory: a client may go before an open file is read, and Werkzeug then leaves it open.
    """
    from werkzeug.utils import send_file

    state = path.stat()
    return send_file(
        io.BytesIO(path.read_bytes()),
        environ,
        download_name=path.name,
        conditional=has_ranges,
        etag=f"{state.st_mtime_ns:x}-{state.st_size:x}",
        last_modified=state.st_mtime,
    )
