"""``tersgen inspect`` as a user types it."""

import json

import numpy as np
import pytest

AXIS = np.arange(200.0, 1201.0, 10.0)


@pytest.fixture
def folder(tmp_path):
    """Return a folder of a map of LabSpec, a text, arrays and a file that cannot be read."""
    rows = ["\t\t" + "\t".join(f"{x:g}" for x in AXIS)]
    for k in range(4):
        values = 100 + (k + 1) * np.exp(-(((AXIS - 700) / 30) ** 2))
        rows.append("\t".join([f"{k // 2}", f"{k % 2}", *(f"{one:.3f}" for one in values)]))
    (tmp_path / "map.txt").write_text("\n".join(rows))
    (tmp_path / "plain $x$.txt").write_text("".join(f"{x} {x % 7}\n" for x in AXIS))
    (tmp_path / "z.txt").write_text("nothing\n")
    np.savez(tmp_path / "rows.npz", spectra=np.arange(303.0).reshape(3, 101), shift_cm1=AXIS)
    return tmp_path


def test_what_is_in_files(folder, quick_cli):
    text = quick_cli.good("inspect", folder / "map.txt", folder / "plain $x$.txt")
    assert "map.txt: LabSpec map .txt" in text
    assert "axis    Raman shifts, cm^-1" in text
    assert "spectra 4 of 101 points" in text
    assert "range   200.00 to 1200.00 cm^-1" in text
    assert "map     2 rows x 2 columns, step x 1 um, y 1 um" in text
    assert "note    axis without a unit" in text
    assert "plain $x$.txt: text of two columns" in text
    assert "spectra 3 of 101 points" in quick_cli.good("inspect", folder / "rows.npz")


def test_one_spectrum_of_a_map(folder, quick_cli):
    text = quick_cli.good("inspect", folder / "map.txt", "--spectrum", 3)
    assert "spectra 1 of 101 points" in text
    assert "expected 0 to 3, got '4'" in quick_cli.bad(
        "inspect", folder / "map.txt", "--spectrum", 4
    )


def test_a_picture(folder, quick_cli):
    picture = folder / "a.png"
    text = quick_cli.good(
        "inspect", folder / "map.txt", folder / "plain $x$.txt", "--plot", picture
    )
    assert f"wrote {picture}" in text
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_json_and_files_that_cannot_be_read(folder, quick_cli):
    (one,) = json.loads(quick_cli.good("inspect", "--json", folder / "map.txt"))["files"]
    assert (one["name"], one["n_spectra"], one["n_points"]) == ("map.txt", 4, [101, 101])
    assert one["range_cm1"] == [200.0, 1200.0]
    error = quick_cli.bad("inspect", folder / "z.txt", folder / "map.txt")
    assert "z.txt: expected at least two rows" in error
    assert "no such file" in quick_cli.bad("inspect", folder / "none")


def test_a_file_of_many_spectra_none_of_which_can_be_used(folder, quick_cli):
    path = folder / "two.jdx"
    one = (
        "##TITLE=a\n##JCAMP-DX=4.24\n##DATA TYPE=RAMAN SPECTRUM\n##XUNITS=1/CM\n"
        "##YUNITS=COUNTS\n##NPOINTS=3\n##XYPOINTS=(XY..XY)\n100,5 300,6 200,7\n##END=\n"
    )
    link = "##TITLE=all\n##JCAMP-DX=4.24\n##DATA TYPE=LINK\n##BLOCKS=2\n"
    path.write_text(f"{link}{one}{one}##END=\n")
    error = quick_cli.bad("inspect", path)
    assert f"{path}: expected a spectrum that can be used, got none: two.jdx[0]: " in error
    for options in ([], ["--skip-bad"]):
        error = quick_cli.bad("ingest", path, "--label", "x", "--out", folder / "a.zarr", *options)
        assert f"{path}: " in error


def test_what_ingest_would_refuse(folder, quick_cli):
    path = folder / "few.txt"
    path.write_text("100 5\n200 6\n300 5\n")
    wanted = "note    tersgen ingest refuses it: expected a spectrum, of 8 points or more, got 3"
    assert wanted in quick_cli.good("inspect", path)
    assert "refuses" not in quick_cli.good("inspect", folder / "map.txt")
