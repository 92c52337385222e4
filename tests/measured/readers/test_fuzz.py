"""Thousands of damaged files: no traceback, no hang, no memory beyond 1 GiB."""

import io

import numpy as np
import pytest

TEXTS = {
    "two.txt": "Raman shift (cm-1)\tIntensity\n"
    + "".join(f"{100 + k}\t{k % 7 * 10}\n" for k in range(40)),
    "comma.csv": "# laser: 532 nm\nWellenl\xe4nge [nm];Intensit\xe4t\n"
    + "".join(f"5{40 + k},25;{k % 7 * 10},5\n" for k in range(40)),
    "a.jdx": "##TITLE=x\n##JCAMP-DX=4.24\n##DATA TYPE=RAMAN SPECTRUM\n##XUNITS=1/CM\n"
    "##YUNITS=COUNTS\n##XFACTOR=1\n##YFACTOR=0.5\n##FIRSTX=100\n##LASTX=104\n##NPOINTS=5\n"
    "##FIRSTY=1\n##XYDATA=(X++(Y..Y))\n100 2 4 6\n103 8 10\n##END=\n",
    "packed.jdx": "##TITLE=x\n##JCAMP-DX=4.24\n##DATA TYPE=RAMAN SPECTRUM\n##XUNITS=1/CM\n"
    "##YUNITS=COUNTS\n##FIRSTX=0\n##LASTX=16\n##NPOINTS=17\n##XYDATA=(X++(Y..Y))\n0AJT%jX%JX\n"
    "##END=\n",
    "pages.jdx": "##TITLE=x\n##JCAMP-DX=5.00\n##DATA TYPE=RAMAN SPECTRUM\n"
    "##NTUPLES=RAMAN SPECTRUM\n##VAR_NAME=SHIFT,COUNTS\n##SYMBOL=X,Y\n"
    "##VAR_DIM=3,3\n##UNITS=1/CM,COUNTS\n##PAGE=N=1\n"
    "##DATA TABLE=(XY..XY),XYDATA\n1,2 2,3 3,1\n##END NTUPLES=\n##END=\n",
    "a.msa": "#FORMAT      : EMSA/MAS Spectral Data File\n#VERSION     : 1.0\n#TITLE       : x\n"
    "#DATE        : 01-JAN-2026\n#TIME        : 12:00\n#OWNER       : me\n#NPOINTS     : 5.\n"
    "#NCOLUMNS    : 1.\n#XUNITS      : 1/cm\n#YUNITS      : \n#DATATYPE    : Y\n"
    "#XPERCHAN    : 2.\n#OFFSET      : 100.\n#SPECTRUM    : \n0.0\n1.0\n4.0\n9.0\n5.0\n"
    "#ENDOFDATA   : \n",
}


@pytest.mark.exhaustive
def test_ten_thousand_damaged_files(corpus, make, fuzzed):
    pytest.importorskip("rsciio")
    arrays, cubes = io.BytesIO(), io.BytesIO()
    np.savez_compressed(arrays, spectra=make.MAP, shift_cm1=make.AXIS, x_um=[0, 1, 2] * 2,
                        y_um=[0, 0, 0, 1, 1, 1], label=["quartz", "calcite"] * 3)  # fmt: skip
    np.save(cubes, make.MAP.reshape(6, 8, 8))
    # HDF5 and MATLAB are read in processes of their own; test_damage damages some of these.
    files = {name: content for name, content in corpus.items() if name not in ("a.nxs", "a.mat")}
    files |= {name: text.encode("latin-1") for name, text in TEXTS.items()}
    places = [(0.0, 0.0), (0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0), (0.0, 1.0)]
    files |= {
        "a.xml": make.horiba(),
        "a.wdf": make.wdf(places),
        "a.npz": arrays.getvalue(),
        "a.npy": cubes.getvalue(),
    }
    files["utf16.txt"] = TEXTS["two.txt"].encode("utf-16")
    fuzzed("readers", files, 5000)
