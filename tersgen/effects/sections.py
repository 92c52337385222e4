"""The sections of a recipe: the settings of all effects, as effects read them."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, JsonValue, model_validator

from ..schema.base import EFFECT_NAME, Frozen, field
from ..schema.fixed_point import Precision
from ..schema.grid import Grid
from .bands.settings import Geometry, Perturbations
from .classes.settings import Classes
from .hotspots.settings import Map
from .instrument.settings import Instrument
from .mixture.settings import Mixture
from .nearfield.settings import NearField
from .noise.settings import Noise
from .plasmon.settings import Plasmon
from .precision import default_precision
from .profile.settings import Lineshape
from .scene.settings import Scene
from .settings import EffectSettings, Fields
from .structure.settings import Structure
from .substrate.settings import Substrate

GENERATOR_VERSION = 3
"""Raised whenever the same recipe would give other values; rows of other versions are only read."""

EffectName = Annotated[str, Field(pattern=EFFECT_NAME)]


class Sections(Frozen):
    """A recipe without its library: all that effects read of it."""

    generator: int = field("version of the generator", "1", GENERATOR_VERSION, ge=1)
    seed: int = field("seed of all random streams", "1", 0, ge=0, le=2**32 - 1)
    grid: Grid = field("axis of Raman shifts", "1", Grid())
    lineshape: Lineshape = field("band profile", "1", Lineshape())
    geometry: Geometry = field("orientation, polarizations, laser", "1", Geometry())
    map: Map = field("size of maps; without nearfield, test patterns of hotspots", "1", Map())
    nearfield: NearField | None = field(
        "maps of a molecule under a tip, instead of test patterns", "1", None
    )
    structure: Structure | None = field(
        "masks, bonds and positions of the atoms in near-field maps", "1", None
    )
    scene: Scene | None = field(
        "many molecules on a surface in near-field maps, instead of one", "1", None
    )
    mixture: Mixture | None = field(
        "samples of several species with their fractions, instead of one", "1", None
    )
    plasmon: Plasmon | None = field(
        "plasmon of the metal: gain over the Raman shift, and light emitted by the metal", "1", None
    )
    substrate: Substrate | None = field(
        "metal surface below the molecule, with its image dipole", "1", None
    )
    noise: Noise = field("noise levels", "1", Noise())
    instrument: Instrument | None = field(
        "spectrometer, detector and scan; counted electrons replace noise.spectrum",
        "1",
        None,
    )
    perturbations: Perturbations = field("differences between samples", "1", Perturbations())
    effects: dict[EffectName, dict[str, JsonValue]] = field(
        "settings of plug-in effects, by name of the effect", "1", {}
    )
    classes: Classes = field("class balance", "1", Classes())
    fields: Fields = field("arrays to make", "1", Fields())

    @property
    def sections(self) -> dict[str, EffectSettings]:
        """Settings of the effects that the recipe has, by name; those of plug-ins apart."""
        values = ((name, getattr(self, name)) for name in type(self).model_fields)
        return {name: value for name, value in values if isinstance(value, EffectSettings)}

    @model_validator(mode="after")
    def _sections_agree(self) -> Self:
        for section in self.sections.values():
            section.check_recipe(self)
        return self

    @property
    def complete(self) -> Self:
        """The recipe with which every array is stored, and none is computed as rows are read."""
        update = {name: section.complete for name, section in self.sections.items()}
        return self.model_copy(update=update)

    @property
    def noise_free(self) -> Self:
        """The recipe of the same samples without noise, background, detector and plug-in effects.

        Every effect has random streams of its own, so all else is drawn as before.
        """
        update: dict[str, Any] = {name: one.noise_free for name, one in self.sections.items()}
        # noise of at least a step is what eight bits are enough for
        fields = self.fields.model_copy(update={"precision": "float16"})
        return self.model_copy(update={**update, "effects": {}, "fields": fields})

    @property
    def counts_electrons(self) -> bool:
        """Whether an instrument counts electrons, which replaces ``noise.spectrum``."""
        return self.instrument is not None and self.instrument.electrons[1] > 0

    @property
    def counts_cubes(self) -> bool:
        """Whether a detector counts the electrons of cubes, which replaces ``noise.map`` there."""
        is_counted = self.instrument is not None and self.instrument.cube.electrons[1] > 0
        return self.fields.cube and is_counted

    @property
    def n_components(self) -> int:
        """Largest number of species in a sample: 1, except for mixtures."""
        return 1 if self.mixture is None else self.mixture.sizes[1]

    @property
    def has_image(self) -> bool:
        """Whether there are maps or cubes."""
        return self.fields.maps or self.fields.cube

    @property
    def has_pixels(self) -> bool:
        """Whether there are maps, cubes, or targets of their size."""
        has_structure = self.structure is not None and self.fields.structure
        return self.has_image or has_structure or self.has_scene

    @property
    def has_scene(self) -> bool:
        """Whether the molecules of a scene are stored."""
        return self.scene is not None and self.fields.scene

    @property
    def has_intensities(self) -> bool:
        """Whether intensities of modes are in any array."""
        has_near_maps = self.nearfield is not None and self.has_image
        return self.fields.spectra or self.fields.sticks or has_near_maps or self.has_scene

    @property
    def scale(self) -> Literal["unit", "symmetric"]:
        """Range of spectra and maps."""
        return self.fields.scale

    @property
    def precision(self) -> Precision:
        """How spectra, maps and cubes are stored."""
        return self.fields.precision or default_precision(self)

    @property
    def n_channels(self) -> int:
        """Channels of a cube: whole ones that fit the grid; 0 without nearfield."""
        if self.nearfield is None:
            return 0
        room = (self.grid.stop_cm1 - self.grid.start_cm1) / self.nearfield.channel_cm1
        return int(room * (1 + 1e-12))
