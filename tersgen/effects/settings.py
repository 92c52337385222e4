"""What the settings of all effects share, and which arrays are made."""

from typing import Any, Literal, Self

from ..schema.base import Frozen, field
from ..schema.fixed_point import Precision
from ..schema.library import Library


class EffectSettings(Frozen):
    """Base of the settings of an effect, which are a section of a recipe.

    The module of such a class imports no kernel, so that a recipe is read without Numba.
    """

    def check_recipe(self, recipe: Any) -> None:
        """Refuse a recipe whose other sections contradict this one.

        Parameters
        ----------
        recipe
            The sections of the recipe, :class:`~tersgen.effects.sections.Sections`.

        Raises
        ------
        ValueError
            If one does; the text begins with the path of the setting.
        """

    def idle(self, recipe: Any) -> dict[str, str]:  # noqa: ARG002 - of most, none is
        """Return the settings that change no value of a recipe's rows, and when that is so.

        Parameters
        ----------
        recipe
            The sections of the recipe, :class:`~tersgen.effects.sections.Sections`.

        Returns
        -------
        dict
            By name, ``"electrons"`` or ``"cube.electrons"``, what a warning says after it, such as
            ``"without a cube"``.
        """
        return {}

    @property
    def names(self) -> list[str]:
        """Names of all settings, with those of its parts, such as ``cube.electrons``."""
        found = []
        for name in type(self).model_fields:
            part = getattr(self, name)
            inner = part.names if isinstance(part, EffectSettings) else None
            found += [name] if inner is None else [f"{name}.{one}" for one in inner]
        return found

    @property
    def is_resolved(self) -> bool:
        """Whether all settings that follow from the library are set."""
        return True

    @property
    def complete(self) -> Self:
        """The settings with which every array is stored, and none is computed as rows are read."""
        return self

    @property
    def noise_free(self) -> Self:
        """The settings without noise, background and detector; what is left is drawn as before."""
        return self

    def resolved_in(self, recipe: Any, library: Library) -> Self:  # noqa: ARG002 - of most, library
        """Return the settings with those set that follow from the library and other sections."""
        return self.resolved(library)

    def resolved(self, library: Library) -> Self:  # noqa: ARG002 - of most, none follows
        """Return the settings with those set that follow from the library.

        Raises
        ------
        ConfigError
            If they do not fit the library.
        """
        return self


class Fields(EffectSettings):
    """Which arrays are made, and in which precision."""

    spectra: bool = field("spectra", "1", True)
    maps: bool = field("maps", "1", True)
    sticks: bool = field("stick positions, intensities and counts", "1", True)
    tensors: bool = field("Raman tensors in the laboratory frame", "1", True)
    cube: bool = field(
        "hyperspectral cube of a near-field map: a spectrum at each pixel", "1", False
    )
    structure: bool = field("structure targets, if there is a section structure", "1", True)
    scene: bool = field("molecules of a scene, if there is a section scene", "1", True)
    params: bool = field("nuisance parameters as drawn", "1", True)
    precision: Precision | None = field(
        "how spectra, maps and cubes are stored: as floating-point numbers, or as integers of 8 or "
        "12 bits with a scale; by default uint8 if it is known that the noise of all of them is at "
        "least one step, else float16; a resolved recipe without it has float16",
        "1",
        None,
    )
    scale: Literal["unit", "symmetric"] = field(
        "range of spectra and maps: [0, 1], or [-1, 1] by Eq. (10.1)", "1", "unit"
    )
    n_modes: int | None = field(
        "number of modes M to which sticks and tensors are padded; by default the largest of any "
        "species within the grid; of more modes, the strongest are kept",
        "1",
        None,
        ge=1,
        le=4096,
    )

    def idle(self, recipe: Any) -> dict[str, str]:
        """Return settings of how arrays are stored, if these are left out."""
        has_signals = self.spectra or recipe.has_image
        reason = "without spectra, maps and cubes"
        return {} if has_signals else dict.fromkeys(("precision", "scale"), reason)

    def check_recipe(self, recipe: Any) -> None:
        """Refuse cubes of anything but near-field maps, and rows without any array."""
        if self.cube and recipe.nearfield is None:
            raise ValueError(
                "fields.cube: expected a section nearfield as well, got none; cubes are made of "
                "near-field maps only"
            )
        wanted = (self.spectra, self.maps, self.sticks, self.tensors, self.cube)
        if not any(wanted):
            raise ValueError(
                "fields: expected at least one of spectra, maps, sticks, tensors, cube, got none"
            )
