"""The files of a split: which part each row is in.

The part of each row is a number in ``rule.names``, in the NumPy file ``splits/NAME-DIGEST.npy``
(uint8, one for each row), which never changes. The split itself is described in the manifest of the
version, and for people in ``splits/NAME.json``.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import DamagedDataError
from ..schema.manifest import SPLITS
from ..schema.split import Split
from ..store.files import Check, write_durably
from ..store.location import DatasetLocation, own_folder
from ..store.sources import read_inside
from .stratify import split_digest

Parts = NDArray[np.uint8]

_HEADER_BYTES = 128


def parts_path(split: Split) -> str:
    """Return the file with the part of each row, inside the dataset's folder."""
    return f"{SPLITS}/{split.name}-{split.digest[:16]}.npy"


def page_path(split: Split) -> str:
    """Return the document that shows the split to readers, inside the dataset's folder."""
    return f"{SPLITS}/{split.name}.json"


def page_text(split: Split) -> bytes:
    """Return the content of that document; the manifest has it too."""
    return split.model_dump_json(indent=1).encode() + b"\n"


def _header(n_rows: int) -> bytes:
    """Return the beginning of a NumPy file of ``n_rows`` bytes, version 1.0 of that format.

    It is the only one that is written and read: no other program's parser sees what came from
    somewhere else.
    """
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({n_rows},), }}".encode()
    magic = b"\x93NUMPY\x01\x00" + (_HEADER_BYTES - 10).to_bytes(2, "little")
    return magic + text.ljust(_HEADER_BYTES - 11) + b"\n"


def load_parts(folder: Path, split: Split) -> Parts:
    """Return the part of each row as a number in ``split.rule.names``, uint8, shape (n,)."""
    name = parts_path(split)
    try:
        data = read_inside(folder, name, _HEADER_BYTES + split.n_samples)
    except DamagedDataError as error:
        raise DamagedDataError(f"{error}; tersgen repair rebuilds it") from None
    parts = np.frombuffer(data[_HEADER_BYTES:], np.uint8)
    sound = len(parts) == split.n_samples and data.startswith(_header(split.n_samples))
    if not sound or split_digest(parts) != split.digest:
        raise DamagedDataError(f"{folder / name}: damaged; tersgen repair rebuilds it")
    return parts


def store_split(location: DatasetLocation, split: Split, parts: Parts, check: Check) -> None:
    """Write the files of a split; no version names it yet.

    ``check`` is that of the lock that is held.
    """
    own_folder(location, SPLITS)
    rows = [_header(len(parts)), parts.tobytes()]
    write_durably(location.folder / parts_path(split), rows, check)
    write_durably(location.folder / page_path(split), [page_text(split)], check)
