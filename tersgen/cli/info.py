"""``tersgen info``."""

import json
from pathlib import Path

import click

from ..schema.loading import printable
from .options import FILE, human_bytes, json_option


@click.command("info")
@click.argument("path", type=FILE)
@json_option
def command(path: Path, as_json: bool) -> None:
    """Tell what the dataset (or recipe file) at PATH holds."""
    from ..dataset.opening import open as open_dataset

    dataset = open_dataset(path)
    manifest = dataset.manifest
    if as_json:
        content = {
            "path": str(path),
            "n_samples": dataset.n_samples,
            "classes": list(dataset.classes),
            "fields": [field.spec.model_dump(mode="json") for field in dataset.values()],
            "manifest": manifest.model_dump(mode="json") if manifest else None,
            "recipe": dataset.recipe.model_dump(mode="json", exclude={"library"}),
        }
        click.echo(json.dumps(content))
        return
    shown = printable(str(path))
    if manifest:
        click.echo(
            f"{shown}: {dataset.n_samples} samples of {len(dataset.classes)} species, "
            f"{human_bytes(manifest.bytes_stored)}, format {manifest.format_version}, "
            f"built {manifest.created} by tersgen {manifest.environment.tersgen}"
        )
        click.echo(
            f"digest {manifest.digest}\nshards of {manifest.shard_rows} rows, chunks of "
            f"{manifest.chunk_rows}"
        )
    else:
        click.echo(f"{shown}: a recipe of {len(dataset.classes)} species; rows made when read")
    click.echo(f"\n{'array':<22} {'type':<8} {'dims of a row':<38} unit")
    for field in dataset.values():
        spec = field.spec
        dims = ", ".join(f"{d} {n}" for d, n in zip(spec.dims, spec.shape, strict=True)) or "-"
        click.echo(f"{spec.name:<22} {spec.dtype:<8} {dims:<38} {spec.unit}")
        click.echo(f"{'':<22} {spec.description}")
    click.echo("\nclass  samples  species")
    counts = manifest.class_counts if manifest else (0,) * len(dataset.classes)
    for label, (name, count) in enumerate(zip(dataset.classes, counts, strict=True)):
        click.echo(f"{label:>5}  {count if manifest else '-':>7}  {name}")
