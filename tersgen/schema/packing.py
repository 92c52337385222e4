"""A species as a page and arrays, and back: what its digest covers and what a library stores."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import LibraryError
from .columns import ARRAYS, PAGE, Values
from .digest import canonical_json
from .species import Species

_SIX = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))


_ARRAY_OF = {
    "masses_amu": "mass",
    "hessian": "hessian",
    "polarizability": "polarizability",
    "atom_polarizabilities": "atom_polarizability",
    "sites": "site",
    "image_tips": "image_tip",
}
"""Array of each quantity of a species, by the name of the quantity."""


def six(tensors: Values) -> Values:
    """Return the symmetric part of tensors, shape (..., 3, 3), as six numbers, shape (..., 6)."""
    both = 0.5 * (tensors + np.swapaxes(tensors, -1, -2))
    return np.stack([both[..., i, j] for i, j in _SIX], axis=-1)


def matrices(numbers: Values) -> Values:
    """Return symmetric tensors, shape (..., 3, 3), from six numbers each, shape (..., 6)."""
    out = np.empty((*numbers.shape[:-1], 3, 3), numbers.dtype)
    for k, (i, j) in enumerate(_SIX):
        out[..., i, j] = out[..., j, i] = numbers[..., k]
    return out


def _of_modes(one: Species, name: str, shape: tuple[int, ...]) -> Values | None:
    """Return a quantity of the atoms of each mode in turn; None if no mode has it."""
    parts = [getattr(mode, name) for mode in one.modes]
    if not one.atoms or all(part is None for part in parts):
        return None
    unknown = np.full((len(one.atoms), *shape), np.nan)
    return np.concatenate([unknown if p is None else np.array(p, np.float64) for p in parts])


def pack(one: Species) -> dict[str, Values]:
    """Return a species as its page and arrays."""
    inside = {"modes", "atoms", *_ARRAY_OF}
    page = one.model_dump(mode="json", exclude_defaults=True, exclude=inside)
    found: dict[str, Any] = {
        "frequency": [mode.frequency_cm1 for mode in one.modes],
        "tensor": [mode.tensor for mode in one.modes],
        **{array: getattr(one, name) for name, array in _ARRAY_OF.items()},
        "displacement": _of_modes(one, "displacements", (3,)),
    }
    if any(mode.irrep is not None for mode in one.modes):
        page["irreps"] = [mode.irrep for mode in one.modes]
    if any(mode.fwhm_cm1 is not None for mode in one.modes):
        found["fwhm"] = [np.nan if m.fwhm_cm1 is None else m.fwhm_cm1 for m in one.modes]
    if one.atoms is not None:
        page["symbols"] = [atom.symbol for atom in one.atoms]
        found["position"] = [atom.position for atom in one.atoms]
    shares = _of_modes(one, "atom_tensors", (3, 3))
    found["atom_tensor"] = None if shares is None else six(shares)
    for name in ("site_response", "image"):
        if all(getattr(mode, name) is not None for mode in one.modes):
            found[name] = [getattr(mode, name) for mode in one.modes]
    if one.atom_polarizabilities:
        found["atom_polarizability"] = six(np.array(one.atom_polarizabilities, np.float64))
    found[PAGE] = np.frombuffer(canonical_json(page).encode(), np.uint8)
    return {
        name: np.ascontiguousarray(found[name], kind).reshape(-1, *shape)
        for name, (kind, shape) in ARRAYS.items()
        if found.get(name) is not None
    }


def _split_modes(arrays: Mapping[str, Values], name: str, n_modes: int) -> list[Any]:
    """Return a quantity of each mode's atoms as lists, None where it is not known."""
    values = arrays.get(name)
    if values is None or not len(values):
        return [None] * n_modes
    if name == "atom_tensor":
        values = matrices(values)
    parts = values.reshape(n_modes, -1, *values.shape[1:])
    return [None if np.isnan(part).any() else part.tolist() for part in parts]


def unpack(page: Mapping[str, Any], arrays: Mapping[str, Values]) -> Species:
    """Return a species from its page and arrays."""

    def listed(name: str) -> Any:
        values = arrays.get(name)
        return None if values is None or not len(values) else values.tolist()

    try:
        n_modes = len(arrays["frequency"])
        columns = {
            "frequency_cm1": listed("frequency"),
            "tensor": listed("tensor"),
            "irrep": page.get("irreps") or [None] * n_modes,
            "fwhm_cm1": [
                None if np.isnan(one) else one for one in listed("fwhm") or [np.nan] * n_modes
            ],
            "atom_tensors": _split_modes(arrays, "atom_tensor", n_modes),
            "displacements": _split_modes(arrays, "displacement", n_modes),
            "site_response": _split_modes(arrays, "site_response", n_modes),
            "image": _split_modes(arrays, "image", n_modes),
        }
        modes = [
            dict(zip(columns, values, strict=True))
            for values in zip(*columns.values(), strict=True)
        ]
        atoms = None
        if "symbols" in page:
            places = zip(page["symbols"], listed("position") or (), strict=True)
            atoms = [{"symbol": symbol, "position": place} for symbol, place in places]
        numbers = arrays.get("atom_polarizability")
        known = {name: page[name] for name in Species.model_fields if name in page}
        return Species.model_validate(
            {
                **known,
                "modes": modes,
                "atoms": atoms,
                **{quantity: listed(array) for quantity, array in _ARRAY_OF.items()},
                "atom_polarizabilities": (
                    None if numbers is None or not len(numbers) else matrices(numbers).tolist()
                ),
            }
        )
    except (ValueError, LookupError, TypeError) as error:  # a ValidationError is a ValueError
        text = " ".join(str(error).split())[:200]
        raise LibraryError(
            f"{page.get('name')!r:.80}: its arrays do not make a species: {text}"
        ) from None
