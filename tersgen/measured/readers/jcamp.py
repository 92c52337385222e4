"""Spectra in JCAMP-DX."""

from pathlib import Path

from ...errors import MeasurementError
from ...plugins import register
from ..axis import NOTHING_STATED, OPTIONS, decide_axis, evidence_of, quoted
from ..conversion import chosen_laser, to_shift
from ..jcamp import JcampRecord, is_jcamp, read_records
from ..reader import Reader, ReadOptions, decoded, read_text, shown_name
from ..spectrum import Spectrum, tried


@register("tersgen.readers", "jcamp")
class Jcamp(Reader):
    """Spectra in JCAMP-DX."""

    format = "JCAMP-DX"

    def matches(self, path: Path, head: bytes) -> bool:
        """Return whether a file begins as JCAMP-DX."""
        return is_jcamp(decoded(head, whole=False))

    def read(self, path: Path, options: ReadOptions) -> tuple[Spectrum | MeasurementError, ...]:
        """Return the continuous spectra in a JCAMP-DX text, of all blocks and pages."""
        records = [one for one in read_records(read_text(path)) if not one.is_peaks]
        if not records:
            raise MeasurementError(
                "expected a spectrum, got a table of peaks; import it as a species: tersgen "
                "library import"
            )
        name = shown_name(path)
        names = [name] if len(records) == 1 else [f"{name}[{k}]" for k in range(len(records))]
        return tuple(
            _spectrum(one, record, options) for one, record in zip(names, records, strict=True)
        )


def _spectrum(name: str, record: JcampRecord, options: ReadOptions) -> Spectrum | MeasurementError:
    evidence = evidence_of(*record.x_texts)
    if not evidence and options.stated == NOTHING_STATED:
        unit = quoted(record.x_texts[0]) if record.x_texts else "none"
        raise MeasurementError(
            f"expected ##XUNITS= of a Raman spectrum, as 1/CM or NANOMETERS, got {unit}; {OPTIONS}"
        )
    meaning = decide_axis(evidence, record.x, options.stated)
    laser, notes = chosen_laser(record.laser_nm, meaning, options.laser_nm)
    shift, converted = to_shift(record.x, meaning, laser, options.vacuum)
    return tried(name, shift, record.y, (*record.notes, *notes, *converted), meaning)
