"""JCAMP-DX: the spectra and tables of peaks in a text, in blocks, links and n-tuples."""

import re
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import MeasurementError
from ..text import printable
from .axis import evidence_of
from .axis_words import no_intensity
from .heading import laser_of
from .jcamp_table import Labels, check_announced, check_ends, read_pairs, read_stepped

_SHOWN = 40
_LONGEST = 400
"""Characters of a label in which a laser may be stated."""
_IS_JCAMP = re.compile(
    r"(?:^|[\r\n])[ \t\ufeff]*##\s*"
    r"(JCAMP[\s_-]*(DX|CS)|XY[\s_-]*(DATA|POINTS)|(PEAK|DATA)[\s_-]*TABLE)\s*=",
    re.IGNORECASE,
)
_HEAD = 16_384
_TABLES = ("XYDATA", "XYPOINTS", "PEAKTABLE")
_LABELS_OF_TABLES = (*_TABLES, "DATATABLE")
_FORM = re.compile(r"(\([^,;]*\))\s*[,;]?\s*(.*)")
_STEPPED = re.compile(r"\((\w+)\+\+\((\w+)\.\.\2\)\)?")
_POINTS = re.compile(r"\((\w)(\w)(W?)\.\.\1\2\3\)")
_NEUTRAL = re.compile(
    r"|(CONTINUOUS )?SPECTR(UM|A)|XY ?(DATA|POINTS)|PEAK ?TABLE|UNKNOWN|OTHER|USER DEFINED|GENERIC"
    r"|UNDEFINED|N/?A|NONE|-+"
)
_RAMAN = re.compile(r"RAMAN|\b[ST]ERS\b")


@dataclass(frozen=True, eq=False)
class JcampRecord:
    """A spectrum, or a table of peaks, of a JCAMP-DX text.

    Attributes
    ----------
    title
        What the text calls it.
    is_peaks
        Whether it is a table of peaks.
    x, y
        Abscissa and ordinate, float64, shape (n,), in the order of the text.
    x_unit, y_unit
        Their units; of the abscissa ``cm^-1``, ``nm``, or as the text spells it.
    width
        Widths of peaks in the unit of x, shape (n,); None where the table has none.
    notes
        What a user should know of it.
    x_texts
        What the text says about the abscissa: the values of XUNITS and XLABEL.
    laser_nm
        Wavelength of the laser in nm, if the labels state exactly one.
    """

    title: str
    is_peaks: bool
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    x_unit: str
    y_unit: str
    width: NDArray[np.float64] | None = None
    notes: tuple[str, ...] = ()
    x_texts: tuple[str, ...] = ()
    laser_nm: float | None = None


class _Table(NamedTuple):
    """A table of a block."""

    kind: str
    """``XYDATA``, ``XYPOINTS``, ``PEAKTABLE`` or ``DATATABLE``."""
    form: str
    """What it holds: ``(X++(Y..Y))`` or ``(XY..XY)``, in capitals without blanks."""
    page: dict[str, str]
    """Labelled records of its page."""
    lines: list[str]


@dataclass
class _Block:
    """Labelled records of one block, and its tables."""

    labels: dict[str, str] = field(default_factory=dict)
    tables: list[_Table] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """Kind of the data, in capitals."""
        return " ".join(self.labels.get("DATATYPE", "").upper().split())

    @property
    def is_raman(self) -> bool:
        """Whether it says so, or does not say what it is."""
        return bool(_RAMAN.search(self.kind) or _NEUTRAL.fullmatch(self.kind))


def is_jcamp(text: str) -> bool:
    """Tell whether a text is JCAMP-DX: by its version or a table; comments may stand above."""
    return _IS_JCAMP.search(text[:_HEAD]) is not None


def read_jcamp(text: str) -> JcampRecord:
    """Return the one spectrum or table of peaks in a JCAMP-DX text.

    Raises
    ------
    MeasurementError
        If there is none, or several, or a check of the format fails; without the file's name.
    """
    records = read_records(text)
    if len(records) != 1:
        raise MeasurementError(
            f"expected JCAMP-DX with one spectrum or table of peaks, got {len(records)}"
        )
    return records[0]


def read_records(text: str) -> list[JcampRecord]:
    """Return all spectra and tables of peaks in a JCAMP-DX text that are Raman.

    Blocks of other data are left out, with a note, unless all are. A table of peaks beside the
    spectrum that it was taken from is left out, too.

    Raises
    ------
    MeasurementError
        If there is none, or a check of the format fails; without the file's name.
    """
    blocks = [block for block in _blocks(text) if block.tables]
    if not blocks:
        raise MeasurementError(
            "expected JCAMP-DX with one spectrum or table of peaks, got 0 (tables that are read: "
            "XYDATA, XYPOINTS, PEAK TABLE, DATA TABLE)"
        )
    raman = [block for block in blocks if block.is_raman]
    if not raman:
        raise MeasurementError(
            f"expected Raman data, got ##DATA TYPE={printable(blocks[0].kind[:_SHOWN])}; if it is "
            "Raman, say so there"
        )
    left = len(blocks) - len(raman)
    notes = (f"{left} blocks that are not Raman left out",) if left else ()
    return [_record(labels, table, notes) for block in raman for labels, table in _tables_of(block)]


def _tables_of(block: _Block) -> list[tuple[Labels, _Table]]:
    """Return the tables of a block that count, each with its labels."""
    pages = [one for one in block.tables if one.kind == "DATATABLE"]
    if pages:
        return [(_page_labels(block.labels, one), one) for one in pages]
    spectra = [one for one in block.tables if one.kind != "PEAKTABLE"] or block.tables
    if len(spectra) > 1:
        raise MeasurementError(
            f"expected one table in a block of JCAMP-DX, got {len(spectra)}; give each a ##TITLE="
        )
    return [(block.labels, spectra[0])]


def _page_labels(labels: Labels, table: _Table) -> dict[str, str]:
    """Return the labels of a page of n-tuples, as those of a block of its own."""
    named = {**labels, **table.page}
    form = _STEPPED.fullmatch(table.form) or _POINTS.fullmatch(table.form)
    symbols = [one.strip().upper() for one in labels.get("SYMBOL", "").split(",")]
    if form is None or form[1] not in symbols or form[2] not in symbols:
        return named
    for name, source in (
        ("FIRST", "FIRST"), ("LAST", "LAST"), ("UNITS", "UNITS"), ("FACTOR", "FACTOR"),
        ("LABEL", "VARNAME"),
    ):  # fmt: skip
        values = [one.strip() for one in named.get(source, "").split(",")]
        for letter, symbol in (("X", form[1]), ("Y", form[2])):
            place = symbols.index(symbol)
            if place < len(values) and values[place] and (name, letter) != ("FIRST", "Y"):
                key = (
                    f"{letter}{name}" if name in ("UNITS", "FACTOR", "LABEL") else f"{name}{letter}"
                )
                named.setdefault(key, values[place])
    counts = [one.strip() for one in labels.get("VARDIM", "").split(",")]
    if len(counts) > symbols.index(form[1]):
        named.setdefault("NPOINTS", counts[symbols.index(form[1])])
    return named


def _record(labels: Labels, table: _Table, notes: tuple[str, ...]) -> JcampRecord:
    """Return what a table holds."""
    width = None
    stepped, points = _STEPPED.fullmatch(table.form), _POINTS.fullmatch(table.form)
    is_peaks = table.kind == "PEAKTABLE" or "PEAK" in table.page.get("KIND", "")
    if stepped:
        x, y = read_stepped(labels, table.lines)
    elif points:
        columns = 3 if points[3] else 2
        rows = read_pairs(labels, table.lines, columns)
        x, y = rows[:, 0], rows[:, 1]
        width = rows[:, 2] if columns == 3 else None
        check_announced(labels, len(x))
        if not is_peaks:
            check_ends(labels, x)
    else:
        raise MeasurementError(
            f"expected a table (X++(Y..Y)) or (XY..XY), got {printable(table.form[:_SHOWN])!r}"
        )
    for name in ("YUNITS", "YLABEL"):
        if no_intensity(labels.get(name, "")):
            raise MeasurementError(
                "expected intensities of a Raman spectrum, got "
                f"##{name}={printable(labels[name])[:_SHOWN]}, which is not a Raman spectrum; "
                "if it is one, correct that line"
            )
    texts = tuple(labels[name] for name in ("XUNITS", "XLABEL") if labels.get(name))
    title = f"{labels.get('TITLE', '')} {table.page.get('PAGE', '')}".strip()
    return JcampRecord(
        title=printable(title)[:200],
        is_peaks=is_peaks,
        x=x,
        y=y,
        x_unit=_unit(labels.get("XUNITS", "")),
        y_unit=printable(labels.get("YUNITS", ""))[:_SHOWN],
        width=width,
        notes=notes,
        x_texts=texts,
        laser_nm=laser_of([f"{name}: {value[:_LONGEST]}" for name, value in labels.items()]),
    )


def _unit(text: str) -> str:
    """Return the unit of an abscissa: ``cm^-1``, ``nm``, or the text."""
    found = evidence_of(text)
    kind, unit = found[0].meaning if found else (None, None)
    if unit == "nm" or (kind == "wavelength" and unit is None):
        return "nm"
    if unit == "cm-1" or (kind in ("shift", "wavenumber") and unit is None):
        return "cm^-1"
    return printable(" ".join(text.upper().split()))[:_SHOWN]


def _blocks(text: str) -> list[_Block]:
    """Return the blocks of a text; those inside a block of links stand beside it."""
    blocks: list[list[tuple[str, list[str]]]] = []
    values: list[str] = []  # of the last record; joined once, since some have many lines
    for raw in text.splitlines():
        line = raw.split("$$", 1)[0].strip()
        if not line.startswith("##"):
            if line:
                values.append(line)
            continue
        label, equals, value = line[2:].partition("=")
        name = re.sub(r"[\s\-/_]", "", label).upper()
        if not equals and name != "END":
            table = next((one for one in _LABELS_OF_TABLES if name.startswith(one)), None)
            if table is not None:
                raise MeasurementError(
                    f"expected ##{table}=, got {printable(line[:_SHOWN])!r} without an equals sign"
                )
            continue  # a comment
        values = [value.strip()]
        if name == "TITLE" or not blocks:
            blocks.append([])
        if name != "END":
            blocks[-1].append((name, values))
    return [_block(records) for records in blocks]


def _block(records: list[tuple[str, list[str]]]) -> _Block:
    """Return the labels and tables of a block."""
    block = _Block()
    page: dict[str, str] = {}
    for name, values in records:
        if name in _TABLES:
            form = re.sub(r"\s", "", values[0]).upper()
            block.tables.append(_Table(name, form, {}, values[1:]))
        elif name == "DATATABLE":
            found = _FORM.match(values[0].upper())
            form, kind = found.groups() if found else (values[0], "")
            form = re.sub(r"\s", "", form)
            block.tables.append(_Table(name, form, {**page, "KIND": kind}, values[1:]))
        elif name == "PAGE":
            page = {"PAGE": values[0]}
        else:
            (page or block.labels).setdefault(name, " ".join(values).strip())
    return block
