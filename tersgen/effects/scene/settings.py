"""Scenes: molecules on lattices of a metal surface, and events at the tip above them."""

import math
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, model_validator

from ...schema.base import field
from ...schema.intervals import Interval, LogInterval, NonNegativeInterval
from ..settings import EffectSettings

LATTICES = {"Ag(111)": 2.889, "Au(111)": 2.884, "Cu(111)": 2.556}
"""Nearest-neighbour distance of a surface, Angstrom."""
CLOSEST = 0.8
"""Least distance of molecules of two domains, over the superlattice's shortest vector."""
MOST_DOMAINS = 64
MOST_MOLECULES = 4096
MOST_PICOCAVITIES = 4

Site = Literal["top", "bridge", "fcc", "hcp"]
Matrix = tuple[tuple[int, int], tuple[int, int]]


def _matrix(matrix: Matrix) -> Matrix:
    (a, b), (c, d) = matrix
    if a * d == b * c or max(map(abs, (a, b, c, d))) > 1000:
        raise ValueError(
            "expected two vectors along different directions, of up to 1000 surface vectors, got "
            f"{[list(row) for row in matrix]}"
        )
    return matrix


def _share(interval: tuple[float, float]) -> tuple[float, float]:
    if interval[1] > 1:
        raise ValueError(f"expected values of at most 1, got {list(interval)}")
    return interval


Superlattice = Annotated[Matrix, AfterValidator(_matrix)]
Shares = Annotated[NonNegativeInterval, AfterValidator(_share)]


def _squared(u: int, v: int) -> int:
    """Return the squared length of u a1 + v a2 in units of the lattice; a1 and a2 at 60 degrees."""
    return u * u + u * v + v * v


def reduced(matrix: Matrix) -> Matrix:
    """Return the two shortest vectors of a superlattice, the shortest first (Lagrange, Gauss).

    >>> reduced(((3, 0), (3, 3)))
    ((3, 0), (-3, 3))
    """
    one, other = matrix
    while True:
        if _squared(*one) > _squared(*other):
            one, other = other, one
        (u, v), (p, q) = one, other
        twice = 2 * u * p + 2 * v * q + u * q + v * p
        times = round(twice / (2 * _squared(*one)))
        if times == 0:
            return one, other
        other = p - times * u, q - times * v


def field_width(near: Any) -> tuple[float, float]:
    """Return the largest widths of the field along rows and columns, Angstrom.

    The component along z of a dipole at the height D falls to half at 0.5 D.
    """
    if near.tip_field == "dipole":
        height = near.height_angstrom[1] + near.apex_radius_angstrom[1]
        return height, height
    return near.width_angstrom[1] * near.aspect[0], near.width_angstrom[1] * near.aspect[1]


def apexes_apart(near: Any) -> int:
    """Return the least distance of two apexes in field widths.

    A dipole's field falls as d^-3 only, and a tilted one's is stronger to its side. The cross terms
    that ghosts neglect are then at most about 2 % of the maximum of a map, of tilted dipoles 4 %.
    """
    if near.tip_field != "dipole":
        return 2
    return 6 if near.dipole_tilt_deg[1] else 4


_BEGINNINGS = {
    "tip_change": "change_",
    "second_apex": "second_",
    "blinking": "blinking_",
    "picocavities": "picocavity_",
}
"""How the names of an event's settings begin, by that of its rate."""


class Events(EffectSettings):
    """Events during a scan, at the tip and under it; all are off by default.

    A scan runs line by line along the columns of a map.
    """

    tip_change: float = field(
        "fraction of samples whose tip changes at some line and stays changed", "1", 0.0, ge=0, le=1
    )
    change_width: NonNegativeInterval = field(
        "factor on the lateral width of the field after the change; not of a dipole's, which "
        "height and radius determine",
        "1",
        (0.8, 1.5),
    )
    change_aspect: NonNegativeInterval = field(
        "factor on its width along rows alone; not of a dipole's", "1", (0.8, 1.25)
    )
    change_height_angstrom: Interval = field("change of the tip's height", "Angstrom", (-0.2, 0.3))
    change_amplitude: NonNegativeInterval = field(
        "factor on all intensities after the change", "1", (0.4, 1.5)
    )
    second_apex: float = field(
        "fraction of samples with a second apex, and so with ghosts", "1", 0.0, ge=0, le=1
    )
    second_field: Shares = field(
        "field of the second apex over that of the first, c", "1", (0.5, 0.9)
    )
    second_distance_angstrom: NonNegativeInterval = field(
        "distance of the two apexes, in any direction", "Angstrom", (10.0, 20.0)
    )
    blinking: float = field(
        "fraction of samples whose signal blinks: bright and dark periods alternate, with lengths "
        "t distributed as t^-1.5",
        "1",
        0.0,
        ge=0,
        le=1,
    )
    blinking_pixels: NonNegativeInterval = field(
        "shortest and longest period, in scan order", "pixel", (1.0, 1000.0)
    )
    blinking_level: Shares = field("fraction of the signal in dark periods", "1", (0.0, 0.2))
    picocavities: float = field(
        f"mean number of picocavities in a map; at most {MOST_PICOCAVITIES} are drawn",
        "1",
        0.0,
        ge=0,
        le=MOST_PICOCAVITIES,
    )
    picocavity_pixels: int = field(
        "longest picocavity, in scan order; lengths are drawn uniformly",
        "pixel",
        64,
        ge=1,
        le=2**20,
    )
    picocavity_gain: LogInterval = field(
        "factor on all intensities of a picocavity, log-uniform", "1", (1.0, 5.0)
    )
    picocavity_intensity: float = field(
        "standard deviation of the logarithm of the factor on each mode in a picocavity",
        "1",
        1.0,
        ge=0,
        le=5,
    )
    picocavity_shift_cm1: NonNegativeInterval = field(
        "shift of each mode in a picocavity, up or down", "cm^-1", (1.0, 10.0)
    )

    @property
    def happen(self) -> bool:
        """Whether there are any events."""
        rates = (self.tip_change, self.second_apex, self.blinking, self.picocavities)
        return any(rate > 0 for rate in rates)

    @property
    def height_changes(self) -> tuple[float, float]:
        """How far the tip may come down and go up by its change, Angstrom; the first is <= 0."""
        low, high = self.change_height_angstrom if self.tip_change > 0 else (0.0, 0.0)
        return min(low, 0.0), max(high, 0.0)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        for name in ("change_width", "change_aspect", "blinking_pixels"):
            low, high = getattr(self, name)
            if low <= 0 or high > 1e4:
                raise ValueError(f"{name}: expected values above 0, to 10000, got {[low, high]}")
        if self.picocavity_gain[0] <= 0:
            raise ValueError(
                f"picocavity_gain: expected factors above 0, got {list(self.picocavity_gain)}"
            )
        return self


class Scene(EffectSettings):
    """Molecules on the lattice of a (111) surface, in near-field maps and cubes.

    The species are those of the sample: one, or several with a section ``mixture``, whose
    fractions are then fractions of the molecules. Intensities of molecules add up.
    """

    surface: Literal["Ag(111)", "Au(111)", "Cu(111)"] = field(
        "surface, with nearest neighbours 2.889, 2.884 or 2.556 Angstrom apart", "1", "Ag(111)"
    )
    lattice_angstrom: float | None = field(
        "nearest-neighbour distance of another surface with threefold symmetry",
        "Angstrom",
        None,
        gt=0.5,
        le=1000,
    )
    superlattice: Superlattice = field(
        "vectors of the molecules' lattice in terms of those of the surface, which are at 60 "
        "degrees; the coverage is one over the determinant",
        "1",
        ((3, 0), (0, 3)),
    )
    sites: tuple[Site, ...] = field(
        "adsorption sites, one of which is drawn for each domain",
        "1",
        ("top",),
        min_length=1,
        max_length=4,
    )
    domains: tuple[int, int] = field(
        "fewest and most domains in and around the frame; lattice and molecules of each are "
        "rotated by a multiple of 60 degrees and displaced by lattice vectors of the surface",
        "1",
        (1, 1),
    )
    islands: bool = field("draw one species for each domain, not one for each molecule", "1", False)
    vacancies: Shares = field(
        "fraction of empty lattice points, drawn for each sample", "1", (0.0, 0.0)
    )
    jitter_angstrom: float = field(
        "standard deviation of each molecule's displacement along each axis",
        "Angstrom",
        0.0,
        ge=0,
        le=100,
    )
    turn_deg: float = field(
        "standard deviation of each molecule's rotation about the normal",
        "degree",
        0.0,
        ge=0,
        le=360,
    )
    reach_widths: float = field(
        "distance along each axis beyond which a molecule is neglected, in widths of the field",
        "1",
        3.0,
        ge=0.5,
        le=20,
    )
    reach_angstrom: float | None = field(
        'the same distance in a field on a grid (nearfield.tip_field = "grid"), which has no width',
        "Angstrom",
        None,
        gt=0,
        le=1000,
    )
    radius_angstrom: float = field(
        "radius of an atom in the masks of molecules", "Angstrom", 1.5, gt=0, le=100
    )
    events: Events = field("events at the tip and under it", "1", Events())

    @property
    def neighbours(self) -> float:
        """Nearest-neighbour distance of the surface, Angstrom."""
        return self.lattice_angstrom or LATTICES[self.surface]

    @property
    def closest(self) -> float:
        """Least distance of two molecules, Angstrom."""
        return CLOSEST * self.neighbours * math.sqrt(_squared(*reduced(self.superlattice)[0]))

    def reach(self, near: Any) -> tuple[float, float]:
        """Return the largest distances along rows and columns at which molecules contribute."""
        if self.reach_angstrom is not None:
            return self.reach_angstrom, self.reach_angstrom
        sides = field_width(near)
        width, factors = self.reach_widths, [sides[0], sides[1]]
        if self.events.tip_change > 0 and near.tip_field != "dipole":
            wider = max(1.0, self.events.change_width[1])
            factors = [wider * factors[0], wider * factors[1]]
            factors[0] *= max(1.0, self.events.change_aspect[1])
        return width * factors[0], width * factors[1]

    def half_region(self, near: Any) -> tuple[float, float]:
        """Return half the extents of the rectangle whose molecules contribute, Angstrom."""
        ghost = self.events.second_distance_angstrom[1] if self.events.second_apex > 0 else 0.0
        rows, columns = (
            0.5 * extent + reach + ghost
            for extent, reach in zip(near.frame_angstrom, self.reach(near), strict=True)
        )
        return rows, columns

    def n_molecules(self, near: Any) -> int:
        """Return the largest number of molecules of a scene.

        Points in a convex region of area A and perimeter P that keep a distance d are at most
        2 A/(sqrt(3) d^2) + P/(2 d) + 1: N. Oler, Acta Math. 105, 19 (1961).
        """
        rows, columns = (2.0 * half for half in self.half_region(near))
        least = self.closest
        filling = 2.0 * rows * columns / (math.sqrt(3.0) * least * least)
        return int(filling + (rows + columns) / least) + 1

    @model_validator(mode="after")
    def _possible(self) -> Self:
        fewest, most = self.domains
        if not 1 <= fewest <= most <= MOST_DOMAINS:
            raise ValueError(
                f"domains: expected 1 <= fewest <= most <= {MOST_DOMAINS}, got {[fewest, most]}"
            )
        return self

    def idle(self, recipe: Any) -> dict[str, str]:
        """Return settings of events that do not happen, and of another surface or field."""
        if not (recipe.has_image or recipe.fields.scene):
            return dict.fromkeys(self.names, "without maps, cubes and fields.scene")
        found: dict[str, str] = {}
        events = self.events
        for rate, beginning in _BEGINNINGS.items():
            if not getattr(events, rate):
                names = (name for name in Events.model_fields if name.startswith(beginning))
                about = (f"events.{name}" for name in names if name != rate)
                found |= dict.fromkeys(about, f"without events.{rate}")
        tip_field = recipe.nearfield.tip_field
        if tip_field in ("dipole", "grid"):
            wide = ["events.change_width", "events.change_aspect"]
            wide += ["reach_widths"] if tip_field == "grid" else []
            found |= dict.fromkeys(wide, f'with nearfield.tip_field = "{tip_field}"')
        if self.lattice_angstrom is not None:
            found["surface"] = "with lattice_angstrom"
        if recipe.mixture is None:
            found["islands"] = "without mixture"
        return found

    def check_recipe(self, recipe: Any) -> None:
        """Refuse scenes without a local field, and sections that are about one molecule."""
        near = recipe.nearfield
        if near is None:
            raise ValueError(
                "scene: expected a section nearfield as well, got none; it says what the tip is "
                "and which frame it scans"
            )
        if near.tip_field == "plane":
            raise ValueError(
                'nearfield.tip_field: expected a local field with scene, got "plane", in which '
                "every molecule of the surface contributes to every pixel"
            )
        if (near.tip_field == "grid") != (self.reach_angstrom is not None):
            raise ValueError(
                "scene.reach_angstrom: expected the distance beyond which molecules are neglected "
                'with nearfield.tip_field = "grid", and none without, got '
                f'{self.reach_angstrom} with "{near.tip_field}"'
            )
        if near.apex_angstrom:
            raise ValueError(
                "nearfield.apex_angstrom: expected 0 with scene, whose lattice lies anywhere, got "
                f"{near.apex_angstrom:g}"
            )
        if recipe.structure is not None:
            raise ValueError(
                "structure: expected no such section with scene, got one; its targets are those "
                "of one molecule"
            )
        if recipe.mixture is not None and recipe.mixture.of != "molecules":
            raise ValueError(
                'mixture.of: expected "molecules" with scene, which places molecules by their '
                f'fractions, got "{recipe.mixture.of}"'
            )
        self._check_events(near)
        count = self.n_molecules(near)
        if count > MOST_MOLECULES:
            raise ValueError(
                f"scene: expected at most {MOST_MOLECULES} molecules in and around the frame, got "
                f"up to {count}; take a smaller frame, a narrower field or a larger superlattice"
            )

    def _check_events(self, near: Any) -> None:
        """Refuse a tip that touches, and two apexes in one field."""
        events = self.events
        lowest = near.height_angstrom[0] + events.height_changes[0]
        if lowest < 0.1:
            raise ValueError(
                "scene.events.change_height_angstrom: expected a tip at least 0.1 Angstrom above "
                f"the molecules after the change, got {lowest:g}"
            )
        if self.reach_angstrom is not None:
            times, of = 2, "scene.reach_angstrom"
            least = times * self.reach_angstrom
        else:
            times, of = apexes_apart(near), "widths of the field"
            least = times * max(field_width(near))
        closest = events.second_distance_angstrom[0]
        if events.second_apex > 0 and closest < least:
            raise ValueError(
                f"scene.events.second_distance_angstrom: expected at least {least:g} Angstrom, "
                f"{times} {of}, so that no molecule is in both fields, got "
                f"{closest:g}; set scene.events.second_apex = 0 for a single apex"
            )
