"""``tersgen library isotopes``."""


def test_benzene_d6_is_a_library_to_build_from(good, bad, tmp_path):
    command = ("library", "isotopes", "benzene", "--substitute", "H=D", "-o", "d6.tlib")
    assert "wrote d6.tlib: 1 species (benzene-d6), 30 modes" in good(*command, cwd=tmp_path)
    assert "holds benzene-d6 already" in good(*command, cwd=tmp_path)
    line = bad(*command, "--name", "d6/../x", cwd=tmp_path)
    assert "benzene: name: " in line
    shown = good("library", "show", "d6.tlib", cwd=tmp_path)
    assert "benzene-d6  C6H6  D6h" in shown
    assert "uncertainty of the frequencies 20 cm^-1" in shown
    good(
        *("build", "--library", "d6.tlib", "--n", "8", "--out", "d6.zarr"),
        *("--set", "perturbations.uncertain_frequencies=true", "--set", "fields.maps=false"),
        cwd=tmp_path,
    )
    line = bad(
        "library", "isotopes", "builtin", "--substitute", "H=D", "-o", "x.tlib", cwd=tmp_path
    )
    assert "expected one molecule, got" in line
    line = bad("library", "isotopes", "silicon", "--substitute", "Si=29Si", "-o", "x.tlib",
               cwd=tmp_path)  # fmt: skip
    assert "silicon: expected" in line
