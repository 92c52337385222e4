"""DataCite metadata, with which a repository registers a DOI."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...plugins import register
from ..about import KEYWORDS, About, Author, describe
from ..exporter import Exporter, Report
from ..license import license_url

if TYPE_CHECKING:
    from ...dataset.dataset import Dataset

_SCHEMA = "http://datacite.org/schema/kernel-4"


@register("tersgen.exporters", "datacite")
class DataCite(Exporter):
    """The JSON form of the DataCite metadata schema, version 4.5."""

    format = "DataCite metadata of the dataset, JSON"
    ending = ".json"

    class Settings(About):
        """What the authors know."""

    def write(
        self, dataset: "Dataset", fields: Sequence[str] | None, out: Path, report: Report
    ) -> None:
        """Write the file."""
        about: About = self.settings
        about.require("authors", "publisher")
        known = describe(dataset, about)
        content: dict[str, Any] = {
            "schemaVersion": _SCHEMA,
            "types": {"resourceTypeGeneral": "Dataset", "resourceType": f"{dataset.kind} spectra"},
            "creators": [_creator(one) for one in about.authors],
            "titles": [{"title": known.title}],
            "publisher": {"name": about.publisher},
            "publicationYear": known.date[:4],
            "subjects": [{"subject": word} for word in KEYWORDS],
            "dates": [{"date": known.date, "dateType": "Created"}],
            "language": "en",
            "version": known.version,
            "descriptions": [{"description": known.description, "descriptionType": "Abstract"}],
            "sizes": [f"{len(dataset)} samples"],
            "alternateIdentifiers": [
                {
                    "alternateIdentifier": dataset.identity,
                    "alternateIdentifierType": "BLAKE3 digest of the rows",
                }
            ],
        }
        if about.license:
            content["rightsList"] = [
                {
                    "rightsIdentifier": about.license,
                    "rightsIdentifierScheme": "SPDX",
                    "schemeUri": "https://spdx.org/licenses/",
                    "rightsUri": license_url(about.license),
                }
            ]
        content |= {
            name: value for name, value in (("doi", about.doi), ("url", about.url)) if value
        }
        text = json.dumps(content, indent=1, ensure_ascii=False)
        out.write_text(text + "\n", "utf-8")


def _creator(author: Author) -> dict[str, Any]:
    person: dict[str, Any] = {
        "name": author.name,
        "nameType": "Personal",
        "familyName": author.family,
    }
    if author.given:
        person["givenName"] = author.given
    if author.affiliation:
        person["affiliation"] = [{"name": author.affiliation}]
    if author.orcid:
        person["nameIdentifiers"] = [
            {
                "nameIdentifier": f"https://orcid.org/{author.orcid}",
                "nameIdentifierScheme": "ORCID",
                "schemeUri": "https://orcid.org",
            }
        ]
    return person
