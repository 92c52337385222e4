"""What an axis is: words, units and numbers, in every layout that programs write them."""

from itertools import permutations

import numpy as np
import pytest

from tersgen.errors import MeasurementError
from tersgen.measured.axis import Stated, decide_axis, evidence_of, unit_named
from tersgen.measured.axis_words import Meaning, meaning_of, no_intensity
from tersgen.measured.conversion import to_shift
from tersgen.measured.reader import ReadOptions
from tersgen.measured.readers.text import parse_spectrum
from tersgen.measured.spectrum import shift_from_nm
from tersgen.measured.wavelengths import vacuum_nm

LASER = 532.0
SHIFT = np.arange(200.0, 1801.0, 5.0)
INTENSITY = 100 + 900 * np.exp(-(((SHIFT - 1000) / 20) ** 2))
LASER_CM1 = 1e7 / LASER


def in_air(shift, laser_nm):
    """Return the wavelengths in air of Raman shifts, by bisection: no step of the reader's way."""
    wanted = 1e7 / (1e7 / vacuum_nm(np.array(laser_nm)) - shift)
    low, high = wanted * 0.99, wanted.copy()
    for _ in range(60):
        middle = (low + high) / 2
        below = vacuum_nm(middle) < wanted
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return low


NM = in_air(SHIFT, LASER)
AXES = {
    "cm-1": SHIFT,
    "nm": NM,
    "um": NM / 1e3,
    "angstrom": NM * 10,
    "eV": (LASER_CM1 - SHIFT) / 8065.543937349212,
    "absolute": LASER_CM1 - SHIFT,
    "optical meV": (LASER_CM1 - SHIFT) / 8.065543937349212,
    "meV": SHIFT / 8.065543937349212,
    "THz": SHIFT / 33.35640951981521,
    "Hz": SHIFT / 33.35640951981521 * 1e12,
    "m-1": SHIFT * 100,
    "pixel": np.arange(len(SHIFT)) * 1.0,
    "degrees": np.linspace(10, 80, len(SHIFT)),
    "seconds": np.linspace(0, 60, len(SHIFT)),
}
RIGHT = {  # headings by which an axis is read: without a laser, or only with one
    "cm-1": (
        "Raman shift (cm-1)", "Raman shift/cm-1", "Wavenumber", "Wavenumber / cm⁻¹", "1/cm",
        "Ramanverschiebung (cm-1)", "Wellenzahl", "Décalage Raman (cm-1)", "Nombre d'onde (cm-1)",
        "Número de onda", "Spostamento Raman", "ラマンシフト", "波数 / cm-1", "拉曼位移",
        "拉曼频移",
        "shift_cm1", "Δν (cm-1)", "Rel. 1/cm", "Wavenumber (cm−1)", "Frequency (cm-1)",  # noqa: RUF001
        "Raman shift (cm�1)", "Raman shift @532nm (cm-1)", "#Wave", "X", "Raman shift (cm^{-1})",
    ),
    "meV": ("Raman shift (meV)", "Energy shift (meV)", "Raman-Verschiebung [meV]"),
    "THz": ("Raman shift (THz)", "frequency/THz", "Frequenz (THz)", "周波数 (THz)"),
    "Hz": ("Frequency [Hz]", "Hz"),
    "m-1": ("Raman shift (m-1)", "wavenumber (m^-1)"),
}  # fmt: skip
WITH_LASER = {
    "nm": (
        "Wavelength (nm)", "nm", "Wave [nm]", "nanometers", "Wavelength", "wavelength_nm",
        "Wellenlänge", "Longueur d’onde (nm)", "Longitud de onda", "Lunghezza d'onda", "波長 (nm)",  # noqa: RUF001
        "波长", "λ/nm", "lambda", "X (nm)", "Wavelengths",
    ),
    "um": ("Wavelength (um)", "Wavelength (µm)", "micrometers", "Wavelength"),
    "angstrom": ("Wavelength (Angstrom)", "Wavelength (Å)", "Wavelength (A)", "Wavelength"),
    "eV": ("Energy (eV)", "Photonenenergie [eV]", "eV", "エネルギー (eV)", "光子能量 (eV)"),
    "absolute": ("Absolute wavenumber (cm-1)", "Wavenumber (cm-1)", "Abs. 1/cm", "絶対波数 (cm-1)"),
    "optical meV": ("Photon energy (meV)", "meV"),
}  # fmt: skip
REFUSED = {
    "pixel": (
        "Pixel", "Pixels #", "Pixel number", "Channel", "Kanal", "Index", "Point", "No.",
        "ピクセル",
        "像素", "X", "",
    ),
    "degrees": ("2Theta", "2θ (°)", "Two theta", "Angle (deg)", "Winkel", "q (nm-1)", ""),
    "seconds": ("Time (s)", "Zeit", "Temps (s)", "tempo (s)", "時間 (s)", "s", "min", "Delay (ps)"),
    "cm-1": (
        "Chemical shift (ppm)", "m/z", "Temperature (K)", "Raman shift (nm)", "Wavelength (cm-1)",
        "Position (µm)", "Binding energy (eV)",
    ),
    "eV": ("Energy", "Raman shift", "X", ""),
    "absolute": ("Raman shift (cm-1)", "X", ""),
    "nm": ("X", "#Wave", "Raman", ""),
}  # fmt: skip


def table(name, separator="\t"):
    lines = (separator.join(f"{v:.8g}" for v in p) for p in zip(AXES[name], INTENSITY, strict=True))
    return "\n".join(lines) + "\n"


LAYOUTS = {
    "csv": lambda h, n: f"{h},Intensity\n{table(n, ',')}",
    "blanks": lambda h, n: f"{h} Intensity\n{table(n, ' ')}",
    "comment": lambda h, n: f"# {h}\tcounts\n{table(n)}",
    "key": lambda h, n: f"# X axis: {h}\n# Y axis: counts\n# exposure: 10 s\n{table(n, ' ')}",
    "xunits": lambda h, n: f"TITLE\tx\nXUNITS\t{h}\nYUNITS\tcounts\nXYDATA\n{table(n)}",
    "labspec": lambda h, n: f"#AxisUnit[0]=\tCnt\n#AxisUnit[1]=\t{h}\n{table(n)}",
    "units": lambda h, n: f"{h}\tIntensity\n\ta.u.\n{table(n)}",
}


def is_right(text, kind=None, unit=None, **options):
    said = ReadOptions(stated=Stated(kind, unit), **options)
    spectrum = parse_spectrum(text, "s", said)
    assert spectrum.shift_cm1 == pytest.approx(SHIFT, abs=0.01)
    assert spectrum.axis is not None
    return True


def refused(text, kind=None, unit=None, **options):
    said = ReadOptions(stated=Stated(kind, unit), **options)
    with pytest.raises(MeasurementError) as caught:
        parse_spectrum(text, "s", said)
    assert str(caught.value).isprintable()
    return str(caught.value)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_axis_by_its_heading(layout):
    made = LAYOUTS[layout]
    for name, headings in RIGHT.items():
        for heading in headings:
            assert is_right(made(heading, name)), (name, heading)
    for name, headings in WITH_LASER.items():
        for heading in headings:
            assert "--laser-nm" in refused(made(heading, name)), (name, heading)
            assert is_right(made(heading, name), laser_nm=LASER), (name, heading)
    for name, headings in REFUSED.items():
        for heading in headings:
            assert "--axis" in refused(made(heading, name), laser_nm=LASER), (name, heading)


@pytest.mark.parametrize(
    "heading",
    [
        "Absorbance", "Absorbance (a.u.)", "%T", "Transmittance (%)", "T (%)", "Reflectance", "Abs",
        "Extinktion", "Absorption", "Transmissionsgrad", "Durchlässigkeit", "Trasmittanza", "OD",
        "Absorbancia", "吸光度", "透過率", "透射率", "反射率", "Kubelka-Munk", "log(1/R)",
    ],
)  # fmt: skip
def test_what_is_no_scattered_intensity(heading):
    for text in (
        f"Wavenumber (cm-1)\t{heading}\n",
        f"# Y axis: {heading}\n",
        f"YUNITS={heading}\n",
    ):
        assert "not a Raman spectrum" in refused(text + table("cm-1"))


@pytest.mark.parametrize(
    "heading",
    ["Intensity (a.u.)", "Intensität", "Abs. intensity", "強度", "Sample 1", "", "CCD cts"],
)
def test_what_may_be_an_intensity(heading):
    assert not no_intensity(heading)
    assert is_right(f"Raman shift (cm-1)\t{heading}\n{table('cm-1')}")


def test_a_measurement_of_another_kind():
    for line in ("DATA TYPE\tINFRARED SPECTRUM", "# Measurement mode: Transmittance"):
        assert "expected a Raman spectrum" in refused(f"{line}\nXUNITS\t1/CM\n{table('cm-1')}")
    assert is_right(f"DATA TYPE\tRAMAN SPECTRUM\nXUNITS\t1/CM\n{table('cm-1')}")


@pytest.mark.parametrize(
    ("name", "unit", "axis"),
    [
        ("Raman shift", "meV", "meV"), ("Raman shift", "1/cm", "cm-1"), ("Wavelength", "nm", "nm"),
        ("Wavelength", "Å", "angstrom"), ("X", "nm", "nm"), ("Energy", "eV", "eV"),
    ],
)  # fmt: skip
def test_a_unit_on_a_line_of_its_own(name, unit, axis):
    for first, second in permutations((f"{name}\tIntensity\n", f"{unit}\tcounts\n")):
        for more in ("", "\tsample 1\n", "Comment\tmineral\n"):
            assert is_right(first + second + more + table(axis), laser_nm=LASER)


def test_evidence_that_contradicts_itself_is_quoted():
    seen = ("Raman shift (cm-1)", "Wavelength (nm)", "Energy (eV)", "Pixel")
    for above, heading in permutations(seen, 2):
        message = refused(f"# X axis: {above}\n{heading}\tI\n{table('cm-1')}", laser_nm=LASER)
        assert above in message, (above, heading)
        assert heading in message, (above, heading)


def test_the_user_has_the_last_word():
    odd = f"Pixel\tIntensity\n{table('cm-1')}"
    assert is_right(odd, kind="shift")
    assert is_right(f"X\tI\n{table('nm')}", kind="wavelength", laser_nm=LASER)
    assert is_right(f"X\tI\n{table('um')}", unit="um", laser_nm=LASER)
    assert is_right(f"X\tI\n{table('meV')}", unit="mev")
    assert is_right(f"Raman shift\tI\n{table('THz')}", unit="thz")
    assert is_right(f"Raman shift\tI\n{table('absolute')}", kind="absolute", laser_nm=LASER)
    assert is_right(table("eV"), kind="energy", laser_nm=LASER)
    assert is_right(f"Wavelength (Å)\tI\n{table('angstrom')}", kind="wavelength", laser_nm=LASER)
    assert is_right(f"Raman shift (cm-1)\tI\n{table('absolute')}", kind="absolute", laser_nm=LASER)
    assert "--axis wavelength: expected a unit" in refused(odd, kind="wavelength", unit="ev")


def test_a_stated_kind_alone_does_not_overrule_a_unit():
    for heading in ("Delta lambda (nm)", "Time (s)", "Raman shift (nm)", "Pixel (px)"):
        text = f"{heading}\tCounts\n{table('cm-1')}"
        message = refused(text, kind="shift")
        assert f"got '{heading}' in the file" in message
        assert message.endswith("--axis shift --unit cm-1")
        spectrum = parse_spectrum(text, "s", ReadOptions(stated=Stated("shift", "cm-1")))
        assert spectrum.shift_cm1 == pytest.approx(SHIFT)
        overruled = f"the file says '{heading}', overruled by --axis shift --unit cm-1"
        assert spectrum.notes == (overruled,)
        assert spectrum.axis.evidence == ()
    message = refused(f"Raman shift (cm-1)\tI\n{table('nm')}", kind="wavelength")
    assert message.endswith("--axis wavelength --unit nm")


def test_what_a_stated_axis_overrules_is_noted():
    text = f"Wavelength (nm)\tI\n{table('cm-1')}"
    for stated, options in (
        (Stated(unit="cm-1"), "--unit cm-1"), (Stated("shift", "cm-1"), "--axis shift --unit cm-1"),
    ):  # fmt: skip
        (note,) = parse_spectrum(text, "s", ReadOptions(stated=stated)).notes
        assert note == f"the file says 'Wavelength (nm)', overruled by {options}"
    (note,) = parse_spectrum(
        f"Wavelength\tI\n{table('cm-1')}", "s", ReadOptions(stated=Stated("shift"))
    ).notes
    assert note == "the file says 'Wavelength', overruled by --axis shift"
    for heading in ("Raman shift (cm-1)", "Wavenumber", "X"):
        text = f"{heading}\tI\n{table('cm-1')}"
        for stated in (Stated("shift"), Stated("shift", "cm-1"), Stated(unit="cm-1")):
            assert parse_spectrum(text, "s", ReadOptions(stated=stated)).notes == ()


@pytest.mark.parametrize("heading", ["", "X\tY\n", "#Wave\t#Intensity\n"])
def test_an_axis_that_nothing_names_is_noted(heading):
    numbers = np.arange(100.0, 500.0)
    rows = "".join(f"{x:g}\t{x % 7:g}\n" for x in numbers)
    spectrum = parse_spectrum(heading + rows, "s")
    assert spectrum.notes == ("axis without a unit: taken as Raman shifts in cm^-1",)


@pytest.mark.parametrize(("first", "step"), [(0.5, 1), (0, 2), (1, 2), (1, 1), (0, 1)])
def test_numbers_of_pixels_without_a_heading(first, step):
    numbers = first + step * np.arange(400.0)
    rows = "".join(f"{x:g}\t{x % 7:g}\n" for x in numbers)
    for heading in ("", "X\tY\n"):
        assert "they may be numbers of pixels" in refused(heading + rows)
        stated = ReadOptions(stated=Stated("shift"))
        assert parse_spectrum(heading + rows, "s", stated).shift_cm1 == pytest.approx(numbers)


def test_a_range_in_the_stated_unit_and_in_wavenumbers():
    message = refused(f"Raman shift (cm-1)\tI\n{table('cm-1')}", unit="mev")
    assert "200 to 1800 meV (1613.1 to 14518 cm^-1)" in message
    assert "1613.1 to 14518 cm^-1" in refused(table("cm-1"), kind="shift", unit="mev")
    assert "shifts of -4500 to 10000 cm^-1" in refused(table("absolute"), kind="shift")


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("1/nm", "nm-1"), ("nm^-1", "nm-1"), ("nm⁻¹", "nm-1"), ("Wavenumber (1/nm)", "nm-1"),
        ("k [nm-1]", "nm-1"), ("inverse nanometers", "nm-1"), ("1/µm", "um-1"), ("um^-1", "um-1"),
        ("Raman shift (µm⁻¹)", "um-1"), ("1/Å", "angstrom-1"), ("q (1/A)", "angstrom-1"),
        ("Å^-1", "angstrom-1"), ("1/pm", "pm-1"), ("Wavelength / nm", "nm"), ("λ/µm", "um"),
    ],
)  # fmt: skip
def test_reciprocal_lengths_are_no_wavelengths(text, unit):
    assert meaning_of(text).unit == unit


def test_axes_in_reciprocal_lengths():
    for unit, factor in (("1/nm", 1e-7), ("µm⁻¹", 1e-4)):
        rows = "".join(f"{x * factor:.8g}\t{y:g}\n" for x, y in zip(SHIFT, INTENSITY, strict=True))
        assert is_right(f"Raman shift ({unit})\tI\n{rows}")
        assert is_right(rows, unit=unit_named(unit))
    assert "which is a scattering angle" in refused(f"(1/Å)\tI\n{table('cm-1')}")
    assert "contradicts itself" in refused(f"Wavelength (1/nm)\tI\n{table('nm')}")


def test_units_as_users_spell_them():
    spelt = {"cm^-1": "cm-1", "1/cm": "cm-1", "nm": "nm", "µm": "um", "A": "angstrom", "eV": "ev"}
    assert {text: unit_named(text) for text in spelt} == spelt
    with pytest.raises(MeasurementError, match="--unit: expected one of"):
        unit_named("furlong")


def test_the_laser_that_a_heading_states():
    for line in ("#Laser (nm)=\t532.0", "# Excitation wavelength: 532 nm", "Anregung: 532nm"):
        text = f"{line}\nWavelength (nm)\tI\n{table('nm')}"
        spectrum = parse_spectrum(text, "s")
        assert spectrum.shift_cm1 == pytest.approx(SHIFT, abs=0.01)
        assert "laser of 532 nm, as the heading says" in spectrum.notes
        assert "may mean wavelengths" in refused(f"{line}\n{table('nm')}")
        assert is_right(f"{line}\n{table('cm-1')}")  # 200 nm is far from a laser of 532 nm
    odd = parse_spectrum(
        f"# laser 514.5 nm\nWavelength (nm)\tI\n{table('nm')}", "s", ReadOptions(532.0)
    )
    assert "the heading says a laser of 514.5 nm, --laser-nm another" in odd.notes
    two = f"# laser 532 nm\n# laser 785 nm\nWavelength (nm)\tI\n{table('nm')}"
    assert "--laser-nm" in refused(two)


def test_a_laser_that_cannot_be_right():
    message = refused(f"Wavelength (nm)\tI\n{table('nm')}", laser_nm=785.0)
    assert "is it the right laser?" in message


def test_a_range_on_both_sides_of_the_laser_that_no_spectrum_has():
    message = refused(table("cm-1"), kind="wavelength", laser_nm=785.0)
    assert "-37248 to 7181 cm^-1" in message
    assert "shifts of -20000 to 10000 cm^-1" in message
    assert "is it the right laser?" in message
    assert "from photon energies of" in refused("0.5 5\n5 7\n", kind="energy", laser_nm=785.0)
    wide = "".join(f"{x:g}\t{x % 7:g}\n" for x in np.linspace(350.0, 1000.0, 500))
    visible = parse_spectrum(wide, "s", ReadOptions(532.0, stated=Stated("wavelength")))
    assert visible.shift_cm1[[0, -1]] == pytest.approx([-9775, 8797], abs=5)
    around = np.linspace(700.0, 900.0, 50)  # -1547 to 1628 cm^-1 for 785 nm
    rows = "".join(f"{x:g}\t{x % 7:g}\n" for x in around)
    stated = ReadOptions(785.0, stated=Stated("wavelength"))
    assert parse_spectrum(rows, "s", stated).shift_cm1[0] == pytest.approx(-1547, abs=1)


@pytest.mark.parametrize(
    ("heading", "what"),
    [("m/z", "another quantity"), ("Time (s)", "a time"), ("Pixel", "a number of pixels")],
)
def test_axes_of_another_quantity(heading, what):
    message = refused(f"{heading}\tI\n{table('cm-1')}")
    assert f"expected Raman shifts, got '{heading}', which is {what}" in message
    assert message.endswith("state --axis shift --unit cm-1")


def test_air_and_vacuum_by_lines_of_the_nist_database():
    # Ne I, Na I D2, Hg I and He-Ne: wavelengths in air and in vacuum, nm, as printed there
    air = np.array([640.2248, 588.995095, 546.0750, 632.8162])
    vacuum = np.array([640.4018, 589.158324, 546.2268, 632.9912])
    assert vacuum_nm(air) == pytest.approx(vacuum, abs=1.5e-4)
    with pytest.raises(MeasurementError, match="above 185 nm"):
        vacuum_nm(np.array([150.0, 500.0]))


def test_a_shift_depends_on_the_medium():
    wavelength = 1e7 / (LASER_CM1 - 3000.0)
    assert shift_from_nm(np.array([wavelength]), LASER, vacuum=True) == pytest.approx([3000.0])
    assert shift_from_nm(np.array([wavelength]), LASER) == pytest.approx([2999.15], abs=0.02)
    text = f"Wavelength (nm)\tI\n{table('nm')}"
    assert parse_spectrum(text, "s", ReadOptions(LASER, vacuum=True)).shift_cm1[-1] == (
        pytest.approx(1800.5, abs=0.05)
    )


def test_the_decision_says_what_it_saw():
    evidence = evidence_of("Energy", "THz", "sample 3")
    assert [one.text for one in evidence] == ["Energy", "THz"]
    found = decide_axis(evidence, AXES["THz"])
    assert (found.kind, found.unit, found.evidence) == ("shift", "thz", ("Energy", "THz"))
    assert to_shift(AXES["THz"], found, None)[1] == ("axis converted from THz to cm^-1",)
    assert decide_axis((), SHIFT, Stated("energy")).unit == "ev"


def test_a_quantity_is_no_unit():
    assert meaning_of("sample 5 meV") == Meaning(None, None)
    assert meaning_of("Raman shift @ 785 nm") == Meaning("shift", None)


@pytest.mark.parametrize(
    "line",
    [
        "XAxis mode: Wavelengths", "x_unit: nm", "XUNIT=nm", "XLabel=Wavelength (nm)", "Units: nm",
        "XDataKind=Nanometer", "X axis,Wavelength (nm)", "AxisType[1]=Wavelength", "x-scale: nm",
        "Columns: Wavelength (nm), Intensity", "1. column: wavelength / nm", "X-Achse: Wellenlänge",
        "Axe X : longueur d'onde", "Eje X: longitud de onda", "Asse X: lunghezza d'onda",
        "X軸: 波長", "X轴: 波长", "Abszisse: Wellenlänge", "Spectral units: nm", "unit of axis: nm",
    ],
)  # fmt: skip
def test_keys_of_programs(line):
    for mark in ("", "# "):
        text = f"{mark}{line}\n{mark}exposure: 10 s\n{table('nm')}"
        assert "--laser-nm" in refused(text)
        assert is_right(text, laser_nm=LASER)


@pytest.mark.parametrize("line", ["Wavelengths of lamps in nm", "data in meV", "first column THz"])
def test_a_mention_does_not_convert(line):
    name = "meV" if "meV" in line else "THz" if "THz" in line else "nm"
    text = f"# {line}\n# exposure: 10 s\n# power: 1\n# by: me\n# today\n{table(name)}"
    assert "whose unit is known" in refused(text, laser_nm=LASER)


@pytest.mark.parametrize(
    "lines",
    [
        "# time series 3\n", "Sample no 3\nExposure time 10 s\n", "Channels: 1024\n", "Point 3\n",
        "# Temperature (K): 300\n", "# concentration 5 ppm\n", "Mode\tKinetic\n", "# 2 mass %\n",
        "# absorbance corrected\nRaman shift\tCounts\n", "Scan time\t5 min\n",
        "# pulse energy 3 nJ\n",
        "File\tabsorption_3.txt\nRaman shift\tCounts\n", "x (um)=3\ny (um)=4\n", "Scale: 5\n",
        "##NAMES=Quartz\n##LOCALITY=Mass, USA\n", "Temperature (K)\troom\nShift\tInt\n",
        "Channel\tA\nRaman Shift (cm-1)\tCounts\n", "# Position: x = 3 um\n", "Units: counts\n",
        "Method: Raman 785 nm\n", "Laser wavelength (nm)\t785\nRaman shift\tCounts\n",
    ],
)  # fmt: skip
def test_lines_that_say_nothing_of_the_axis(lines):
    assert is_right(lines + table("cm-1"))
