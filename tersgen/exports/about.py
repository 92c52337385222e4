"""What a publication must say of a dataset and only its authors know, such as the licence."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field

from .. import __version__
from ..errors import ConfigError
from ..schema.base import Frozen, field
from ..text import counted
from .license import License

if TYPE_CHECKING:
    from ..dataset.dataset import Dataset

KEYWORDS = ("Raman spectroscopy", "TERS", "tip-enhanced Raman spectroscopy")
TERSGEN_VERSION = __version__
_LIBRARY_SHOWN = 12


class Author(Frozen):
    """A person."""

    family: str = field("family name", "1", min_length=1)
    given: str = field("given names", "1", "")
    orcid: str | None = field(
        "ORCID, such as 0000-0002-1825-0097", "1", None, pattern=r"^(\d{4}-){3}\d{3}[\dX]$"
    )
    affiliation: str | None = field("affiliation", "1", None)

    @property
    def name(self) -> str:
        """The name as indexes have it: family name first."""
        return f"{self.family}, {self.given}" if self.given else self.family


def _authors(given: Any) -> Any:
    """Return authors from a text, ``Raman, C. V.; Curie, Marie``; anything else as it is."""
    if not isinstance(given, str):
        return given
    people = [one.partition(",") for one in given.split(";") if one.strip()]
    return tuple({"family": last.strip(), "given": first.strip()} for last, _, first in people)


class About(Frozen):
    """Title, authors, licence and address of a dataset."""

    title: str | None = field("title  [default: from the classes]", "1", None, min_length=1)
    authors: Annotated[tuple[Author, ...], BeforeValidator(_authors)] = field(
        'authors: "Raman, C. V.; Curie, Marie", or a list of tables of family, given, orcid, '
        "affiliation",
        "1",
        (),
    )
    license: License | None = field("licence by its SPDX identifier, such as CC-BY-4.0", "1", None)
    description: str | None = field("summary  [default: from the dataset]", "1", None)
    url: str | None = field("address of its page", "1", None, pattern=r"^https?://\S+$")
    doi: str | None = field("DOI, such as 10.5281/zenodo.1234", "1", None, pattern=r"^10\.\d+/\S+$")
    publisher: str | None = field("publisher, such as Zenodo", "1", None)
    version: str | None = field("version  [default: beginning of the version's id]", "1", None)
    date: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d$")] | None = field(
        "date of publication, YYYY-MM-DD  [default: when the dataset was completed]", "1", None
    )

    def require(self, *names: str) -> None:
        """Refuse to leave out settings that a format requires and only the authors know.

        Raises
        ------
        ConfigError
            If one of these settings is not set.
        """
        missing = [name for name in names if not getattr(self, name)]
        if missing:
            name = missing[0]
            what = re.sub(r"\s*\[.*", "", type(self).model_fields[name].description or "")
            options = " ".join(f"--set {one}=..." for one in missing)
            raise ConfigError(f"{name}: expected a value, got none ({what}); {options}")


class Described(Frozen):
    """An :class:`About` with what the dataset itself knows filled in."""

    title: str
    description: str
    version: str
    date: str


def describe(dataset: "Dataset", about: About) -> Described:
    """Return title, summary, version and date of a dataset.

    Raises
    ------
    ConfigError
        If it is generated, not stored, and the date is not set.
    """
    manifest = dataset.manifest
    date = about.date or (manifest.created[:10] if manifest else None)
    if date is None:
        raise ConfigError("date: expected a value for rows that are not stored; --set date=...")
    shown = ", ".join(dataset.classes[:_LIBRARY_SHOWN])
    more = len(dataset.classes) - _LIBRARY_SHOWN
    shown += f" and {more} more" if more > 0 else ""
    kind = "Synthetic tip-enhanced" if dataset.kind == "synthetic" else "Measured"
    made = (
        f"{kind} Raman data: {counted(len(dataset), 'sample')} of "
        f"{counted(len(dataset.classes), 'class')} ({shown}). Digest {dataset.identity}."
    )
    return Described(
        title=about.title or f"{kind} Raman data of {shown}",
        description=about.description or made,
        version=about.version or (manifest.version[:12] if manifest else dataset.identity[:12]),
        date=date,
    )


def coordinate_tables(dataset: "Dataset") -> list[Mapping[str, Any]]:
    """Return the positions along dimensions as tables: name, dim, unit, description, values."""
    return [
        {
            "name": one.name,
            "dim": one.dim,
            "unit": one.unit,
            "description": one.description,
            "values": one.points().tolist(),
        }
        for one in dataset.contents.positions
    ]
