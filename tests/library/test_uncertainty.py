"""Uncertainties of frequencies: stated ones, and those of sources."""

import numpy as np
import pytest

from tersgen.library.builtin import load_builtin
from tersgen.library.uncertainty import (
    SHARED,
    SHARED_SEMI_EMPIRICAL,
    error_spreads,
    frequency_uncertainties,
    frequency_uncertainty,
    of_source,
)
from tersgen.schema.library import Library


@pytest.mark.parametrize(
    ("provenance", "expected"),
    [
        ({"kind": "random"}, 0.0),
        ({"kind": "unknown"}, 0.0),
        ({"kind": "sticks"}, 1.0),
        ({"kind": "published"}, 1.0),
        ({"kind": "computed", "method": "GFN2-xTB"}, 35.0),
        ({"kind": "computed", "method": "RKS b3lyp/6-31g(d)", "scaling": 0.9614}, 20.0),
        ({"kind": "fchk", "method": "RB3LYP/6-31G(d)"}, 60.0),
        ({"kind": "phonopy"}, 20.0),
        (
            {
                "kind": "computed",
                "method": "GFN1-xTB",
                "levels": {"frequencies": "B3LYP"},
                "scaling": 0.97,
            },
            20.0,
        ),
    ],
)
def test_what_a_source_says(provenance, expected):
    assert of_source(provenance) == expected


def test_a_stated_one_holds():
    benzene = load_builtin("benzene")
    stated = benzene.model_copy(update={"name": "stated", "frequency_uncertainty_cm1": 7.5})
    library = Library([benzene, stated])
    assert frequency_uncertainties(library).tolist() == [20.0, 7.5]
    assert [frequency_uncertainty(one) for one in library] == [20.0, 7.5]


def test_variances_add_up_and_low_modes_stay_positive():
    benzene = load_builtin("benzene")
    update = {"kind": "computed", "method": "GFN2-xTB", "levels": None}
    xtb = benzene.provenance.model_copy(update=update)
    library = Library(
        benzene.model_copy(
            update={"name": name, "provenance": origin, "frequency_uncertainty_cm1": 24.0}
        )
        for name, origin in (("dft", benzene.provenance), ("xtb", xtb))
    )
    frequency = np.array([60.0, 900.0, 1500.0, 3000.0] * 2)
    own, common, family = error_spreads(library, frequency, np.repeat([0, 1], 4))
    np.testing.assert_allclose(own**2 + common**2, np.array([10.0, 24.0, 24.0, 24.0] * 2) ** 2)
    shares = np.repeat([SHARED, SHARED_SEMI_EMPIRICAL], 4)
    np.testing.assert_allclose(common**2, shares * (own**2 + common**2))
    assert family.tolist() == [0, 0, 1, 2] * 2
