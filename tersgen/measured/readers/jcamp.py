"""JCAMP-DX: spectra and tables of peaks as text, compressed forms too.

R. S. McDonald and P. A. Wilks, Appl. Spectrosc. 42, 151 (1988). Every check that the format offers
is made: a line whose abscissa or checkpoint is another, or a number of points that is not the one
announced, is an error.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import MeasurementError
from ...plugins import register
from ...schema.loading import printable
from ..reader import Reader, ReadOptions, decoded, read_text, shown_name
from ..spectrum import Spectrum, ascending, shift_from_nm

_MOST_POINTS = 1 << 22
_SHOWN = 40
_SLACK = 2.5
"""Points by which the abscissa of a line may be off; a line that is missing has more."""
_LABEL = re.compile(r"##([^=]*)=(.*)")
_AFFN = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[Ee][+-]\d+)?"
_TOKEN = re.compile(
    rf"\s*[,;]?\s*(?:({_AFFN})|([@A-Ia-i])(\d*\.?\d*)|([%J-Rj-r])(\d*)|([S-Zs])(\d*)|(\?))"
)
_NUMBER = re.compile(rf"{_AFFN}|(?<![\d.])[+-]?(?:\d+\.?\d*|\.\d+)[Ee]\d+")
_UNITS = {
    **dict.fromkeys(("1/CM", "CM-1", "CM^-1", "RAMAN SHIFT (CM-1)", "WAVENUMBERS"), "cm^-1"),
    **dict.fromkeys(("RAMAN SHIFT", "WAVENUMBER (CM-1)", "1/CM."), "cm^-1"),
    **dict.fromkeys(("NANOMETERS", "NM", "NANOMETER"), "nm"),
}
_OTHER_KINDS = re.compile(
    r"INFRARED|\bIR\b|MASS|NMR|UV|\bVIS|ULTRAVIOLET|CHROMATO|EPR|ESR|X-?RAY|INTERFERO|MOBILITY"
)
_NOT_SCATTERED = re.compile(r"TRANSMI|ABSORB|REFLECT", re.IGNORECASE)


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
    """

    title: str
    is_peaks: bool
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    x_unit: str
    y_unit: str
    width: NDArray[np.float64] | None = None
    notes: tuple[str, ...] = ()


class _Block(NamedTuple):
    """Labelled records of one block, and the lines of its table."""

    labels: dict[str, str]
    form: str
    """What the table holds: ``(X++(Y..Y))`` or ``(XY..XY)``, in capitals without blanks."""
    kind: str
    """``XYDATA``, ``XYPOINTS``, ``PEAKTABLE``, or nothing."""
    lines: list[str]


def is_jcamp(text: str) -> bool:
    """Tell whether a text is JCAMP-DX."""
    head = text.lstrip()[:2000]
    return head.startswith("##") and re.search(r"^##\s*JCAMP-?\s*DX", head, re.M | re.I) is not None


def read_jcamp(text: str) -> JcampRecord:
    """Return the one spectrum or table of peaks in a JCAMP-DX text.

    Raises
    ------
    MeasurementError
        If there is none, or several, or a check of the format fails; without the file's name.
    """
    blocks = [block for block in _blocks(text) if block.kind]
    if len(blocks) != 1:
        raise MeasurementError(
            f"expected JCAMP-DX with one spectrum or table of peaks, got {len(blocks)}"
            f"{'' if blocks else ' (tables that are read: XYDATA, XYPOINTS, PEAK TABLE)'}"
        )
    block = blocks[0]
    labels = block.labels
    kind = " ".join(labels.get("DATATYPE", "").upper().split())
    if _OTHER_KINDS.search(kind) and "RAMAN" not in kind:
        raise MeasurementError(
            f"expected Raman data, got ##DATA TYPE={printable(kind[:_SHOWN])}; if it is Raman, say "
            "so there"
        )
    width = None
    if block.form.startswith("(X++(Y..Y)"):
        x, y = _stepped(block)
    elif re.match(r"\(XYW?\.\.XYW?\)", block.form):
        columns = 3 if "W" in block.form else 2
        table = _pairs(block, columns)
        x, y = table[:, 0], table[:, 1]
        width = table[:, 2] if columns == 3 else None
    else:
        raise MeasurementError(
            f"expected a table (X++(Y..Y)) or (XY..XY), got {printable(block.form[:_SHOWN])!r}"
        )
    _check_count(labels, len(x))
    if _NOT_SCATTERED.search(labels.get("YUNITS", "")):
        raise MeasurementError(
            f"expected intensities, got ##YUNITS={printable(labels['YUNITS'])[:_SHOWN]}: no Raman "
            "spectrum"
        )
    unit = " ".join(labels.get("XUNITS", "").upper().split())
    return JcampRecord(
        title=printable(labels.get("TITLE", ""))[:200],
        is_peaks=block.kind == "PEAKTABLE",
        x=x,
        y=y,
        x_unit=_UNITS.get(unit, printable(unit)[:_SHOWN]),
        y_unit=printable(labels.get("YUNITS", ""))[:_SHOWN],
        width=width,
    )


def _blocks(text: str) -> list[_Block]:
    """Return the blocks of a text; those inside a block of links stand beside it."""
    blocks: list[_Block] = []
    name = ""
    for raw in text.splitlines():
        line = raw.split("$$", 1)[0].rstrip()
        if not line.strip():
            continue
        found = _LABEL.match(line.lstrip())
        if found is None:
            if blocks and name == blocks[-1].kind and name:
                blocks[-1].lines.append(line)
            elif blocks and name:
                blocks[-1].labels[name] = f"{blocks[-1].labels.get(name, '')} {line.strip()}"
            continue
        name = re.sub(r"[\s\-/_]", "", found[1]).upper()
        value = found[2].strip()
        if name == "TITLE" or not blocks:
            blocks.append(_Block({}, "", "", []))
        if name in ("XYDATA", "XYPOINTS", "PEAKTABLE"):
            if blocks[-1].kind:
                raise MeasurementError("expected one table in a block of JCAMP-DX, got two")
            form = re.sub(r"\s", "", value).upper()
            blocks[-1] = blocks[-1]._replace(form=form, kind=name)
        else:
            blocks[-1].labels.setdefault(name, value)
    return blocks


def _label(labels: dict[str, str], name: str, default: float | None = None) -> float:
    """Return the number of a labelled record."""
    text = labels.get(name, "").replace(",", ".")
    if not text and default is not None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        raise MeasurementError(f"expected a number ##{name}=, got {printable(text[:_SHOWN])!r}")
    return value


def _check_count(labels: dict[str, str], n_points: int) -> None:
    if n_points < 1:
        raise MeasurementError("expected points in the table of JCAMP-DX, got none")
    wanted = labels.get("NPOINTS")
    if wanted is not None and _label(labels, "NPOINTS") != n_points:
        raise MeasurementError(
            f"expected {printable(wanted)[:_SHOWN]} points, as ##NPOINTS= says, got {n_points}"
        )


def _pairs(block: _Block, columns: int) -> NDArray[np.float64]:
    """Return the rows of a table of points, shape (n, columns)."""
    values: list[float] = []
    for line in block.lines:
        rest = _NUMBER.sub("", line)
        if re.search(r"[^\s,;]", rest):
            raise MeasurementError(f"expected numbers, got {printable(line.strip()[:_SHOWN])!r}")
        values += [float(one) for one in _NUMBER.findall(line)]
    if len(values) % columns:
        raise MeasurementError(
            f"expected {columns} numbers for each point, got {len(values)} numbers in all"
        )
    table = np.array(values, np.float64).reshape(-1, columns)
    factors = [_label(block.labels, name, 1.0) for name in ("XFACTOR", "YFACTOR")]
    return np.asarray(table * [*factors, factors[0]][:columns])


def _stepped(block: _Block) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return abscissa and ordinate of a table of evenly spaced points."""
    labels = block.labels
    first, last = _label(labels, "FIRSTX"), _label(labels, "LASTX")
    count = _label(labels, "NPOINTS")
    if not (count.is_integer() and 2 <= count <= _MOST_POINTS) or first == last:
        raise MeasurementError(
            f"expected 2 to {_MOST_POINTS} points between two ends, got {count:g} from {first:g} "
            f"to {last:g}"
        )
    factor, step = _label(labels, "XFACTOR", 1.0), (last - first) / (count - 1)
    y: list[float] = []
    differs = False  # whether the last value of the line before was a difference
    for line in block.lines:
        place, values, ends_so = _decode(line)
        if differs and y:
            if values[0] != y[-1]:
                raise MeasurementError(
                    f"expected the checkpoint {y[-1]:g}, got {values[0]:g} in "
                    f"{printable(line.strip()[:_SHOWN])!r}: the table is damaged"
                )
            values = values[1:]
            expected = first + step * (len(y) - 1)
        else:
            expected = first + step * len(y)
        # programs write the place of the checkpoint or of the point behind it, rounded as they like
        if abs(place * factor - expected) > _SLACK * abs(step):
            raise MeasurementError(
                f"expected a line that begins at {expected:g}, got {place * factor:g} in "
                f"{printable(line.strip()[:_SHOWN])!r}: lines are missing or the table is damaged"
            )
        y += values
        differs = ends_so
        if len(y) > count:
            break
    if differs and len(y) == count + 1 and y[-1] == y[-2]:
        y.pop()  # a last checkpoint that closes the table
    x = np.asarray(first + step * np.arange(int(count)), np.float64)
    _check_count(labels, len(y))
    return x, np.array(y, np.float64) * _label(labels, "YFACTOR", 1.0)


def _decode(line: str) -> tuple[float, list[float], bool]:
    """Return the abscissa of a line, its ordinates, and whether the last one was a difference."""
    values: list[float] = []
    difference: float | None = None
    at = 0
    text = line.strip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None or found.end() == at:
            raise MeasurementError(f"expected numbers, got {printable(text[:_SHOWN])!r}")
        at = found.end()
        number, squeezed, tail, stepped, behind, again, more, missing = found.groups()
        if missing:
            raise MeasurementError(f"expected numbers, got a missing one in {text[:_SHOWN]!r}")
        if number is not None:
            values.append(float(number))
            difference = None
        elif squeezed:
            values.append(float(_digit(squeezed, "@ABCDEFGHI", "abcdefghi") + tail))
            difference = None
        elif not values or (again and len(values) < 2):
            raise MeasurementError(f"expected an abscissa first, got {printable(text[:_SHOWN])!r}")
        elif stepped:
            difference = float(_digit(stepped, "%JKLMNOPQR", "jklmnopqr") + behind)
            values.append(values[-1] + difference)
        else:
            count = int(str("STUVWXYZs".index(again) + 1) + more)
            if count > _MOST_POINTS:
                raise MeasurementError(f"expected a table of points, got one of {count} repeats")
            for _ in range(count - 1):
                values.append(values[-1] + (difference or 0.0))
    if len(values) < 2:
        raise MeasurementError(f"expected a line of points, got {printable(text[:_SHOWN])!r}")
    return values[0], values[1:], difference is not None


def _digit(letter: str, positive: str, negative: str) -> str:
    """Return the digit, perhaps with a sign, that a letter stands for."""
    if letter in positive:
        return str(positive.index(letter))
    return f"-{negative.index(letter) + 1}"


@register("tersgen.readers", "jcamp")
class Jcamp(Reader):
    """Spectra in JCAMP-DX."""

    format = "JCAMP-DX"

    def matches(self, path: Path, head: bytes) -> bool:
        """Return whether a file begins as JCAMP-DX."""
        return is_jcamp(decoded(head, whole=False))

    def read(self, path: Path, options: ReadOptions) -> Spectrum:
        """Return the continuous spectrum in a JCAMP-DX text.

        Raises
        ------
        MeasurementError
            If it is a table of peaks, or over another axis than Raman shifts or wavelengths.
        """
        record = read_jcamp(read_text(path))
        if record.is_peaks:
            raise MeasurementError(
                "expected a spectrum, got a table of peaks; import it as a species: tersgen "
                "library import"
            )
        axis = record.x
        if record.x_unit == "nm":
            if options.laser_nm is None:
                raise MeasurementError(
                    "expected Raman shifts in cm^-1, got an axis in nm; say which laser "
                    "(--laser-nm)"
                )
            axis = shift_from_nm(axis, options.laser_nm)
        elif record.x_unit != "cm^-1":
            raise MeasurementError(f"expected an axis in cm^-1 or nm, got {record.x_unit!r}")
        return ascending(shown_name(path), axis, record.y, record.notes)
