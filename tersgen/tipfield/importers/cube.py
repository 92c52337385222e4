"""A potential as a Gaussian cube: E = -grad phi, real.

The format: two comments; number of atoms and origin; for each axis the number of points and its
vector, in Bohr, or in Angstrom if that number is negative; the atoms; the values, z fastest.
"""

from pathlib import Path

import numpy as np

from ...errors import ConfigError, LibraryError
from ...library.sourcefile import open_source
from ...plugins import register
from ...units import BOHR_ANGSTROM
from ..sources import FieldImporter, Fields, Placement


@register("tersgen.field_importers", "cube")
class Cube(FieldImporter):
    """Potentials, by the name of the file and how it begins."""

    format = "potential as a Gaussian cube"

    def matches(self, path: Path, head: bytes) -> bool:
        """Return whether a file is named as a cube is, or has its beginning."""
        lines = head.split(b"\n")[2:6]
        sizes = [len(line.split()) for line in lines]
        return path.suffix.lower() in (".cube", ".cub") and len(sizes) == 4 and min(sizes) >= 4

    def read(self, path: Path, placement: Placement) -> Fields:  # noqa: ARG002 - the file says it
        """Return the field of a potential."""
        try:
            lines = open_source(path).text.split("\n")
            head = [[float(one) for one in line.split()] for line in lines[2:6]]
            n_atoms, origin = int(head[0][0]), np.array(head[0][1:4])
            counts = [int(row[0]) for row in head[1:]]
            vectors = np.array([row[1:4] for row in head[1:]])
            values = np.array(" ".join(lines[6 + abs(n_atoms) :]).split(), np.float64)
        except (LibraryError, ValueError, IndexError) as error:
            reason = " ".join(str(error).split())[:100]
            raise ConfigError(f"{path}: expected a Gaussian cube, got: {reason}") from None
        shape = tuple(abs(count) for count in counts)
        if n_atoms < 0 or len(values) != shape[0] * shape[1] * shape[2] or min(shape) < 3:
            raise ConfigError(
                f"{path}: expected one potential at each of {shape[0]} x {shape[1]} x {shape[2]} "
                f"points, at least 3 along each axis, got {len(values)} values"
            )
        if np.abs(vectors - np.diag(np.diag(vectors))).max() > 1e-6 or np.diag(vectors).min() <= 0:
            raise ConfigError(f"{path}: expected axes along x, y and z, got others; export it so")
        unit = 1.0 if min(counts) < 0 else BOHR_ANGSTROM
        x, y, z = (unit * (origin[k] + vectors[k, k] * np.arange(shape[k])) for k in range(3))
        potential = values.reshape(shape)
        field = -np.stack(np.gradient(potential, x, y, z, edge_order=2))
        return Fields((x, y, z), [field.astype(np.complex128)])
