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
from ..license import license_url
from ..parts import SHARD_SIZE, Part, write_parts

if TYPE_CHECKING:
    from ...dataset.dataset import Dataset

METADATA = "croissant.json"
_PARQUET = "application/x-parquet"
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
    """``croissant.json`` and, beside it, Parquet files for each part of a split."""

    resumes = True
    format = "Croissant: croissant.json and Parquet files by part"

    class Settings(About):
        """What the metadata say, and whose parts the files are."""

        split: str = field("split whose parts become files, if there is one", "1", "default")
        shard_mb: float = field(SHARD_SIZE, "MB", 500.0, gt=0)

    def write(
        self, dataset: "Dataset", fields: Sequence[str] | None, out: Path, report: Report
    ) -> None:
        """Write the folder."""
        about: About = self.settings
        about.require("license", "authors", "url")
        names = list(dataset.fields) if fields is None else fields
        out.mkdir(exist_ok=True)
        split, shard_mb = self.settings.split, self.settings.shard_mb
        parts = write_parts(dataset, names, split, shard_mb, out, report)
        files = [_file(out / file) for one in parts for file in one.files]
        files += [_file_set(one) for one in parts if len(one.files) > 1]
        sets = [_records(one) for one in parts]
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
        "license": license_url(about.license or ""),
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
        "encodingFormat": _PARQUET,
        "sha256": digest,
    }


def _file_set(part: Part) -> dict[str, Any]:
    """Return what describes the files of a part together; readers look for them in the folder."""
    return {
        "@type": "cr:FileSet",
        "@id": f"{part.stem}-files",
        "name": f"{part.stem}-files",
        "encodingFormat": _PARQUET,
        "includes": f"{part.stem}-*.parquet",
    }


def _records(one: Part) -> dict[str, Any]:
    """Return what describes the rows of a part: a field for each column."""
    part, fields = one.name, []
    source = {"fileObject": {"@id": one.files[0]}}
    if len(one.files) > 1:
        source = {"fileSet": {"@id": f"{one.stem}-files"}}
    for column in one.schema:
        shape, kind = [], column.type
        while hasattr(kind, "value_type"):
            shape.append(kind.list_size)
            kind = kind.value_type
        unit = column.metadata[b"unit"].decode()
        text = column.metadata[b"description"].decode()
        described = {
            "@type": "cr:Field",
            "@id": f"{part}/{column.name}",
            "name": f"{part}/{column.name}",
            "description": text if unit == "1" else f"{text}, {unit}",
            "dataType": _DATA_TYPES[str(kind)],
            "source": {**source, "extract": {"column": column.name}},
        }
        if shape:
            described |= {"isArray": True, "arrayShape": ",".join(map(str, shape))}
        fields.append(described)
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
