"""Spectra and maps as an instrument records them: what is drawn before, and what after."""

from typing import NamedTuple, Self

import numpy as np

from ..schema.recipe import Recipe
from .instrument import SpectrumSettings, fill_recorded_rows, spectrum_settings
from .outputs import Outputs
from .scan import ScanSettings, fill_scanned_cubes, fill_scanned_rows, scan_settings
from .tables import Modes, Settings


class Recorder(NamedTuple):
    """An instrument, ready to record rows.

    The kernels of plain recipes make maps without noise, and modes if no spectra are recorded;
    those of the instrument are compiled only for recipes that have one.
    """

    before: Settings
    """With which maps and cubes are made that are then scanned."""
    after: Settings
    spectrum: SpectrumSettings | None
    scan: ScanSettings | None

    @classmethod
    def of(cls, recipe: Recipe, settings: Settings) -> Self | None:
        """Return the instrument of a recipe, if it has one."""
        spec = recipe.instrument
        if spec is None:
            return None
        return cls(
            before=settings._replace(spectra=False, symmetric=False, map_noise=np.zeros(2)),
            after=settings,
            spectrum=spectrum_settings(spec) if recipe.fields.spectra else None,
            scan=scan_settings(spec.scan, recipe.noise.map) if recipe.has_image else None,
        )

    def fill_spectra(
        self, first: int, last: int, start: int, n_max: int, modes: Modes, out: Outputs
    ) -> bool:
        """Fill modes and spectra of rows ``first`` to ``last``, without the GIL; say if it did."""
        if self.spectrum is None:
            return False
        fill_recorded_rows(first, last, start, n_max, modes, self.after, self.spectrum, out)
        return True

    def fill_images(self, first: int, last: int, start: int, clean: Outputs, out: Outputs) -> None:
        """Scan the clean maps and cubes of rows ``first`` to ``last``; row 0 is ``start``."""
        if self.scan is None:
            return
        if len(clean.maps):
            fill_scanned_rows(first, last, start, clean.maps, self.after, self.scan, out)
        if len(clean.cube):
            fill_scanned_cubes(first, last, start, clean.cube, self.after, self.scan, out)
