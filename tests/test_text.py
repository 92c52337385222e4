"""One export is one text, whether it is read as a spectrum or as sticks."""

import pytest

from tersgen.errors import MeasurementError
from tersgen.library.importing import read_species
from tersgen.library.intensities import Statement
from tersgen.library.sourcefile import decoded as of_modes
from tersgen.measured.reader import decoded as of_spectrum
from tersgen.measured.reading import read_spectrum

TEXTS = {
    "utf-8": "波数\t強度\t5 Å\n",
    "utf-8-sig": "波数\t強度\n1\t2\n",
    "utf-16": "波数\t強度\n1\t2\n",
    "utf-16-le": "波数 (cm-1)\t強度 (counts)\n100.5\t2\n",
    "utf-16-be": "Частота (cm-1)\t强度 (counts)\n100.5\t2\n",
    "cp1252": "Wellenlänge „nm“\t€\n",
    "latin-1": "Wellenlänge\t\x81\x8d\n",
}


@pytest.mark.parametrize("encoding", TEXTS)
def test_spectra_and_modes_are_decoded_alike(encoding):
    content = TEXTS[encoding].encode(encoding)
    assert of_modes(content) == TEXTS[encoding]
    assert of_spectrum(content) == TEXTS[encoding]
    assert of_spectrum(content, whole=False) == TEXTS[encoding]


@pytest.mark.parametrize("decoded", [of_modes, lambda content: of_spectrum(content, whole=False)])
def test_a_beginning_may_end_within_a_character(decoded):
    assert decoded("Länge 波".encode()[:-1]) == "Länge "


def test_one_export_as_a_spectrum_and_as_sticks(tmp_path):
    path = tmp_path / "s.txt"
    rows = "".join(f"{200 + 10 * k}\t{5 + k}\n" for k in range(12))
    path.write_bytes(f"ラマンシフト (cm-1)\t强度 (counts)\n{rows}".encode("utf-16-le"))
    said = Statement(intensity="observed area", laser_nm=532.0)
    (species,) = read_species(path, said=said)
    assert [mode.frequency_cm1 for mode in species.modes] == read_spectrum(path).shift_cm1.tolist()


def test_what_is_no_text_is_no_spectrum():
    with pytest.raises(MeasurementError, match="got a binary file"):
        of_spectrum(b"12\0\0\0 34")
    with pytest.raises(MeasurementError, match="no UTF-16"):
        of_spectrum("1 2".encode("utf-16") + b"\0\xd8")
