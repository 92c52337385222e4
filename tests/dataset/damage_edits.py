"""Documents of a dataset edited by one who knows the format: their own checksums are right."""

import json
from collections.abc import Callable
from typing import Any

from damage_kinds import Copy, kind

from tersgen.schema.digest import canonical_digest, digest_without

Edit = Callable[[Copy, dict[str, Any]], None]


def _seal(copy: Copy, manifest: dict[str, Any]) -> None:
    """Write a manifest, with digests that follow from its content, as the newest version."""
    arrays = {
        spec["name"]: {
            "digest": manifest["arrays"].get(spec["name"], "0" * 64),
            "dtype": spec["dtype"],
            "shape": spec["shape"],
        }
        for spec in manifest["fields"]
    }
    manifest["digest"] = canonical_digest(
        {
            "arrays": arrays,
            "classes": manifest["classes"],
            "n_samples": manifest["n_samples"],
            "recipe": manifest["recipe_digest"],
        }
    )
    manifest["version"] = digest_without(manifest, "version")
    for name in ("manifest.json", f"versions/{manifest['version']}.json",
                 f"versions/copies/{manifest['version']}.json"):  # fmt: skip
        copy.write_json(name, manifest)


def _fewer_rows(copy: Copy, manifest: dict[str, Any]) -> None:
    gone = int(copy.pick((1, 64, 88, 100)))
    manifest["n_samples"] -= gone
    manifest["class_counts"][0] -= gone
    manifest.pop("splits", None)


def _more_rows(copy: Copy, manifest: dict[str, Any]) -> None:
    more = int(copy.pick((1, 39, 40, 41, 168, 1000, 2**40)))
    manifest["n_samples"] += more
    manifest["class_counts"][0] += more
    manifest.pop("splits", None)


def _rows_of_chunks(copy: Copy, manifest: dict[str, Any]) -> None:
    name = copy.pick(("chunk_rows", "shard_rows"))
    manifest[name] = int(manifest[name] * copy.pick((0.5, 2)))


def _type(copy: Copy, manifest: dict[str, Any]) -> None:
    spec = copy.pick(manifest["fields"])
    spec["dtype"] = copy.pick({"float16", "float32", "int32"} - {spec["dtype"]})


def _shape(copy: Copy, manifest: dict[str, Any]) -> None:
    spec = copy.pick(one for one in manifest["fields"] if one["shape"])
    how = copy.pick(("turned", "halved", "longer", "flat"))
    shape = spec["shape"]
    if how == "turned":
        spec["shape"] = shape[::-1]
    elif how == "halved":
        spec["shape"] = [max(1, shape[0] // 2), *shape[1:]]
    elif how == "longer":
        spec["shape"] = [shape[0] * int(copy.pick((2, 2**20))), *shape[1:]]
    else:
        spec["shape"] = [1] * (len(shape) - 1) + [shape[0] * max(1, len(shape))]


def _unit(copy: Copy, manifest: dict[str, Any]) -> None:
    copy.pick(manifest["fields"])["unit"] = "nm"


def _classes(copy: Copy, manifest: dict[str, Any]) -> None:
    if copy.pick((True, False)):
        manifest["classes"] = manifest["classes"][::-1]
    else:
        manifest["classes"][0] = "another"


def _digests(copy: Copy, manifest: dict[str, Any]) -> None:
    one, other = copy.random.permutation(len(manifest["arrays"]))[:2].tolist()
    names = list(manifest["arrays"])
    arrays = manifest["arrays"]
    arrays[names[one]], arrays[names[other]] = arrays[names[other]], arrays[names[one]]


def _names(copy: Copy, manifest: dict[str, Any]) -> None:
    """Let two arrays of the same type and shape change their names."""
    fields = [one for one in manifest["fields"] if not one["shape"] and one["dtype"] == "float32"]
    one, other = copy.random.permutation(len(fields))[:2].tolist()
    fields[one]["name"], fields[other]["name"] = fields[other]["name"], fields[one]["name"]


def _without_array(copy: Copy, manifest: dict[str, Any]) -> None:
    gone = copy.pick(manifest["fields"])
    manifest["fields"].remove(gone)
    del manifest["arrays"][gone["name"]]


def _axis(copy: Copy, manifest: dict[str, Any]) -> None:
    axis = copy.pick(manifest["axes"])
    axis["stop"] = axis["stop"] * 2


def _compression(copy: Copy, manifest: dict[str, Any]) -> None:
    if manifest.pop("compression", None) is None:
        manifest["compression"] = "none"


def _facts(copy: Copy, manifest: dict[str, Any]) -> None:
    name = copy.pick(("seed", "generator", "bytes_stored", "leaf_rows", "parent", "format", "kind"))
    manifest[name] = {"parent": "1" * 64, "format": "hdf5", "kind": "measured"}.get(name, 4)


def _recipe(copy: Copy, manifest: dict[str, Any]) -> None:
    recipe = copy.json("recipe.json")
    recipe["seed"] += 1
    for name in ("recipe.json", "versions/recipe.json"):
        copy.write_json(name, recipe)
    manifest["recipe_digest"] = canonical_digest(recipe)


def _split(copy: Copy, manifest: dict[str, Any]) -> None:
    (split,) = manifest["splits"]
    name = copy.pick(("digest", "counts", "names"))
    if name == "digest":
        split["digest"] = "2" * 64
    elif name == "counts":
        split["counts"][0] = split["counts"][0][::-1]
    else:
        split["rule"]["names"] = split["rule"].get("names", ["train", "val", "test"])[::-1]


EDITS: dict[str, Edit] = {
    "fewer rows": _fewer_rows,
    "more rows": _more_rows,
    "rows of chunks and shards": _rows_of_chunks,
    "type": _type,
    "shape": _shape,
    "unit": _unit,
    "classes": _classes,
    "digests": _digests,
    "names": _names,
    "an array left out": _without_array,
    "axis": _axis,
    "compression": _compression,
    "other entries": _facts,
    "recipe": _recipe,
    "split": _split,
}


def _edited(edit: Edit) -> Callable[[Copy], None]:
    def act(copy: Copy) -> None:
        manifest = copy.json("manifest.json")
        before = json.dumps(manifest)
        while json.dumps(manifest) == before:
            edit(copy, manifest)
        _seal(copy, manifest)

    return act


for _name, _edit in EDITS.items():
    kind(f"manifest edited with right checksums: {_name}")(_edited(_edit))


@kind("lock file edited with right checksums")
def edited_lock(copy: Copy) -> None:
    lock = copy.json("lock.json")
    name = copy.pick(("n_samples", "chunk_rows", "shard_rows", "seed", "generator"))
    lock[name] = lock[name] * 2
    lock["check"] = digest_without(lock, "check")
    copy.write_json("lock.json", lock)
    copy.what += f" {name}"


@kind("a tag moved to another version")
def moved_tag(copy: Copy) -> None:
    tag = copy.json("tags/v1.json")
    tag["version"] = copy.json("manifest.json")["version"]
    names = copy.pick((("tags/v1.json",), ("tags/v1.json", "versions/copies/tag-v1.json")))
    for name in names:
        copy.write(name, json.dumps(tag).encode() + b"\n")
