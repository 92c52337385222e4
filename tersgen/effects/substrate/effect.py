"""Change of the Raman tensors of a molecule above a metal surface."""

import numpy as np
from numpy.typing import NDArray

from ...numeric._jit import kernel
from ...numeric.tensor import quaternion_to_matrix, rotate
from ...random import streams
from ...random.philox import between, philox
from ...schema.fields import FieldSpec
from ...schema.library import Library
from ..base import Array, ArraySpec, Effect, Parameter, Tile, spec
from ..sections import Sections
from .kernels import image_factor
from .settings import Substrate as Section

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]

PARAMETERS = (
    Parameter("distance", "Angstrom", "distance from the image plane (Angstrom)"),
    Parameter("polarizability", "Angstrom^3", "mean polarizability (Angstrom^3)"),
    Parameter("f_xx", "1", "F_xx (1)"),
    Parameter("f_yy", "1", "F_yy (1)"),
    Parameter("f_zz", "1", "F_zz (1)"),
)
"""What ``params/substrate`` holds of each row, in order."""


class Substrate(Effect[Section]):
    """Fills ``image_factor``, the matrices F of Eq. (4.3), float64, shape (n, S, 3, 3)."""

    stage = "modes"
    section = "substrate"

    def __init__(self, recipe: Sections, library: Library) -> None:
        super().__init__(recipe, library)
        stated = self.settings.polarizability_angstrom3
        self._stated = np.array(stated or (), np.float64)
        own = np.zeros((len(library), 3, 3))
        if stated is None:
            own = library.array("polarizability")[0].reshape(-1, 3, 3)
        self._own = own

    @classmethod
    def fields(cls, recipe: Sections) -> list[FieldSpec]:  # noqa: ARG003 - the same for all
        """Return what is drawn, and the factors of the first species."""
        text = "image dipole of the first species; "
        text += ", ".join(one.description for one in PARAMETERS)
        sizes = {"substrate_parameter": len(PARAMETERS)}
        return [spec("params/substrate", "float32", "1", text, **sizes)]

    def scratch(self) -> dict[str, ArraySpec]:
        """Return the matrices that transform tensors."""
        return {"image_factor": ArraySpec((self.recipe.n_components, 3, 3), np.float64)}

    def apply(self, tile: Tile) -> None:
        """Draw distances and work out the matrices."""
        draw_images_of_dipoles(
            tile.index, tile.seed, np.array(self.settings.distance_angstrom), self._stated,
            self._own, self.settings.contrast, tile["species"], tile["n_components"],
            tile["quaternion"], tile["image_factor"], tile["params/substrate"],
        )  # fmt: skip


NO_IMAGE = np.empty((0, 0, 3, 3), np.float64)


def images_of(tile: Tile) -> Array:
    """Return the matrices of a tile; an empty array without a substrate."""
    found = tile.get("image_factor")
    return NO_IMAGE if found is None else found


@kernel
def draw_images_of_dipoles(
    start: int, seed: int, distances: F64, stated: F64, own: F64, contrast: float, species: I32,
    n_components: I32, quaternion: F64, images: F64, recorded: F32,
) -> None:  # fmt: skip
    """Write F of each species of each sample, laboratory frame; 0 where there is none.

    ``distances`` and ``stated``, the polarizability if it is stated, are (low, high); ``own``,
    shape (K, 3, 3), are the polarizabilities of the species in their frames.
    """
    matrix, alpha = np.empty((3, 3), np.float64), np.zeros((3, 3), np.float64)
    for row in range(images.shape[0]):
        w0, w1, _, _ = philox(0, start + row, 0, seed, streams.SUBSTRATE)
        distance = between(distances[0], distances[1], w0)
        recorded[row, 0] = distance
        for c in range(images.shape[1]):
            image = images[row, c]
            image[:] = 0.0
            if c >= n_components[row]:
                continue
            if stated.shape[0] > 0:
                value = between(stated[0], stated[1], w1)
                for k in range(3):
                    alpha[k, k] = value
            else:
                quaternion_to_matrix(quaternion[row, c], matrix)
                rotate(own[species[row, c]], matrix, alpha)
            image_factor(alpha, distance, contrast, image)
            if c == 0:
                recorded[row, 1] = (alpha[0, 0] + alpha[1, 1] + alpha[2, 2]) / 3.0
                for k in range(3):
                    recorded[row, 2 + k] = image[k, k]
