"""What strengths in tables are; observed ones come out of a build as they were observed."""

import tempfile
from pathlib import Path

import numpy as np
import pytest

import tersgen
from tersgen import Recipe
from tersgen.errors import ConfigError, LibraryError, TersWarning
from tersgen.jobs.plan import make_plan
from tersgen.jobs.run import run
from tersgen.library.importing import read_species
from tersgen.library.intensities import NOTHING_SAID, Observation, Statement, to_activities
from tersgen.numeric.tensor import activity
from tersgen.resolution import build_library
from tersgen.schema.library import Library

POLYSTYRENE = Path(__file__).parents[2] / "examples" / "sticks" / "polystyrene.csv"
LASER = "# laser: 785 nm\n"
JCAMP = (
    "##TITLE=calcite\n##JCAMP-DX=4.24\n##DATA TYPE=RAMAN PEAK TABLE\n##XUNITS=1/CM\n"
    "##YUNITS=RELATIVE\n##PEAK TABLE=(XYW..XYW)\n1086,100,4 281,30,10\n##END=\n"
)


def factor(shift, laser_nm, kelvin):
    """nu0 (nu0 - nu)^3 / (nu (1 - exp(-hc nu / kT))): Long (2002), ch. 5, for photons."""
    nu = 1e7 / laser_nm
    return nu * (nu - shift) ** 3 / (shift * (1 - np.exp(-1.438776877 * shift / kelvin)))


def read(text, file="a.csv", **said):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, file)
        path.write_bytes(text.encode())
        (species,) = read_species(path, said=Statement(**said))
    return species


def activities(species):
    return [activity(np.array(mode.tensor)) for mode in species.modes]


@pytest.mark.parametrize("laser_nm", [532.0, 785.0])
@pytest.mark.parametrize("kind", ["observed area", "observed height"])
def test_activities_times_the_stokes_factor_are_what_was_observed(kind, laser_nm):
    rows = np.array([[156.0, 17.0, 8.0], [1086.0, 100.0, 4.0], [3054.0, 30.0, 10.0]])
    made = to_activities(rows, Observation(kind, laser_nm, 298.0))
    back = made[:, 1] * factor(made[:, 0], laser_nm, 298.0) / factor(1000.0, laser_nm, 298.0)
    wanted = rows[:, 1] * (rows[:, 2] if kind == "observed height" else 1.0)
    np.testing.assert_allclose(back, wanted, rtol=1e-6)


@pytest.mark.parametrize("kind", ["area", "height"])
def test_a_build_gives_the_strengths_that_were_observed(tmp_path, kind):
    table = tmp_path / "polystyrene.csv"
    text = POLYSTYRENE.read_text().replace("observed height", f"observed {kind}")
    table.write_text(f"# temperature: 310 K\n{text}")
    rows = np.loadtxt(POLYSTYRENE, delimiter=",", skiprows=1, comments=["#", "p"])
    recipe = Recipe(
        library=(str(table),),
        grid={"start_cm1": 550.0, "stop_cm1": 3150.0, "n_points": 26001},
        geometry={"laser_nm": 785.0, "temperature_k": 310.0},
        perturbations={"shift_cm1": 0, "mode_shift_cm1": 0, "width": (1, 1), "intensity": 0},
        noise={"spectrum": (0, 0)},
        fields={"maps": False, "tensors": False, "precision": "float32"},
    )
    plan = make_plan(tersgen.resolve(recipe), 2, "zarr", shard_rows=256)
    run(plan, tmp_path / "data.zarr")
    dataset = tersgen.open(tmp_path / "data.zarr")
    spectrum, shifts = dataset["spectra"][0].astype(np.float64), dataset.shift_cm1
    made = []
    for position, _, width in rows:
        # as wide for a narrow band as for a broad one: the same part of each area
        band = spectrum[np.abs(shifts - position) < 0.9 * width]
        made.append(band.sum() if kind == "area" else band.max())
    np.testing.assert_allclose(np.array(made) / made[2], rows[:, 1] / rows[2, 1], rtol=5e-3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# intensity: observed height\n# laser: 785 nm\n# temperature: 300 K\n281,30\n", {}),
        ("#Intensity = Observed  Height\n281,30 # laser: 785.0nm\n##temperature:300k\n", {}),
        ("shift,peak height\n281,30\n", {"laser_nm": 785, "temperature_k": 300}),
        (f"{LASER}281,30\n", {"intensity": "observed height", "temperature_k": 300}),
        (f"{LASER}shift,height\n281,30\n", {"temperature_k": 300, "laser_nm": 785}),
    ],
)
def test_every_way_to_say_the_same(text, said):
    species = read(text, **said)
    origin = species.provenance
    assert (origin.intensity, origin.laser_nm) == ("observed height", 785.0)
    assert origin.observed_temperature_k == 300.0
    wanted = 30 * factor(1000, 785, 300) / factor(281, 785, 300)
    assert activities(species) == pytest.approx([wanted], rel=1e-6)


@pytest.mark.parametrize(
    "text", ["# intensity: activity\n281,30\n", "shift,Raman activity\n281,30\n"]
)
def test_activities_stay_as_they_are(text):
    species = read(text)
    assert activities(species) == pytest.approx([30], rel=1e-12)
    (page,) = Library([species]).pages
    assert set(page["provenance"]) == {"kind", "file", "sha256", "note"}, "digests would change"


def test_a_table_that_says_nothing_is_taken_as_observed_and_warned_of_once():
    with pytest.warns(
        TersWarning, match="a.csv: does not .* assumed observed area, 532 nm, 298"
    ) as told:
        species = read("shift,intensity\n1000,30\n2000,30\n")
    assert len(told) == 1
    assert species.provenance.laser_nm == 532
    assert "not stated and assumed: observed area, 532 nm, 298 K" in species.provenance.note
    ratio = factor(1000, 532, 298) / factor(2000, 532, 298)
    assert activities(species) == pytest.approx([30, 30 * ratio], rel=1e-6)
    with pytest.warns(TersWarning, match=r"assumed 532 nm, 298 K; state .*# laser:"):
        read("shift,area\n1000,30\n")
    with pytest.warns(TersWarning, match="assumed observed area, 298 K"):
        read(f"{LASER}1000,30\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("shift,height\n281,30\n", {}),
        ("# intensity: observed height\n281,30\n", {}),
        ("281,30\n", {"intensity": "observed height"}),
    ],
)
def test_a_laser_that_is_missing_is_assumed_whoever_says_the_rest(text, said):
    with pytest.warns(TersWarning, match=r"assumed 532 nm, 298 K; state"):
        species = read(text, **said)
    assert (species.provenance.intensity, species.provenance.laser_nm) == ("observed height", 532)


def test_what_is_known_of_heights_and_of_the_response_is_kept():
    head = f"# intensity: observed height\n{LASER}# response: Uncorrected, silicon CCD\n"
    with pytest.warns(TersWarning, match="a.csv: has observed heights without widths; assumed one"):
        origin = read(f"{head}281,30\n1086,100\n").provenance
    read(f"{head}281,30,4\n1086,100,5\n")
    assert origin.response == "uncorrected, silicon CCD"
    for part in ("assumed: 298 K", "one width of all bands assumed", "response of the instrument"):
        assert part in origin.note
    assert "one width" not in read(f"{head}281,30,4\n1086,100,5\n").provenance.note
    head = head.replace("Uncorrected, silicon CCD", "corrected")
    assert "response of" not in read(f"{head}281,30\n").provenance.note


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# intensity: observed areas\n1,2\n", ": activity, observed area or observed height"),
        ("# intensty: activity\n1,2\n", "expected # intensity: .* got '# intensty: activity'"),
        ("# temperatures: 298 K\n1,2\n", "# temperature: 298 K"),
        *(
            (f"# laser: {wrong}\n1,2\n", "# laser: 785 nm; .* got '# laser: ")
            for wrong in (". nm", "0 nm", "785", "0.785 um", "12739 cm-1", "1.58 eV", "-785 nm",
                          "1e3 nm", "785.4.2 nm", "40 nm", "nan nm", "")
        ),
        *(
            (f"# temperature: {wrong}\n1,2\n", "# temperature: 298 K")
            for wrong in (". K", "0 K", "25 C", "298", "room")
        ),
        ("# response: yes\n1,2\n", "# response: corrected or uncorrected"),
        (f"{LASER}# laser: 532 nm\n1,2\n", "expected one laser, got 785.0 and 532.0"),
        ("# intensity: observed area\nshift,height\n1,2\n", "heading of observed h"),
        ("# intensity: activity\nshift,area\n1,2\n", "expected the activity that is stated"),
        (f"{LASER}shift,activity\n1,2\n", "expected activities alone"),
        ("# response: corrected\n# intensity: activity\n1,2\n", "expected activities alone"),
        (f"# intensity: observed area\n{LASER}100,1\n12800,2\n", "below the 12739 cm"),
        (f"# intensity: observed height\n{LASER}1,2,3\n2,3,\n", "a width for every observed h"),
    ],
)  # fmt: skip
def test_what_is_refused_is_one_line(text, message):
    with pytest.raises(LibraryError, match=message) as caught:
        read(text)
    assert str(caught.value).startswith("a.csv: ")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_other_comments_are_passed_over():
    ruler = "#" * 10_000
    prose = f"{ruler}\n# density: 2.7 g/cm3\n# layer: 3\n# laser power: 5 mW\n## at 25 C: dry\n"
    assert activities(read(f"{prose}shift,activity\n1,2\n")) == pytest.approx([2])


@pytest.mark.parametrize(
    ("text", "said", "message"),
    [
        (f"# intensity: observed area\n{LASER}1,2\n", {"laser_nm": 532}, "one laser_nm, got 785.0"),
        ("# intensity: activity\n1,2\n", {"intensity": "observed area"}, "one intensity, got act"),
        ("shift,activity\n1,2\n", {"intensity": "observed area", "laser_nm": 532}, "heading of a"),
        ("shift,activity\n1,2\n", {"temperature_k": 300}, "expected activities alone"),
        ('{"species": [], "modes": []}', {"laser_nm": 785}, "got a library JSON, whose strengths"),
    ],
)  # fmt: skip
def test_options_that_contradict_are_one_line(text, said, message):
    with pytest.raises(LibraryError, match=message) as caught:
        read(text, **said)
    assert "\n" not in str(caught.value)


def test_options_are_for_the_tables_among_the_sources(tmp_path):
    (tmp_path / "one.csv").write_text(f"# intensity: observed area\n{LASER}1000,30\n")
    (tmp_path / "two.csv").write_text("shift,area\n2000,30\n")
    tables = (str(tmp_path / "one.csv"), str(tmp_path / "two.csv"))
    said = Statement(laser_nm=785)
    library = build_library(Recipe(library=("builtin:water", "random:1", *tables)), said)
    lasers = [one.provenance.laser_nm for one in library.species]
    assert lasers == [None, None, 785, 785]
    for sources in (("builtin", "crystals"), ("builtin:water", "random:2", "unknown:3")):
        with pytest.raises(ConfigError, match="got no file"):
            build_library(Recipe(library=sources), said)
    with pytest.raises(ConfigError, match="got no file"):
        tersgen.resolve(Recipe(library=library, fields={"n_modes": 2}), said)


def test_a_library_file_knows_its_strengths(tmp_path):
    from tersgen.library.libraryfile import library_parts

    path = tmp_path / "a.tlib"
    made = Library([read(f"# intensity: observed area\n{LASER}1000,30\n")])
    path.write_bytes(b"".join(library_parts(made)))
    (species,) = read_species(path)
    assert species.provenance.laser_nm == 785
    assert species == made[0]
    with pytest.raises(LibraryError, match="got a library file, whose strengths are known"):
        read_species(path, said=Statement(laser_nm=785))
    assert read_species(path, said=NOTHING_SAID) == (species,)


def test_peaks_of_jcamp_are_heights():
    own = "##$INTENSITY= observed area\n##$LASER= 785 nm $$ diode\n##PEAK"
    with pytest.warns(
        TersWarning, match=r"assumed observed height, 532 nm.*##\$LASER= 785 nm"
    ) as told:
        species = read(JCAMP, "a.jdx")
    assert len(told) == 1
    wanted = [300 / factor(281, 532, 298), 400 / factor(1086, 532, 298)]
    made = activities(species)
    assert made[0] / made[1] == pytest.approx(wanted[0] / wanted[1], rel=1e-6)
    assert species.provenance.intensity == "observed height"
    assert read(JCAMP.replace("##PEAK", own)).provenance.intensity == "observed area"
    assert activities(read(JCAMP.replace("RELATIVE", "ACTIVITY"))) == pytest.approx([30, 100])
    with pytest.raises(LibraryError, match=r"##\$LASER= 785 nm; .* got '##\$LASER= 785'"):
        read(JCAMP.replace("##PEAK", "##$LASER= 785\n##PEAK"))
