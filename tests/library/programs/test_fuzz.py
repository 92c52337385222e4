"""Thousands of damaged files of modes: no traceback, no hang, no memory beyond 1 GiB."""

import pytest

TEXTS = {
    "sticks.txt": "# intensity: observed height\n# laser: 785 nm\nmode;shift [cm-1];height;width\n"
    "1;100,5;12,5;4\n2;200,25;3;5,5\n3;1001,5;20,5;6\n",
    "peaks.jdx": "##TITLE=calcite\n##JCAMP-DX=4.24\n##DATA TYPE=RAMAN PEAK TABLE\n##XUNITS=1/CM\n"
    "##YUNITS=ACTIVITY\n##NPOINTS=2\n##PEAK TABLE=(XYW..XYW)\n1086,100,4 281,30,10\n##END=\n",
    "tensors.csv": "frequency [THz],xx [bohr^2 amu^-1/2],yy,zz,xy,xz,yz\n15,1,2,3,0,0,0\n",
    "vasp.txt": "# mode  freq(cm-1)  alpha  beta2  activity\n001  1336.24  0.5  0.2  12.65\n",
    "phonopy.yaml": "frequency_units: thz\nraman_activities:\n- frequency: 3.0\n"
    "  raman_tensor: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 2.0]]\n",
    "species.json": '{"name": "x", "provenance": {"kind": "unknown"}, "modes": [{"frequency_cm1": '
    '500.0, "tensor": [[1, 0, 0], [0, 1, 0], [0, 0, 2]]}]}\n',
}


@pytest.mark.exhaustive
def test_ten_thousand_damaged_files(outputs, solids, orca_hess, small_fchk, fuzzed):
    files = {f"output{k}.out": text for k, text in enumerate(outputs.values())}
    files |= {f"{name}.out": text for name, text in solids.items()} | TEXTS
    files |= {"a.hess": orca_hess, "a.fchk": small_fchk}
    fuzzed("importers", {name: text.encode() for name, text in files.items()}, 5000)
