"""The recipe: everything that decides the values of a dataset, and nothing else.

Shard sizes, codecs, threads and executors are not in it. A recipe that holds its library is
*resolved*: each of its samples is a pure function of its index. It is stored without what is as by
default, and names its library by digest.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, JsonValue, model_validator

from .base import EFFECT_NAME, Frozen, field
from .classes import Classes, RandomClasses
from .grid import Grid
from .hotspots import Map
from .instrument import Instrument
from .intervals import LARGEST, NonNegativeInterval
from .library import Library, LibraryReference
from .mixture import Mixture
from .nearfield import LARGEST_CHANNELS, NearField
from .plugin import PluginRecord
from .presets import merged
from .species import Species, Vector3
from .structure import Structure

GENERATOR_VERSION = 2
"""Raised whenever the same recipe would give other values."""
GENERATORS = (1, 2)
"""Versions whose rows this code makes; 1 draws the partners of a degenerate mode apart."""
FORMER_DEFAULTS: dict[int, dict[str, Any]] = {}
"""Defaults of earlier versions of the generator that have changed since: a table for each."""


def _direction(vector: Vector3) -> Vector3:
    if not 0.99 <= sum(x * x for x in vector) <= 1.01:
        raise ValueError(f"expected a unit vector, got {list(vector)}")
    return vector


EffectName = Annotated[str, Field(pattern=EFFECT_NAME)]
UnitVector = Annotated[Vector3, AfterValidator(_direction)]


class Lineshape(Frozen):
    """How a stick becomes a band, Eqs. (1.2)-(1.4); every profile is area-normalised."""

    profile: Literal["gaussian", "lorentzian", "pseudo_voigt"] = field(
        "band profile", "1", "gaussian"
    )
    fwhm_cm1: float = field(
        "full width at half maximum of modes that have no width of their own",
        "cm^-1",
        15.0,
        gt=0,
        le=LARGEST,
    )
    mixing: float = field("Lorentzian share of a pseudo-Voigt band", "1", 0.5, ge=0, le=1)


class Geometry(Frozen):
    """How light meets the molecule, Eq. (3.1)."""

    orientation: Literal["random", "fixed", "averaged"] = field(
        "molecular orientation: uniformly random per sample, fixed, or averaged over all",
        "1",
        "random",
    )
    quaternion: tuple[float, float, float, float] = field(
        "rotation (w, x, y, z) of a fixed orientation, molecule to laboratory",
        "1",
        (1.0, 0.0, 0.0, 0.0),
    )
    incident: UnitVector = field(
        "polarization e_i of the incident light; z is the tip axis", "1", (0.0, 0.0, 1.0)
    )
    scattered: UnitVector = field("polarization e_s of the scattered light", "1", (0.0, 0.0, 1.0))
    laser_nm: float = field("laser wavelength", "nm", 632.8, ge=50, le=LARGEST)
    temperature_k: float = field(
        "temperature of the mode populations", "K", 298.15, ge=0, le=LARGEST
    )
    detection: Literal["power", "photons", "activity"] = field(
        "factor on activities: power is (nu0-nu)^4 and photons nu0 (nu0-nu)^3, both over nu and "
        "with the thermal population; activity is 1",
        "1",
        "photons",
    )

    @model_validator(mode="after")
    def _normalisable(self) -> Self:
        norm = sum(x * x for x in self.quaternion)
        if not 0.99 <= norm <= 1.01:
            raise ValueError(f"expected a unit quaternion, got {list(self.quaternion)}")
        return self


class Noise(Frozen):
    """Additive Gaussian noise, Eqs. (2.1) and (10.3); the level is drawn per sample."""

    spectrum: NonNegativeInterval = field(
        "standard deviation over the height of the strongest band", "1", (0.005, 0.03)
    )
    map: NonNegativeInterval = field("standard deviation sigma_n of a pixel", "1", (0.005, 0.03))


class Perturbations(Frozen):
    """What differs between two samples of one species beside orientation and noise."""

    shift_cm1: float = field(
        "standard deviation of the shift of a whole spectrum", "cm^-1", 2.0, ge=0, le=LARGEST
    )
    mode_shift_cm1: float = field(
        "standard deviation of each mode's own shift", "cm^-1", 1.0, ge=0, le=LARGEST
    )
    width: NonNegativeInterval = field("factor on all widths, drawn per sample", "1", (0.8, 1.25))
    intensity: float = field(
        "standard deviation of ln(intensity) of each mode", "1", 0.1, ge=0, le=3
    )
    roll_bins: int = field(
        "largest circular roll of a spectrum, either way, Eq. (10.2)", "point", 0, ge=0
    )
    symmetry: bool = field("flip and quarter-turn maps at random, Eqs. (2.2) and (2.3)", "1", False)

    @model_validator(mode="after")
    def _widths_above_zero(self) -> Self:
        if self.width[0] <= 0:
            raise ValueError(f"width: expected factors above 0, got {list(self.width)}")
        return self


class Fields(Frozen):
    """Which arrays are made, and in which precision."""

    spectra: bool = field("spectra", "1", True)
    maps: bool = field("maps", "1", True)
    sticks: bool = field("stick positions, intensities and count", "1", True)
    tensors: bool = field("Raman tensors in the laboratory frame", "1", True)
    cube: bool = field(
        "hyperspectral cube of a near-field map: a spectrum at each pixel", "1", False
    )
    structure: bool = field("structure targets, with a section structure", "1", True)
    params: bool = field("drawn nuisance parameters", "1", True)
    precision: Literal["float16", "float32"] = field("type of spectra and maps", "1", "float16")
    scale: Literal["unit", "symmetric"] = field(
        "range of spectra and maps: [0, 1], or [-1, 1] by Eq. (10.1)", "1", "unit"
    )
    n_modes: int | None = field(
        "modes M that sticks and tensors are padded to; by default the most that any species has "
        "within the grid; the strongest are kept if it has more",
        "1",
        None,
        ge=1,
        le=4096,
    )


class Recipe(Frozen):
    """Everything that decides the values of a dataset: recipe and index give a sample."""

    generator: int = field("version of the generator", "1", GENERATOR_VERSION, ge=1)
    seed: int = field("seed of all random streams", "1", 0, ge=0, le=2**32 - 1)
    library: tuple[str, ...] | LibraryReference | Library = field(
        'sources of species: "builtin" (all molecules), "builtin:NAME", "crystals", "random:K", '
        '"unknown:K" (K random species that are one class, unknown) or a file; in a stored recipe '
        "the digest of the library file beside it; or the species themselves",
        "1",
        ("builtin",),
    )
    plugins: tuple[str, ...] | tuple[PluginRecord, ...] = field(
        "modules of the user's own to import: names, or paths of files .py; in a stored recipe the "
        "parts of them that change values",
        "1",
        (),
    )
    grid: Grid = field("axis of Raman shifts", "1", Grid())
    lineshape: Lineshape = field("band profile", "1", Lineshape())
    geometry: Geometry = field("orientation, polarizations, laser", "1", Geometry())
    map: Map = field("spatial maps", "1", Map())
    nearfield: NearField | None = field(
        "maps of a molecule under a tip, instead of hotspots", "1", None
    )
    structure: Structure | None = field(
        "masks, bonds and positions of the atoms, beside near-field maps", "1", None
    )
    mixture: Mixture | None = field(
        "samples of several species with their fractions, instead of one", "1", None
    )
    noise: Noise = field("noise levels", "1", Noise())
    instrument: Instrument | None = field(
        "spectrometer, detector and scan; where it counts electrons it takes the place of "
        "noise.spectrum",
        "1",
        None,
    )
    perturbations: Perturbations = field("differences between samples", "1", Perturbations())
    effects: dict[EffectName, dict[str, JsonValue]] = field(
        "effects of plug-ins by name, each with its settings", "1", {}
    )
    classes: Classes = field("class balance", "1", Classes())
    random: RandomClasses = field("prior of random species", "1", RandomClasses())
    fields: Fields = field("arrays to make", "1", Fields())

    @property
    def is_resolved(self) -> bool:
        """Whether the recipe decides every row: it holds its library, and all that follows."""
        fixed = self.structure is None or self.structure.is_resolved
        fixed = fixed and not any(isinstance(one, str) for one in self.plugins)
        return isinstance(self.library, Library) and self.fields.n_modes is not None and fixed

    @property
    def held_library(self) -> Library:
        """The library of a resolved recipe.

        Raises
        ------
        ValueError
            If the recipe names library sources.
        """
        if not isinstance(self.library, Library):
            raise ValueError("expected a resolved recipe, got one that names library sources")
        return self.library

    @property
    def species(self) -> Sequence[Species]:
        """The species of a resolved recipe, in label order."""
        return self.held_library.species

    @property
    def class_names(self) -> tuple[str, ...]:
        """Class names of a resolved recipe, in label order."""
        return self.held_library.class_names

    @property
    def library_digest(self) -> str:
        """BLAKE3 digest of the library of a resolved recipe."""
        return self.held_library.digest

    @property
    def counts_electrons(self) -> bool:
        """Whether an instrument counts electrons, which takes the place of ``noise.spectrum``."""
        return self.instrument is not None and self.instrument.electrons[1] > 0

    @property
    def n_components(self) -> int:
        """Largest number of species in a sample: 1, except for mixtures."""
        return 1 if self.mixture is None else self.mixture.sizes[1]

    @property
    def has_image(self) -> bool:
        """Whether there are maps or cubes."""
        return self.fields.maps or self.fields.cube

    @property
    def scale(self) -> Literal["unit", "symmetric"]:
        """Range of spectra and maps."""
        return self.fields.scale

    @model_validator(mode="before")
    @classmethod
    def _former_defaults(cls, data: Any) -> Any:
        """Fill in what was another default in the recipe's own version of the generator."""
        if isinstance(data, dict) and data.get("generator") in FORMER_DEFAULTS:
            return merged(FORMER_DEFAULTS[data["generator"]], data)
        return data

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if isinstance(self.library, tuple) and not self.library:
            raise ValueError("library: expected at least one source, got none")
        if self.nearfield is not None:
            self._check_nearfield(self.nearfield)
        elif self.fields.cube:
            raise ValueError(
                "fields.cube: expected a section nearfield beside it, got none; cubes are made of "
                "near-field maps only"
            )
        if self.mixture is not None:
            self._check_mixture()
        if self.instrument is not None:
            self._check_instrument()
        if self.structure is not None:
            frame = None if self.nearfield is None else self.nearfield.frame_angstrom
            self.structure.check_frame(frame, (self.map.height, self.map.width))
        if self.perturbations.symmetry and self.map.height != self.map.width:
            raise ValueError(
                "perturbations.symmetry: expected a square map for quarter turns, "
                f"got {self.map.height} x {self.map.width}"
            )
        if self.perturbations.roll_bins >= self.grid.n_points:
            raise ValueError(
                f"perturbations.roll_bins: expected fewer than grid.n_points = "
                f"{self.grid.n_points}, got {self.perturbations.roll_bins}"
            )
        if 1e7 / self.geometry.laser_nm <= self.grid.stop_cm1:
            raise ValueError(
                f"geometry.laser_nm: expected a laser above grid.stop_cm1 = {self.grid.stop_cm1:g} "
                f"cm^-1, got {self.geometry.laser_nm:g} nm, "
                f"which is {1e7 / self.geometry.laser_nm:.0f} cm^-1"
            )
        wanted = (self.fields.spectra, self.fields.maps, self.fields.sticks, self.fields.tensors)
        if not any(wanted) and not self.fields.cube:
            raise ValueError("fields: expected at least one of spectra, maps, sticks, tensors")
        return self

    def _check_mixture(self) -> None:
        """Refuse maps: they are of one species."""
        if self.fields.maps:
            raise ValueError(
                "fields.maps: expected false beside mixture, got true; maps are of one species"
            )
        if self.nearfield is not None:
            raise ValueError("nearfield: expected no such section beside mixture, got one")

    def _check_instrument(self) -> None:
        """Refuse what an instrument is not made for."""
        if self.lineshape.profile == "pseudo_voigt":
            raise ValueError(
                'lineshape.profile: expected "lorentzian" (for Voigt profiles) or "gaussian" '
                'beside instrument, got "pseudo_voigt"'
            )
        if self.perturbations.roll_bins:
            raise ValueError(
                "perturbations.roll_bins: expected 0 beside instrument, got "
                f"{self.perturbations.roll_bins}; instrument.axis_shift_cm1 shifts the axis"
            )

    def _check_nearfield(self, near: NearField) -> None:
        """Refuse what would do nothing, or contradict, beside near-field maps."""
        if self.geometry.orientation == "averaged":
            raise ValueError(
                'geometry.orientation: expected "random" or "fixed" beside nearfield, got '
                '"averaged": a map shows one molecule'
            )
        if self.perturbations.symmetry:
            raise ValueError(
                "perturbations.symmetry: expected false beside nearfield, got true; "
                "nearfield.orientation turns the molecule"
            )
        if self.map.blur_px > 0:
            raise ValueError(
                f"map.blur_px: expected 0 beside nearfield, got {self.map.blur_px:g}; "
                "nearfield.width_angstrom is the width of the field"
            )
        if self.map.channels not in (1, len(near.bands)):
            raise ValueError(
                f"map.channels: expected one for each of the {len(near.bands)} nearfield.bands, "
                f"got {self.map.channels}; leave it out"
            )
        width = self.grid.stop_cm1 - self.grid.start_cm1
        if self.fields.cube and not 1 <= self.n_channels <= LARGEST_CHANNELS:
            raise ValueError(
                f"nearfield.channel_cm1: expected 1 to {LARGEST_CHANNELS} channels on the grid of "
                f"{width:g} cm^-1, got a width of {near.channel_cm1:g} cm^-1"
            )

    @property
    def n_channels(self) -> int:
        """Channels of a cube: as many whole ones as the grid has room for; 0 without nearfield."""
        if self.nearfield is None:
            return 0
        room = (self.grid.stop_cm1 - self.grid.start_cm1) / self.nearfield.channel_cm1
        return int(room * (1 + 1e-12))
