"""Levels of additive noise."""

from ...schema.base import field
from ...schema.intervals import NonNegativeInterval
from ..settings import EffectSettings


class Noise(EffectSettings):
    """Additive Gaussian noise, Eqs. (2.1) and (10.3); the level is drawn per sample."""

    spectrum: NonNegativeInterval = field(
        "standard deviation relative to the height of the strongest band", "1", (0.005, 0.03)
    )
    map: NonNegativeInterval = field(
        "standard deviation sigma_n of the noise of a pixel", "1", (0.005, 0.03)
    )
