"""``CITATION.cff``: how a dataset wants to be cited, for GitHub, Zenodo and Zotero."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from ...plugins import register
from ..about import KEYWORDS, About, Author, describe
from ..exporter import Exporter, Report
from ..license import COMMON, license_url

if TYPE_CHECKING:
    from ...dataset.dataset import Dataset


@register("tersgen.exporters", "citation")
class Citation(Exporter):
    """The Citation File Format, version 1.2.0."""

    format = "CITATION.cff of the dataset"
    ending = ".cff"

    class Settings(About):
        """What the authors know."""

    def write(
        self, dataset: "Dataset", fields: Sequence[str] | None, out: Path, report: Report
    ) -> None:
        """Write the file."""
        about: About = self.settings
        about.require("authors")
        known = describe(dataset, about)
        content: dict[str, Any] = {
            "cff-version": "1.2.0",
            "message": "If you use this dataset, please cite it as below.",
            "type": "dataset",
            "title": known.title,
            "abstract": known.description,
            "authors": [_person(one) for one in about.authors],
            "version": known.version,
            "date-released": known.date,
            "keywords": list(KEYWORDS),
        }
        if about.license in COMMON:
            content["license"] = about.license
        elif about.license:
            content["license-url"] = license_url(about.license)
        content |= {
            name: value for name, value in (("doi", about.doi), ("url", about.url)) if value
        }
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)
        out.write_text(text, "utf-8")


def _person(author: Author) -> dict[str, str]:
    orcid = author.orcid and f"https://orcid.org/{author.orcid}"
    named = {
        "family-names": author.family,
        "given-names": author.given,
        "affiliation": author.affiliation,
        "orcid": orcid,
    }
    return {name: value for name, value in named.items() if value}
