"""Band profiles."""

from typing import Any, Literal

from ...schema.base import field
from ...schema.intervals import LARGEST
from ..settings import EffectSettings


class Lineshape(EffectSettings):
    """Profile of a band, Eqs. (1.2)-(1.4), normalised to unit area."""

    profile: Literal["gaussian", "lorentzian", "pseudo_voigt"] = field(
        "band profile", "1", "gaussian"
    )
    fwhm_cm1: float = field(
        "full width at half maximum of modes without a width of their own",
        "cm^-1",
        15.0,
        gt=0,
        le=LARGEST,
    )
    mixing: float = field("Lorentzian fraction of a pseudo-Voigt profile", "1", 0.5, ge=0, le=1)

    def idle(self, recipe: Any) -> dict[str, str]:
        """Return the mixing of profiles that are not mixed, and settings of spectra not made."""
        if recipe.fields.spectra:
            reason = f'with profile = "{self.profile}"'
            return {} if self.profile == "pseudo_voigt" else {"mixing": reason}
        found = dict.fromkeys(("profile", "mixing"), "without spectra")
        if recipe.nearfield is None or not recipe.has_image:
            found["fwhm_cm1"] = "without spectra and near-field maps"
        return found
