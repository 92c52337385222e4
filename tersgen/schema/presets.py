"""Recipes by name, for ``--preset``: what differs from the defaults."""

from typing import Any

Table = dict[str, Any]

_MOLECULES = (
    *("4-aminothiophenol", "4-mercaptopyridine", "4-nitrothiophenol", "adenine", "benzene"),
    *("cytosine", "naphthalene", "pyrazine", "pyridine", "thiophenol", "thymine"),
)

_PLANAR = ("benzene", "ethylene", "formaldehyde", "formic_acid", "pyrazine", "pyridine")
_SITES = {
    "response": "sites",
    "tip_field": "dipole",
    "apex_radius_angstrom": [1.0, 3.0],
    "dipole_tilt_deg": [0.0, 20.0],
}
"""The response that agrees with ab-initio images, in the field that does (docs/nearfield.md)."""

DEFAULT_PRESET, ATOMS_PRESET = "nearfield", "nearfield_atoms"
"""What is built without a preset and a recipe; the second, if a library is given."""

PRESETS: dict[str, Table] = {
    "nearfield": {
        "library": ["sites"],
        "geometry": {"orientation": "random"},
        "grid": {"start_cm1": 50.0},
        "lineshape": {"profile": "lorentzian"},
        "nearfield": {
            **_SITES,
            "height_angstrom": [2.5, 4.0],
            "apex_angstrom": 1.0,
            "orientation": "tilted",
            "max_tilt_deg": 20.0,
            "frame_angstrom": [12.0, 12.0],
            "bands": [[300.0, 900.0], [900.0, 1300.0], [1300.0, 1800.0], [2000.0, 3900.0]],
        },
        "fields": {"maps": True},
    },
    "nearfield_atoms": {
        "library": [f"builtin:{name}" for name in _MOLECULES],
        "geometry": {"orientation": "random"},
        "grid": {"start_cm1": 50.0},
        "lineshape": {"profile": "lorentzian"},
        "nearfield": {
            # defaults, but a preset before it may have others
            "response": "atoms",
            "tip_field": "radial",
            "width_angstrom": [4.0, 6.0],
            "height_angstrom": [2.5, 4.0],
            "apex_angstrom": 1.0,
            "orientation": "tilted",
            "max_tilt_deg": 20.0,
            "bands": [[300.0, 900.0], [900.0, 1300.0], [1300.0, 1800.0], [2800.0, 3900.0]],
        },
        "fields": {"maps": True},
    },
    "canonical": {},
    "ideal": {
        "noise": {"spectrum": [0.0, 0.0], "map": [0.0, 0.0]},
        "instrument": None,
        "fields": {"maps": False},  # which are near-field maps if their preset comes after it
    },
    "realistic": {
        "geometry": {"orientation": "powder"},
        "lineshape": {"profile": "lorentzian", "fwhm_cm1": 7.0},
        "perturbations": {
            "shift_cm1": 0.5,
            "mode_shift_cm1": 0.5,
            "uncertain_frequencies": True,
            "width": [0.6, 1.8],
            "intensity": 0.4,
        },
        "noise": {"map": [0.002, 0.02]},
        "instrument": {
            "resolution_cm1": [2.0, 14.0],
            "axis_shift_cm1": 2.0,
            "axis_stretch": 0.001,
            "fluorescence": [0.03, 30.0],
            "fluorescence_share": 0.85,
            "response": 0.25,
            "missing": [0.05, 0.7],
            "electrons": [300.0, 300000.0],
            "dark": [0.0, 300.0],
            "gain": [0.15, 0.77],
            "bias": [1000.0, 1110.0],
            "read_noise": [3.0, 12.0],
            "full_well": 400000.0,
            "bits": 16,
            "cosmic_rays": 0.4,
            "cosmic_height": [0.05, 5.0],
            "overexposed": 0.1,
            "overexposure": [1.0, 5.0],
            "optics": {
                "lasers_nm": [532.0, 532.0, 633.0, 785.0, 785.0, 830.0, 1064.0],
                "fluorescence_decay_nm": 150.0,
                "bleaching": [0.05, 5.0],
                "support": ["glass", "silica", "quartz", "silicon", "water", "pet"],
                "support_share": 0.25,
                "support_height": [0.02, 0.5],
                "luminescence": {"height": [0.03, 30.0], "share": 0.3},
                "edge_cm1": [40.0, 200.0],
                "edge_width_cm1": [10.0, 60.0],
                "edge_ripple": 0.03,
                "rayleigh": [0.01, 5.0],
                "rayleigh_share": 0.6,
                "rayleigh_width_cm1": [30.0, 120.0],
                "silicon_um": [10.0, 40.0],
                "etaloning": 0.25,
                "fixed_pattern": [0.001, 0.01],
                "visible": 0.3,
            },
            "scan": {
                "drift_px": 2.0,
                "blur_px": [0.0, 1.5],
                "blinks": 1.5,
                "dead": 1.0,
                "electrons": [200.0, 20000.0],
            },
        },
        "fields": {"maps": False},
    },
    "realistic_cube": {
        "library": ["sites"],
        "geometry": {"orientation": "random"},
        "grid": {"start_cm1": 200.0},
        "lineshape": {"profile": "lorentzian"},
        "map": {"height": 32, "width": 32, "background": [0.02, 0.2]},
        "nearfield": {
            **_SITES,
            "height_angstrom": [2.5, 4.0],
            "apex_angstrom": 1.0,
            "orientation": "tilted",
            "max_tilt_deg": 20.0,
            "frame_angstrom": [12.0, 12.0],
        },
        "perturbations": {"mode_shift_cm1": 1.5, "width": [0.6, 1.8], "intensity": 0.4},
        "instrument": {
            "gain": [0.5, 1.0],
            "bias": [300.0, 700.0],
            "read_noise": [1.0, 4.0],
            "full_well": 150000.0,
            "bits": 16,
            "scan": {"drift_px": 2.0, "blur_px": [0.0, 1.0], "blinks": 1.5, "dead": 1.0},
            "cube": {
                "electrons": [50.0, 1000.0],
                "dark": [0.0, 3.0],
                "cosmic_rays": 0.003,
                "cosmic_height": [0.2, 5.0],
            },
        },
        "fields": {"spectra": False, "maps": False, "tensors": False, "cube": True},
    },
    "mixture": {"mixture": {}, "fields": {"maps": False}},
    "structure": {
        "library": [f"sites:{name}" for name in _PLANAR],
        "geometry": {"orientation": "random"},
        "grid": {"start_cm1": 50.0},
        "lineshape": {"profile": "lorentzian"},
        "map": {"height": 128, "width": 128},
        "nearfield": {
            **_SITES,
            "height_angstrom": [2.5, 3.5],
            "apex_angstrom": 1.0,
            "bands": [
                *([100.0, 500.0], [500.0, 800.0], [800.0, 1050.0], [1050.0, 1250.0]),
                *([1250.0, 1450.0], [1450.0, 1700.0], [1700.0, 1900.0], [2500.0, 3900.0]),
            ],
        },
        "structure": {"store_images": False},
        "fields": {"spectra": False, "maps": True, "sticks": False, "tensors": False},
    },
    "scene": {
        "library": [f"sites:{name}" for name in _PLANAR],
        "geometry": {"orientation": "random"},
        "grid": {"start_cm1": 50.0},
        "lineshape": {"profile": "lorentzian"},
        "nearfield": {
            **_SITES,
            "apex_radius_angstrom": [0.5, 1.5],
            "height_angstrom": [2.5, 3.0],
            "apex_angstrom": 0.0,
            "frame_angstrom": [40.0, 40.0],
            "bands": [
                *([100.0, 500.0], [500.0, 800.0], [800.0, 1050.0], [1050.0, 1250.0]),
                *([1250.0, 1450.0], [1450.0, 1700.0], [1700.0, 1900.0], [2500.0, 3900.0]),
            ],
        },
        "scene": {
            "superlattice": [[3, 0], [0, 3]],
            "sites": ["top", "fcc", "hcp"],
            "domains": [1, 4],
            "vacancies": [0.0, 0.3],
            "jitter_angstrom": 0.2,
            "turn_deg": 5.0,
            "events": {
                "tip_change": 0.2,
                "change_width": [0.8, 1.3],
                "change_height_angstrom": [-0.1, 0.15],
                "second_apex": 0.1,
                "second_distance_angstrom": [28.0, 36.0],
                "blinking": 0.2,
                "picocavities": 0.2,
            },
        },
        "mixture": {"n_species": [1, 2], "least": 0.2, "of": "molecules"},
        "fields": {"spectra": False, "maps": True, "sticks": False, "tensors": False},
    },
}
"""``nearfield``: maps of single molecules under a tip, in four bands, by their ab-initio response
at sites. ``nearfield_atoms``: those of any molecules with atom tensors, by the sum over atoms,
which is off by about half. ``structure``: planar molecules in eight bands, with their atoms and
bonds. ``scene``: many molecules of one or two species on a surface. ``realistic_cube``: single
molecules with a spectrum at each pixel, counted by a detector during a scan. ``mixture``: spectra
of up to three species. ``ideal``: spectra without noise and instrument. ``realistic``: spectra of
powders and liquids as instruments record them, over ranges that spectrometers have and measured
spectra show (docs/instruments.md). Presets of near-field maps come after these two, which leave
maps out; those after ``realistic`` are recorded by its scan. ``canonical``: the defaults of all
settings; its maps are test patterns of hotspots."""


def merged(below: Table, above: Table) -> Table:
    """Return two tables as one; where both have a value, that of ``above`` holds.

    >>> merged({"map": {"height": 8, "width": 8}}, {"map": {"width": 9}})
    {'map': {'height': 8, 'width': 9}}
    """
    table = dict(below)
    for name, value in above.items():
        both = isinstance(value, dict) and isinstance(table.get(name), dict)
        table[name] = merged(table[name], value) if both else value
    return table
