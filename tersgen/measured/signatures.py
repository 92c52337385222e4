"""Files that are not spectra, by their first bytes: the error says what a file is."""

import re

from ..errors import MeasurementError

_SIGNATURES: tuple[tuple[str, str, str], ...] = (
    (
        r"version https?://[^\s]*git-lfs|version https?://hawser",
        "a pointer of Git LFS",
        "fetch the file itself: git lfs pull",
    ),
    (r"(\.\./|/)*(\.git/)?annex/objects/", "a pointer of git-annex", "fetch it: git annex get"),
    (
        r"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)?<(!doctype\s+html|html|head|body)",
        "an HTML page",
        "download the file itself, not the page that shows it",
    ),
    (r"\s*%PDF-|%PDF-", "a PDF", "export the spectrum as text or CSV"),
    (r"\s*<\?xml", "XML that no reader knows", "export the spectrum as text or CSV"),
    (r"\s*[{[]\s*[\"{[]", "JSON", "export the spectrum as text or CSV"),
    (r"\{\\rtf", "a document in RTF", "save it as plain text"),
    (r"PK\x03\x04(?=.{26,60}(\[Content_Types\]|_rels/|docProps/|xl/|word/))",
     "an Excel workbook or Word document", "save the table as CSV"),
    (r"PK\x03\x04(?=.{26,40}mimetype)", "an OpenDocument file", "save the table as CSV"),
    (r"PK\x03\x04", "a ZIP archive", "unpack it"),
    (r"\xd0\xcf\x11\xe0", "an old Excel or Office file, or an Origin project", "save it as CSV"),
    (r"\x1f\x8b|BZh|\xfd7zXZ|7z\xbc\xaf|Rar!|\x28\xb5\x2f\xfd", "a compressed file", "unpack it"),
    (r"\x89PNG|\xff\xd8\xff|GIF8|II\*\x00|MM\x00\*|BM.{4}\x00\x00", "a picture",
     "export the numbers"),
    (r"\x89HDF|CDF[\x01\x02\x05]", "an HDF5 or netCDF file", "choose its reader: --reader"),
    (r"MATLAB 7\.3 MAT-file", "a MATLAB file of version 7.3", "save it with -v7"),
    (r"SQLite format 3", "an SQLite database", "export the spectrum as text or CSV"),
    (r"CPYA|CPYUA", "an Origin project", "export the spectrum as text or CSV"),
)  # fmt: skip
_PATTERNS = tuple(
    (re.compile(pattern.encode("latin-1"), re.IGNORECASE | re.DOTALL), what, mend)
    for pattern, what, mend in _SIGNATURES
)


def refuse_other_files(head: bytes) -> None:
    """Refuse a file that is known not to be a text of numbers.

    Parameters
    ----------
    head
        Its first bytes, some hundred or more.

    Raises
    ------
    MeasurementError
        If it is one; the message says what it is and what to do.
    """
    content = head.removeprefix(b"\xef\xbb\xbf")
    for pattern, what, mend in _PATTERNS:
        if pattern.match(content):
            raise MeasurementError(f"expected a measured spectrum, got {what}; {mend}")
