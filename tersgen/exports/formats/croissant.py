"""Croissant: Parquet files and what they contain, in the vocabulary of MLCommons."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...plugins import register
from ...schema.base import field
from ..about import KEYWORDS, About, coordinate_tables, describe
from ..exporter import Exporter, Report
from ..parts import part_views
from ..tables import RowTable

if TYPE_CHECKING:
    from ...dataset.dataset import Dataset

METADATA = "croissant.json"
_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""The context of the specification, version 1.1; readers compare it."""


@register("tersgen.exporters", "croissant")
class Croissant(Exporter):
    """``croissant.json`` and, beside it, a Parquet file for each part of a split."""

    format = "Croissant: croissant.json and Parquet files by part"

    class Settings(About):
        """What the metadata say, and whose parts the files are."""

        split: str = field("split whose parts become files, if there is one", "1", "default")

    def write(
        self, dataset: "Dataset", fields: Sequence[str] | None, out: Path, report: Report
    ) -> None:
        """Write the folder."""
        about: About = self.settings
        about.require("license", "authors", "url")
        names = list(dataset.fields) if fields is None else fields
        out.mkdir()
        done, files, sets = 0, [], []
        for part, view in part_views(dataset, self.settings.split):
            table = RowTable(view, names)
            path = out / f"{part}.parquet"
            done = table.write(path, report, done, len(dataset))
            files.append(_file(path))
            sets.append(_records(part, path.name, table))
        if dataset.contents.positions:
            sets.append(_axes(dataset))
        content = _metadata(dataset, about) | {"distribution": files, "recordSet": sets}
        (out / METADATA).write_text(json.dumps(content, indent=1) + "\n", "utf-8")


def _metadata(dataset: "Dataset", about: About) -> dict[str, Any]:
    known = describe(dataset, about)
    people = "; ".join(one.name for one in about.authors)
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": known.title,
        "description": known.description,
        "citeAs": f"{people} ({known.date[:4]}): {known.title}. {about.doi or about.url}",
        "creator": [{"@type": "sc:Person", "name": one.name} for one in about.authors],
        "datePublished": known.date,
        "keywords": list(KEYWORDS),
        "license": f"https://spdx.org/licenses/{about.license}",
        "url": about.url,
        "version": about.version or f"1.0.0+{known.version}",  # readers ask for three numbers
    }


def _file(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "@type": "cr:FileObject",
        "@id": path.name,
        "name": path.name,
        "contentUrl": path.name,
        "contentSize": f"{path.stat().st_size} B",
        "encodingFormat": "application/x-parquet",
        "sha256": digest,
    }


def _records(part: str, file: str, table: RowTable) -> dict[str, Any]:
    """Return what describes the rows of a file: a field for each column."""
    fields = []
    for column in table.schema:
        shape, kind = [], column.type
        while hasattr(kind, "value_type"):
            shape.append(kind.list_size)
            kind = kind.value_type
        unit = column.metadata[b"unit"].decode()
        text = column.metadata[b"description"].decode()
        one = {
            "@type": "cr:Field",
            "@id": f"{part}/{column.name}",
            "name": f"{part}/{column.name}",
            "description": text if unit == "1" else f"{text}, {unit}",
            "dataType": _DATA_TYPES[str(kind)],
            "source": {"fileObject": {"@id": file}, "extract": {"column": column.name}},
        }
        if shape:
            one |= {"isArray": True, "arrayShape": ",".join(map(str, shape))}
        fields.append(one)
    return {
        "@type": "cr:RecordSet",
        "@id": part,
        "name": part,
        "description": f"rows of the part {part}",
        "field": fields,
    }


_DATA_TYPES = {
    "float": "cr:Float32",
    "int32": "cr:Int32",
    "int64": "cr:Int64",
    "string": "sc:Text",
}


def _axes(dataset: "Dataset") -> dict[str, Any]:
    """Return the positions along dimensions as records within the metadata."""
    kinds = {"name": "sc:Text", "dim": "sc:Text", "unit": "sc:Text", "description": "sc:Text"}
    fields: list[dict[str, Any]] = [
        {"@type": "cr:Field", "@id": f"axes/{name}", "name": f"axes/{name}", "dataType": kind}
        for name, kind in kinds.items()
    ]
    fields.append(
        {
            "@type": "cr:Field", "@id": "axes/values", "name": "axes/values",
            "dataType": "cr:Float64", "isArray": True, "arrayShape": "-1",
        }
    )  # fmt: skip
    data = [
        {f"axes/{name}": value for name, value in one.items()} for one in coordinate_tables(dataset)
    ]
    return {
        "@type": "cr:RecordSet",
        "@id": "axes",
        "name": "axes",
        "description": "positions along the dimensions of arrays",
        "field": fields,
        "data": data,
    }
