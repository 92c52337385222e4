"""``tersgen info``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..text import counted, human_bytes
from .common.messages import say, say_json
from .common.options import FILE, json_option, links_option, plugin_option

if TYPE_CHECKING:
    from ..schema.fields import Axis, Coordinate
    from ..schema.manifest import Manifest, Tag
    from ..schema.split import SplitRule

_MOST_VALUES = 8
"""Positions that are printed one by one."""


@click.command("info")
@click.argument("path", type=FILE)
@click.option("--build", "of_build", is_flag=True,
              help="Show the progress of its build, from any machine, while it runs.")  # fmt: skip
@links_option
@json_option
@plugin_option
def command(path: Path, of_build: bool, as_json: bool, follow_links: bool) -> None:
    """Show what the dataset (or recipe file) at PATH contains, or the progress of its build."""
    from .build_status import build_content, say_build, show_build

    if of_build:
        show_build(path, as_json, follow_links)
        return
    from ..api.datasets import info

    found = info(path, follow_links=follow_links)
    seen, dataset = found.build, found.dataset
    if dataset is None:
        if seen and as_json:
            say_json({"path": str(path), "build": build_content(seen)})
        elif seen:
            say_build(path, seen)
        return
    manifest = dataset.manifest
    if as_json:
        content = {
            "path": str(path),
            "n_samples": dataset.n_samples,
            "classes": list(dataset.classes),
            "fields": [field.spec.model_dump(mode="json") for field in dataset.fields.values()],
            "axes": [axis.model_dump(mode="json") for axis in dataset.axes.values()],
            "coordinates": [one.model_dump(mode="json") for one in dataset.coordinates.values()],
            "roundings": [one.model_dump(mode="json") for one in dataset.roundings],
            "manifest": manifest.model_dump(mode="json") if manifest else None,
            "kind": dataset.kind,
            "recipe": {
                name: value for name, value in dataset.document.content.items() if name != "files"
            },
            "splits": {name: split.part_rows for name, split in dataset.splits.items()},
            "tags": {name: tag and tag.version for name, tag in found.tags.items()},
            "build": seen and build_content(seen),
        }
        say_json(content)
        return
    if manifest:
        plain = ", not compressed" if manifest.compression == "none" else ""
        kind, noun = ("measured ", "classes") if dataset.kind == "measured" else ("", "species")
        say(
            f"{path}: {dataset.n_samples} {kind}samples of {len(dataset.classes)} {noun}, "
            f"{human_bytes(manifest.bytes_stored)}, format {manifest.format_version}, "
            f"built {manifest.created} by tersgen {manifest.environment.tersgen}"
        )
        say(
            f"digest {manifest.digest}",
            f"version {manifest.version[:12]}: {manifest.change}",
            f"shards of {counted(manifest.shard_rows, 'row')}, "
            f"chunks of {manifest.chunk_rows}{plain}",
        )
    else:
        say(f"{path}: a recipe of {len(dataset.classes)} species; rows made when read")
    say("", f"{'array':<22} {'type':<8} {'dims of a row':<38} unit")
    errors = {one.name: f"; {one.text}" for one in dataset.roundings}
    for field in dataset.fields.values():
        spec = field.spec
        dims = ", ".join(f"{d} {n}" for d, n in zip(spec.dims, spec.shape, strict=True)) or "-"
        say(f"{spec.name:<22} {spec.dtype:<8} {dims:<38} {spec.unit}")
        computed = "; computed as rows are read" if manifest and spec in manifest.computed else ""
        notes = f"{errors.get(spec.name, '')}{computed}"
        say(f"{'':<22} {spec.description}{notes}")
    _print_positions(dataset.contents.positions)
    say("", "class  samples  species")
    counts = manifest.class_counts if manifest else (0,) * len(dataset.classes)
    for label, (name, count) in enumerate(zip(dataset.classes, counts, strict=True)):
        say(f"{label:>5}  {count if manifest else '-':>7}  {name}")
    if manifest:
        _print_splits(manifest)
        _print_tags(found.tags)
    if seen:
        say("")
        say_build(path, seen)


def _print_positions(positions: "tuple[Axis | Coordinate, ...]") -> None:
    """Print the positions along dimensions: those of axes as a range, others one by one."""
    if positions:
        say("", f"{'axis':<22} {'size':<8} {'positions':<38} unit")
    for one in positions:
        values = [f"{value:g}" for value in one.points().tolist()]
        if one.name == one.dim:
            text = values[0] if one.n == 1 else f"{values[0]} to {values[-1]}"
        else:
            text = ", ".join(values[:_MOST_VALUES]) + (", ..." if one.n > _MOST_VALUES else "")
        say(f"{one.name:<22} {one.n:<8} {text:<38} {one.unit}", f"{'':<22} {one.description}")


def _print_splits(manifest: "Manifest") -> None:
    if not manifest.splits:
        say("", "no splits; tersgen split makes one")
        return
    say("", f"{'split':<18} {'rows':>10}  parts")
    for split in manifest.splits:
        parts = ", ".join(f"{name} {rows}" for name, rows in split.part_rows.items())
        say(f"{split.name:<18} {split.n_samples:>10}  {parts}; {_rule(split.rule)}")


def _rule(rule: "SplitRule") -> str:
    """Return how a split came about, in a few words."""
    text = f"by {rule.by}, seed {rule.seed}"
    if rule.hold_out:
        text += f", only in {rule.names[rule.held_part]}: {', '.join(rule.hold_out)}"
    return text


def _print_tags(tags: "dict[str, Tag | None]") -> None:
    if not tags:
        say("", "no tags; tersgen tag gives one")
        return
    say("", f"{'tag':<18} {'version':<12}  given")
    for name, tag in tags.items():
        shown = f"{tag.version[:12]}  {tag.created}" if tag else "damaged; tersgen verify says more"
        say(f"{name:<18} {shown}")
