"""Events during a scan: changes of the tip, a second apex, blinking, picocavities.

Pixels are in scan order, line after line. Blinking of nanocrystals and of surface-enhanced Raman
scattering, whose bright and dark periods follow t^-1.5: M. Kuno et al., J. Chem. Phys. 112, 3117
(2000); picocavities: F. Benz et al., Science 354, 726 (2016).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...numeric._jit import inlined, kernel
from ...numeric.elementary import cos_sin_turn, exp
from ...random import streams
from ...random.normal import fill_normals
from ...random.philox import between, philox, uniform
from ...random.poisson import poisson_inverted
from ..base import Parameter, columns
from ..instrument.effect import logarithms
from ..instrument.kernels import log_between
from ..nearfield.scratch import NearScratch
from .settings import MOST_PICOCAVITIES, Events

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
I32 = NDArray[np.int32]

PARAMETERS = (
    Parameter("change_row", "pixel", "first row of the changed tip, -1 for none"),
    Parameter("change_width", "1", "factor on its field's lateral width"),
    Parameter("change_aspect", "1", "factor on its width along rows"),
    Parameter("change_height", "Angstrom", "change of its height (Angstrom)"),
    Parameter("change_amplitude", "1", "factor on intensities under it"),
    Parameter("second_field", "1", "field of the second apex over that of the first, 0 for none"),
    Parameter("second_rows", "Angstrom", "second apex from the first along rows (Angstrom)"),
    Parameter("second_columns", "Angstrom", "the same along columns (Angstrom)"),
    Parameter("dark_periods", "1", "dark periods"),
    Parameter("dark_pixels", "pixel", "dark pixels"),
    Parameter("dark_level", "1", "share of the signal in them"),
    Parameter("picocavities", "1", "picocavities"),
)
"""What ``params/events`` holds of each row, in order."""
_COLUMN = columns(PARAMETERS)
_ROW, _WIDTH, _ASPECT = (_COLUMN[f"change_{name}"] for name in ("row", "width", "aspect"))
_HEIGHT, _AMPLITUDE = _COLUMN["change_height"], _COLUMN["change_amplitude"]
SECOND_FIELD, SECOND_ROWS = _COLUMN["second_field"], _COLUMN["second_rows"]
SECOND_COLUMNS = _COLUMN["second_columns"]
_PERIODS, _DARK, LEVEL = _COLUMN["dark_periods"], _COLUMN["dark_pixels"], _COLUMN["dark_level"]
_PICOCAVITIES = _COLUMN["picocavities"]

DARK, PICOCAVITY, CHANGED = 1, 2, 4
"""Bits of ``scene/event``."""
_ONE = np.float32(1.0)


class EventNumbers(NamedTuple):
    """The recipe's numbers; a logarithmic interval is (ln low, ln high - ln low)."""

    tip_change: float
    change: F64
    """Intervals of width, aspect, height and amplitude, shape (4, 2)."""
    second_apex: float
    second_field: F64
    second_distance: F64
    blinking: float
    blinking_pixels: F64
    blinking_level: F64
    picocavities: float
    picocavity_pixels: int
    picocavity_gain: F64
    picocavity_intensity: float
    picocavity_shift: F64


def event_numbers(events: Events, tip_field: str) -> EventNumbers:
    """Return what the kernels read; dipoles and grids have no width that could change by itself."""
    has_width = tip_field not in ("dipole", "grid")
    change = (
        *((events.change_width, events.change_aspect) if has_width else ((1.0, 1.0),) * 2),
        *(events.change_height_angstrom, events.change_amplitude),
    )
    return EventNumbers(
        tip_change=events.tip_change,
        change=np.array(change, np.float64),
        second_apex=events.second_apex,
        second_field=np.array(events.second_field, np.float64),
        second_distance=np.array(events.second_distance_angstrom, np.float64),
        blinking=events.blinking,
        blinking_pixels=np.array(events.blinking_pixels, np.float64),
        blinking_level=np.array(events.blinking_level, np.float64),
        picocavities=events.picocavities,
        picocavity_pixels=events.picocavity_pixels,
        picocavity_gain=logarithms(events.picocavity_gain),
        picocavity_intensity=events.picocavity_intensity,
        picocavity_shift=np.array(events.picocavity_shift_cm1, np.float64),
    )


@inlined
def dwell_time(u: float, shortest: float, longest: float) -> float:
    """Return a time with density t^-1.5 between shortest and longest, from u uniform in [0, 1).

    The distribution function is (1 - sqrt(s/t))/(1 - sqrt(s/l)).
    """
    root = 1.0 - u * (1.0 - np.sqrt(shortest / longest))
    return shortest / (root * root)


@kernel
def _blink(index: int, seed: int, events: EventNumbers, state: I32, recorded: F32) -> None:
    """Mark the dark pixels: those whose centre is in a dark period."""
    w0, _, _, _ = philox(1, index, 0, seed, streams.BLINKING)
    is_dark = bool(np.float64(uniform(w0)) < 0.5)
    low, high = events.blinking_pixels[0], events.blinking_pixels[1]
    until, periods, pixel = 0.0, 0, 0
    draw = 2
    while pixel < state.shape[0]:
        word, _, _, _ = philox(draw, index, 0, seed, streams.BLINKING)
        draw += 1
        until += dwell_time(np.float64(uniform(word)), low, high)
        before = pixel
        while pixel < state.shape[0] and pixel + 0.5 < until:
            if is_dark:
                state[pixel] |= DARK
                recorded[_DARK] += _ONE
            pixel += 1
        periods += int(is_dark and pixel > before)
        is_dark = not is_dark
    recorded[_PERIODS] = periods


@kernel
def draw_events(
    index: int, seed: int, events: EventNumbers, n_columns: int, tips: F64, state: I32,
    cavity: I64, recorded: F32, cavities: F32,
) -> int:  # fmt: skip
    """Draw the events of one scan; return the number of picocavities.

    Parameters
    ----------
    index, seed
        Of the sample and the recipe.
    events
        The recipe's numbers.
    n_columns
        Pixels of a line.
    tips
        Field widths along x, y, z, height and amplitude of both tips, shape (2, 5); the first is
        given, the second, after the change, is filled.
    state
        Bits of the events at each pixel, filled, shape (P,).
    cavity
        Number of the picocavity at each pixel from 1 on, 0 for none; filled, shape (P,).
    recorded
        ``PARAMETERS``, filled.
    cavities
        First pixel, pixels and gain of each picocavity, filled, shape (MOST_PICOCAVITIES, 3).
    """
    state[:] = 0
    cavity[:] = 0
    recorded[:] = 0.0
    cavities[:] = 0.0
    tips[1] = tips[0]
    recorded[_ROW] = -1.0
    recorded[_WIDTH] = recorded[_ASPECT] = recorded[_AMPLITUDE] = recorded[LEVEL] = 1.0
    n_pixels = state.shape[0]
    n_rows = n_pixels // n_columns
    w0, w1, w2, w3 = philox(0, index, 0, seed, streams.TIP_EVENTS)
    if np.float64(uniform(w0)) < events.tip_change and n_rows > 1:
        row = 1 + int(np.float64(uniform(w1)) * (n_rows - 1))
        recorded[_ROW] = row
        a, b, c, d = philox(1, index, 0, seed, streams.TIP_EVENTS)
        width = between(events.change[0, 0], events.change[0, 1], a)
        aspect = between(events.change[1, 0], events.change[1, 1], b)
        higher = between(events.change[2, 0], events.change[2, 1], c)
        amplitude = between(events.change[3, 0], events.change[3, 1], d)
        recorded[_WIDTH], recorded[_ASPECT] = width, aspect
        recorded[_HEIGHT], recorded[_AMPLITUDE] = higher, amplitude
        tips[1, 0] *= width * aspect
        tips[1, 1] *= width
        tips[1, 3] += higher
        tips[1, 4] = amplitude
        for p in range(row * n_columns, n_pixels):
            state[p] |= CHANGED
    if np.float64(uniform(w2)) < events.second_apex:
        a, b, c, _ = philox(2, index, 0, seed, streams.TIP_EVENTS)
        distance = between(events.second_distance[0], events.second_distance[1], b)
        cosine, sine = cos_sin_turn(c)
        recorded[SECOND_FIELD] = between(events.second_field[0], events.second_field[1], a)
        recorded[SECOND_ROWS] = distance * np.float64(cosine)
        recorded[SECOND_COLUMNS] = distance * np.float64(sine)
    if np.float64(uniform(w3)) < events.blinking:
        word, _, _, _ = philox(0, index, 0, seed, streams.BLINKING)
        recorded[LEVEL] = between(events.blinking_level[0], events.blinking_level[1], word)
        _blink(index, seed, events, state, recorded)
    w0, _, _, _ = philox(0, index, 0, seed, streams.PICOCAVITIES)
    count = min(int(poisson_inverted(events.picocavities, w0)), MOST_PICOCAVITIES)
    for k in range(count):
        w0, w1, w2, _ = philox(1 + k, index, 0, seed, streams.PICOCAVITIES)
        first = int(np.float64(uniform(w0)) * n_pixels)
        length = 1 + int(np.float64(uniform(w1)) * events.picocavity_pixels)
        length = min(length, n_pixels - first)
        cavities[k, 0], cavities[k, 1] = first, length
        gain = events.picocavity_gain
        cavities[k, 2] = log_between(gain[0], gain[1], uniform(w2))
        for p in range(first, first + length):  # a later one replaces an earlier one
            state[p] |= PICOCAVITY
            cavity[p] = k + 1
    recorded[_PICOCAVITIES] = count
    return count


@kernel
def change_modes(
    index: int, component: int, cavity: int, seed: int, count: int, events: EventNumbers,
    work: NearScratch,
) -> None:  # fmt: skip
    """Shift the modes of a species in a picocavity, and change their weights."""
    block = component * (MOST_PICOCAVITIES + 1) + cavity
    normals = work.normals[: (count + 63) // 64 * 64]
    fill_normals(normals, index, block, seed, streams.PICOCAVITY_MODES)
    for m in range(count):
        w0, w1, _, _ = philox(m, index, block, seed, streams.PICOCAVITIES)
        shift = between(events.picocavity_shift[0], events.picocavity_shift[1], w0)
        work.position[m] += shift if np.float64(uniform(w1)) < 0.5 else -shift
        factor = exp(np.float32(events.picocavity_intensity * np.float64(normals[m])))
        work.weight[m] *= np.float64(factor)
        work.anti_weight[m] *= np.float64(factor)
