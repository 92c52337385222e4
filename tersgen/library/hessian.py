"""Hessians as central differences of analytic gradients, with symmetry saving most of them.

Only one atom of each set of equivalent ones is displaced, along axes adapted to its site, and
not along -x where an operation turns +x into it. docs/decisions/0003-quantum-chemistry.md compares
it with the analytic Hessian.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .pointgroup import MATCH, PointGroup

Floats = NDArray[np.float64]


def hessian_from_gradients(
    gradient: Callable[[Floats], Floats],
    coordinates: Floats,
    group: PointGroup,
    step: float,
    report: Callable[[str], None],
) -> Floats:
    """Return the second derivatives of an energy from its gradients.

    Parameters
    ----------
    gradient
        Function from coordinates to dE/dR, both (n_atoms, 3), in bohr and hartree/bohr.
    coordinates
        Shape (n_atoms, 3), bohr, symmetric under the group.
    group
        The molecule's point group.
    step
        Displacement, bohr.
    report
        Called with one line per gradient.

    Returns
    -------
    Floats
        hartree/bohr^2, shape (n_atoms, n_atoms, 3, 3), H[i, j, a, b] = d2E / dR_ia dR_jb; not yet
        averaged over the group.
    """
    n = len(coordinates)
    out = np.zeros((n, n, 3, 3))
    unique = [i for i in range(n) if group.images[:, i].min() == i]
    done = 0
    for i in unique:
        site = [
            (operation, image)
            for operation, image in zip(group.operations, group.images, strict=True)
            if image[i] == i
        ]
        for axis in _site_axes(np.array([operation for operation, _ in site])):
            shift = np.zeros((n, 3))
            shift[i] = step * axis
            done += 1
            report(f"gradient {done} of a displaced atom, {len(unique)} unique atoms")
            plus = gradient(coordinates + shift)
            flip = next((s for s in site if np.abs(s[0] @ axis + axis).max() < MATCH), None)
            if flip is not None:
                minus = np.zeros_like(plus)
                minus[flip[1]] = plus @ flip[0].T
            else:
                minus = gradient(coordinates - shift)
            out[i] += np.einsum("a,jb->jab", axis, (plus - minus) / (2 * step))
    for j in range(n):
        if j in unique:
            continue
        i = int(group.images[:, j].min())
        which = int(np.flatnonzero(group.images[:, i] == j)[0])
        operation, image = group.operations[which], group.images[which]
        out[j][image] = operation @ out[i] @ operation.T
    return out


def _site_axes(site: Floats) -> Floats:
    """Return three orthonormal axes, as rows, adapted to operations (n, 3, 3) of a site."""
    generic = np.array([[1.0, 0.3, 0.2], [0.3, 2.0, 0.1], [0.2, 0.1, 3.5]])
    average = np.mean([one @ generic @ one.T for one in site], axis=0)
    axes: Floats = np.linalg.eigh(average)[1].T
    return axes
