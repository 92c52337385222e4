"""Datasets of the folder: what they contain, their statistics and pictures."""

import threading
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response

from ...dataset.versions import history, list_tags
from .. import statistics as sums
from ..auth import needs
from ..folder import Served
from ..server import Here
from .data import files_of
from .recipes import axes_content

router = APIRouter(prefix="/api/v1/datasets", tags=["datasets"], dependencies=[needs("read")])

_DPI = 150
_drawing = threading.Lock()


def _tags(served: Served) -> dict[str, str]:
    """Return the versions that tags name."""
    return {tag.name: tag.version for tag in list_tags(served.location) if not tag.deleted}


def _summary(served: Served) -> dict[str, Any]:
    manifest = served.manifest
    return {
        "name": served.name,
        "kind": manifest.kind,
        "n_samples": manifest.n_samples,
        "digest": manifest.digest,
        "version": manifest.version,
        "recipe_digest": manifest.recipe_digest,
        "classes": manifest.classes,
        "bytes": manifest.bytes_stored,
        "format": manifest.format,
        "created": manifest.created,
        "splits": [split.name for split in manifest.splits],
        "tags": [*_tags(served)],
        "url": f"/data/{served.name}",
    }


@router.get("")
def datasets(server: Here) -> list[dict[str, Any]]:
    """Return the complete datasets of the folder."""
    return [_summary(served) for served in server.folder.datasets().values()]


@router.get("/{name}")
def dataset(server: Here, name: str) -> dict[str, Any]:
    """Return what a dataset contains: fields, axes, classes, splits, versions, recipe, citation."""
    served = server.folder.dataset(name)
    manifest = served.manifest
    return {
        **_summary(served),
        "fields": [spec.model_dump(mode="json") for spec in manifest.fields],
        "computed": [spec.model_dump(mode="json") for spec in manifest.computed],
        "axes": axes_content(manifest.axes),
        "coordinates": axes_content(manifest.coordinates),
        "class_counts": manifest.class_counts,
        "splits": {split.name: split.part_rows for split in manifest.splits},
        "tags": _tags(served),
        "versions": [
            {
                "version": one.version,
                "change": one.change,
                "created": one.created,
                "n_samples": one.n_samples,
                "digest": one.digest,
            }
            for one in history(served.location, manifest)
        ],
        "citation": _citation(served),
        "recipe": served.dataset.document.content,
    }


def _citation(served: Served) -> str:
    """Return how to cite a dataset, in BibTeX; its digest stands for its content for ever."""
    manifest = served.manifest
    return (
        f"@misc{{tersgen_{manifest.digest[:12]},\n"
        f"  title = {{{served.name}: {manifest.n_samples} {manifest.kind} Raman samples}},\n"
        f"  year = {{{manifest.created[:4]}}},\n"
        f"  note = {{tersgen {manifest.environment.tersgen}, digest {manifest.digest}}}\n}}"
    )


@router.get("/{name}/files")
def files(server: Here, name: str) -> list[dict[str, Any]]:
    """Return URL and size of each file of a dataset."""
    return [
        {"url": f"/data/{file.relative_to(server.folder.path)}", "bytes": file.stat().st_size}
        for file in files_of(server.folder.dataset(name))
    ]


@router.get("/{name}/statistics")
def statistics(server: Here, name: str) -> dict[str, Any]:
    """Return count, mean, standard deviation and range of scalar fields; rows of each class."""
    served = server.folder.dataset(name)
    return {
        "fields": sums.statistics(served),
        "classes": dict(zip(served.manifest.classes, served.manifest.class_counts, strict=True)),
        "splits": {split.name: split.part_rows for split in served.manifest.splits},
    }


@router.get("/{name}/plot", response_class=Response)
def plot(
    server: Here,
    name: str,
    row: Annotated[int, Query(ge=0)] = 0,
    format: Literal["png", "svg"] = "png",
) -> Response:
    """Return a picture of a row: spectrum, sticks, map and structure."""
    from ...plotting.sample_images import DrawOptions
    from ...plotting.samples import draw_sample
    from ...plotting.style import picture, styled

    served = server.folder.dataset(name)
    with _drawing, styled():  # Matplotlib is for one thread at a time
        content = picture(draw_sample(served.dataset, row, DrawOptions()), format, _DPI)
    kind = {"png": "image/png", "svg": "image/svg+xml"}[format]
    return Response(content, media_type=kind)
