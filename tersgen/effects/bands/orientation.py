"""The orientation of each molecule of a sample: fixed, random, or on a surface.

A uniformly random rotation is a normalised quaternion of four normals. On a surface a molecule
lies flat, either face up, and is turned about the normal; a tilted one is then tilted by up to an
angle, about any axis of the surface.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...library.nearfield import principal_frames, rotation_quaternion
from ...numeric._jit import kernel
from ...numeric.elementary import cos_sin_turn
from ...numeric.tensor import multiply_quaternions
from ...random import streams
from ...random.normal import normal_pair
from ...random.philox import between, philox
from ...schema.fields import FieldSpec
from ...schema.library import Library
from ..base import ArraySpec, Effect, Tile, spec
from ..mixture.effect import component_sizes
from ..sections import Sections
from .settings import Geometry

if TYPE_CHECKING:
    from ..on_torch import TorchTile

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]

RANDOM, FIXED, AVERAGED, FLAT, TILTED = 0, 1, 2, 3, 4
_KINDS = {
    **{"random": RANDOM, "fixed": FIXED, "averaged": AVERAGED, "powder": AVERAGED},
    **{"flat": FLAT, "tilted": TILTED},
}
_IDENTITY = (1.0, 0.0, 0.0, 0.0)
_TOP_BIT = np.uint32(0x80000000)
_WORDS = 4294967296.0


def unit_vector(vector: tuple[float, ...]) -> F64:
    """Return a vector over its length."""
    array = np.array(vector, np.float64)
    total = 0.0
    for value in vector:
        total += value * value
    return array / np.sqrt(total)


class Orientation(Effect[Geometry]):
    """Fills ``quaternion``, molecule to laboratory, float64, shape (n, S, 4)."""

    stage = "modes"
    section = "geometry"

    def __init__(self, recipe: Sections, library: Library) -> None:
        super().__init__(recipe, library)
        near, kind = recipe.nearfield, str(self.settings.orientation)
        if near is not None and kind == "random":
            kind = near.orientation
        self._kind = _KINDS[kind]
        # half of the largest tilt, as a share of a turn
        self._tilt = 0.0 if near is None else near.max_tilt_deg / 720.0
        self._fixed = unit_vector(self.settings.quaternion)
        frame = [_IDENTITY] * len(library)
        if near is not None:
            position, atoms = library.array("position")
            frame = [rotation_quaternion(one) for one in principal_frames(position, atoms)]
        self._frame = np.array(frame, np.float64)

    @classmethod
    def fields(cls, recipe: Sections) -> list[FieldSpec]:
        """Return the rotations, where they are drawn."""
        if recipe.geometry.orientation != "random":
            return []
        text = "rotation (w, x, y, z), molecule to laboratory"
        sizes = {**component_sizes(recipe), "quaternion": 4}
        return [spec("params/orientation", "float32", "1", text, **sizes)]

    def scratch(self) -> dict[str, ArraySpec]:
        """Return the rotations that other effects read."""
        return {"quaternion": ArraySpec((self.recipe.n_components, 4), np.float64)}

    def apply(self, tile: Tile) -> None:
        """Draw the rotations."""
        draw_orientations(
            tile.index, tile.seed, self._kind, self._tilt, self._fixed, self._frame,
            tile["species"], tile["n_components"], tile["quaternion"],
        )  # fmt: skip
        recorded = tile.get("params/orientation")
        if recorded is not None:
            recorded[...] = tile["quaternion"].reshape(recorded.shape)

    def apply_on_torch(self, tile: "TorchTile") -> None:
        """Draw the rotations, of shape (n, 4); without a tip none is adsorbed."""
        from . import on_torch

        if self._kind == RANDOM:
            tile["quaternion"] = on_torch.random_quaternions(tile.index, tile.seed)
            tile["params/orientation"] = tile["quaternion"]
        else:
            tile["quaternion"] = tile.tensor(self._fixed).expand(len(tile), 4)


@kernel
def _draw_adsorbed(
    index: int, seed: int, kind: int, tilt: float, frame: F64, step: F64, held: F64, quaternion: F64
) -> None:
    """Lay the molecule flat, either face up, turn it in the plane; tilt it, and turn it again."""
    w0, w1, w2, w3 = philox(0, index, 0, seed, streams.ADSORPTION)
    step[:] = 0.0
    step[0 if w1 < _TOP_BIT else 1] = 1.0  # half a turn about x, or none
    multiply_quaternions(step, frame, held)
    # the half angle runs over a whole turn, and the angle with it
    cosine, sine = cos_sin_turn(w0)
    step[0], step[1], step[3] = np.float64(cosine), 0.0, np.float64(sine)
    multiply_quaternions(step, held, quaternion)
    if kind == TILTED:
        half_turn = between(0.0, tilt, w2)
        cosine, sine = cos_sin_turn(np.uint32(np.int64((half_turn + 0.125) * _WORDS)))
        step[0], step[1], step[3] = np.float64(cosine), np.float64(sine), 0.0
        multiply_quaternions(step, quaternion, held)
        cosine, sine = cos_sin_turn(w3)
        step[0], step[1], step[3] = np.float64(cosine), 0.0, np.float64(sine)
        multiply_quaternions(step, held, quaternion)


@kernel
def draw_orientations(
    start: int, seed: int, kind: int, tilt: float, fixed: F64, frame: F64, species: I32, count: I32,
    quaternion: F64,
) -> None:  # fmt: skip
    """Write the unit quaternion (w, x, y, z) of each species of each sample; 0 beyond ``count``.

    ``frame``, shape (K, 4), lays each species flat.
    """
    step, held = np.empty(4, np.float64), np.empty(4, np.float64)
    for row in range(quaternion.shape[0]):
        index = start + row
        for c in range(quaternion.shape[1]):
            q = quaternion[row, c]
            if c >= count[row]:
                q[:] = 0.0
                continue
            if kind >= FLAT:  # or TILTED
                _draw_adsorbed(index, seed, kind, tilt, frame[species[row, c]], step, held, q)
            elif kind == RANDOM:
                w0, w1, w2, w3 = philox(0, index, c, seed, streams.ORIENTATION)
                a0, a1 = normal_pair(w0, w1)
                a2, a3 = normal_pair(w2, w3)
                q[0], q[1], q[2], q[3] = a0, a1, a2, a3
            else:
                for k in range(4):
                    q[k] = fixed[k]
                continue
            norm = np.sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3])
            for k in range(4):
                q[k] /= norm
