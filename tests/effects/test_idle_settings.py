"""Each setting of each preset, changed alone: rows change, it is refused, or a warning names it."""

import hashlib
import warnings
from collections.abc import Iterator
from copy import deepcopy
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic import BaseModel

import tersgen
from tersgen import Recipe
from tersgen.errors import TersError, TersWarning
from tersgen.schema.loading import validate
from tersgen.schema.presets import PRESETS, merged

ALL = {"spectra": True, "sticks": True, "tensors": True}
SMALL = {
    "library": ["builtin:benzene", "builtin:formaldehyde", "builtin:water"],
    "grid": {"n_points": 128},
    "lineshape": {"fwhm_cm1": 80.0},
    "map": {"height": 12, "width": 12},
    "fields": ALL,
}
"""What makes rows of every preset small, and of all arrays that it may have."""
FRAME = {"frame_angstrom": [14.0, 14.0]}
QUIET = {"tip_change": 0.0, "second_apex": 0.0, "blinking": 0.0, "picocavities": 0.0}
SITES = {"library": ["sites:ethylene", "sites:formaldehyde"]}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "canonical": ("canonical", {"library": ["builtin:benzene", "random:2"]}),
    "ideal": ("ideal", {}),
    "mixture": ("mixture", {}),
    "nearfield": ("nearfield", SITES),
    "nearfield_atoms": ("nearfield_atoms", {}),
    "metal": (
        "nearfield_atoms",
        {
            "plasmon": {},
            "substrate": {"polarizability_angstrom3": [8.0, 9.0]},
            "fields": {"cube": True},
        },
    ),
    "plane": ("nearfield_atoms", {"nearfield": {"tip_field": "plane", "orientation": "flat"}}),
    "realistic": ("realistic", {"instrument": {"overexposed": 0.9}}),
    "realistic_cube": ("realistic_cube", SITES),
    "scene": ("scene", SITES | {"nearfield": FRAME}),
    "quiet scene": (
        "scene",
        SITES | {"nearfield": FRAME, "mixture": None, "scene": {"events": QUIET}},
    ),
    "structure": ("structure", SITES | {"map": {"height": 48, "width": 48}}),
}
"""A preset for each, and what is added to it."""
NONE = dict.fromkeys(("spectra", "maps", "tensors", "cube"), False)
LEFT_OUT = {
    "only spectra": ("nearfield", {"fields": {**NONE, "spectra": True}}),
    "only sticks": ("realistic", {"fields": NONE}),
    "structure alone": ("structure", {"map": {"height": 48, "width": 48}, "fields": NONE}),
    "no scene": ("scene", {"nearfield": FRAME, "fields": {**NONE, "scene": False}}),
    "no cube": ("realistic_cube", {"fields": NONE}),
}
"""The same without some arrays, so that also what makes rows small has no effect."""
EXEMPT = {
    "fields.structure": "leaves out what a recipe without a section structure lacks anyway",
    "fields.scene": "leaves out what a recipe without a section scene lacks anyway",
    "structure.store_images": "what is stored; rows are the same",
    "structure.depth_angstrom": "acts on molecules that are not flat",
    "nearfield.frame_angstrom": "a plane field is the same everywhere; pixels have other positions",
    "map.channels": "of near-field maps it is checked against the bands",
    "grid.start_cm1": "which modes there are: those of these species are all on the grid",
    "grid.stop_cm1": "which modes there are",
    "lineshape.profile": "of rows without spectra, one value is that of the preset",
    "nearfield.tip_field": "of rows without maps, one value is the default",
    "nearfield.response": "of rows without maps, one value is that of a preset",
    "scene.sites": "of rows without a scene, one value is the default",
}
"""Settings that may change nothing without a warning, and why."""


def leaves(model: BaseModel, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield path, value and type of each setting."""
    for name, info in type(model).model_fields.items():
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from leaves(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value, info.annotation


def choices(annotation: Any) -> list[Any]:
    """Return the literals of a type."""
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    return [choice for part in get_args(annotation) for choice in choices(part)]


def others(value: Any, annotation: Any) -> list[Any]:
    """Return values to try in place of one."""
    if literals := choices(annotation):
        alone = [[one] for one in literals] if isinstance(value, tuple) else literals
        return [one for one in alone if one != value]
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, dict):
        return [{"benzene": 3.0}]
    if value is None:
        return [1.0, 2, [0.5, 0.5], [600.0, 700.0], ["H"], 4]
    if isinstance(value, int):
        return [value + 1, 2 * value, max(value - 1, 0), value // 2 + 2, 1, 16, 64]
    if isinstance(value, float):
        return [1.1 * value, 0.01 * value, value + 0.5, value + 0.05, value + 5.0, value + 50.0]
    if not value:
        return [[0.6, 0.4]]
    if isinstance(value[0], tuple):
        return [
            [[one + 1 for one in row] for row in value],
            [[2 * one for one in value[0]], *value],
        ]
    if not isinstance(value[0], int | float):
        return [list(value[:1])]
    more = [[factor * one for one in value] for factor in (1.1, 0.9)]
    more += [[one + step for one in value] for step in (0.5, 0.05, 1)]
    return [*more, [value[0], *(one + 0.3 for one in value[1:])], list(reversed(value))]


def plain(value: Any) -> Any:
    """Return a tuple as a table has it, a list."""
    return [plain(one) for one in value] if isinstance(value, tuple) else value


def changed(table: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return a table with one setting changed."""
    *sections, name = path.split(".")
    inner: dict[str, Any] = {name: value}
    for section in reversed(sections):
        inner = {section: inner}
    return merged(deepcopy(table), inner)


def rows(table: dict[str, Any]) -> tuple[str, str]:
    """Return a digest of twelve rows, and the warning of settings without effect."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", TersWarning)
        recipe = tersgen.resolve(validate(Recipe, table, "recipe"))
    digest = hashlib.sha256()
    for name, values in sorted(tersgen.generate(recipe, 0, 12).items()):
        digest.update(f"{name} {values.dtype} {values.shape}".encode() + values.tobytes())
    said = [str(one.message) for one in caught]
    return digest.hexdigest(), next((line for line in said if line.startswith("no effect: ")), "")


@pytest.mark.exhaustive
@pytest.mark.parametrize("case", [*CASES, *LEFT_OUT])
def test_each_setting_acts_or_says_that_it_does_not(case):
    preset, more = {**CASES, **LEFT_OUT}[case]
    table = merged(merged(deepcopy(PRESETS[preset]), SMALL), more)
    if case in LEFT_OUT and "nearfield" in PRESETS[preset]:
        table["library"] = ["sites:ethylene", "sites:formaldehyde"]
    has_maps = table["fields"].get("maps", True) or table["fields"].get("cube")
    if case not in LEFT_OUT and not has_maps:
        del table["map"]
    before, said = rows(table)
    assert said == "" or case in LEFT_OUT, "a preset has settings without effect"
    silent = []
    for path, value, annotation in leaves(validate(Recipe, table, "recipe")):
        if path in ("generator", "library", "plugins", "effects") or path in Recipe.model_fields:
            continue
        outcomes = set()
        for other in (one for one in others(value, annotation) if one not in (value, plain(value))):
            try:
                after, said = rows(changed(table, path, other))
            except TersError:
                outcomes.add("refused")
                continue
            outcomes.add("acts" if after != before else "warns" if path in said else "silent")
            if "silent" not in outcomes and "refused" not in outcomes:
                break
        if outcomes & {"silent"} and "acts" not in outcomes and path not in EXEMPT:
            silent.append(path)
        assert outcomes, f"{path}: nothing to try in place of {value!r}"
    assert silent == []


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (
            {"nearfield": {"bands": [[0, 100]]}, "fields": {"maps": False}},
            "nearfield.bands without maps and cubes",
        ),
        ({"nearfield": {}, "map": {"n_hotspots": 9}}, "map.n_hotspots with nearfield"),
        (
            {"map": {"height": 32, "width": 32}, "fields": {"maps": False}},
            "map.height, map.width without maps and cubes",
        ),
        (
            {"instrument": {"cube": {"electrons": [9, 9]}}},
            "instrument.cube.electrons without a cube",
        ),
        (
            {"plasmon": {"relaxation_cm1": [9, 9]}},
            "plasmon.relaxation_cm1 without electronic_raman",
        ),
        (
            {"nearfield": {"tip_field": "plane", "aspect": [1, 2, 1]}},
            'nearfield.aspect with tip_field = "plane"',
        ),
        (
            {"classes": {"exponent": 2.0}, "geometry": {"quaternion": [0, 1, 0, 0]}},
            'geometry.quaternion with orientation = "random", classes.exponent with balance = '
            '"balanced"',
        ),
        (
            {"instrument": {"optics": {"luminescence": {"share": 0, "height": [1, 2]}}}},
            "instrument.optics.luminescence.height with a share of 0",
        ),
        ({"random": {"n_modes": [3, 4]}}, "random.n_modes without random species"),
    ],
)
def test_a_warning_names_settings_without_effect(table, said):
    recipe = Recipe(**{"library": ("builtin:benzene",), **table})
    with pytest.warns(TersWarning, match="no effect: ") as caught:
        resolved = tersgen.resolve(recipe)
    assert f"no effect: {said}; leave " in str(caught[0].message)
    tersgen.resolve(resolved)  # as it is stored: no warning


def test_values_of_presets_cause_no_warning():
    for name in ("nearfield", "realistic"):
        table = merged(deepcopy(PRESETS[name]), {"fields": {"maps": False}})
        tersgen.resolve(Recipe(**{**table, "library": ("builtin:benzene",)}))
