"""Read and verify datasets without tersgen: all that is needed stands in schemas/FORMAT.md.

python read_without_tersgen.py data.zarr data.h5     # by default the golden datasets of the tests
"""

import json
import re
import struct
import sys
from pathlib import Path

import google_crc32c
import h5py
import numpy as np
from blake3 import blake3
from numcodecs import blosc

COMPRESSED = ("spectra", "maps", "tensors", "sticks/position", "sticks/intensity")


def expect(truth, what):
    """Stop with one line unless something is as it must be."""
    if not truth:
        sys.exit(f"refused: {what}")


def load(path, largest=16 << 20):
    """Return the content of a document."""
    expect(path.is_file() and not path.is_symlink(), f"{path}: missing, or a link")
    expect(path.stat().st_size <= largest, f"{path}: too large")
    return json.loads(path.read_text("utf-8"))


def canonical(content):
    """Return canonical JSON (section 5)."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode()


def content_digest(content):
    """Return the digest of canonical JSON."""
    return blake3(canonical(content)).hexdigest()


def rows_digest(parts, leaf_rows):
    """Return the tree digest of rows that come in parts of whole leaves (section 6)."""
    nodes = [
        blake3(values[first : first + leaf_rows].tobytes()).digest()
        for values in parts
        for first in range(0, len(values), leaf_rows)
    ]
    while len(nodes) > 1:
        odd = nodes[-1:] if len(nodes) % 2 else []
        pairs = zip(nodes[::2], nodes[1::2], strict=False)
        nodes = [blake3(left + right).digest() for left, right in pairs] + odd
    return nodes[0].hex()


def without_crc(data, path):
    """Return what stands before a CRC32C that is right."""
    stored = int.from_bytes(data[-4:], "little")
    expect(google_crc32c.value(data[:-4]) == stored, f"{path}: the CRC32C does not match")
    return data[:-4]


class Dataset:
    """One version of a dataset, the newest by default."""

    def __init__(self, path, version=None):
        self.folder = path if path.is_dir() else path.with_name(path.name + ".d")
        name = "manifest.json" if version is None else f"versions/{version}.json"
        self.manifest = rest = load(self.folder / name)
        expect(rest.get("format_version") == 4, f"{name}: another version of the format")
        rest = {key: value for key, value in rest.items() if key != "version"}
        same = content_digest(rest) == self.manifest["version"]
        expect(same and version in (None, self.manifest["version"]), f"{name}: another version")
        self.n, self.chunk_rows, self.shard_rows, self.leaf_rows = (
            rest[key] for key in ("n_samples", "chunk_rows", "shard_rows", "leaf_rows")
        )
        self.fields = {field["name"]: field for field in rest["fields"]}
        keys = ("name", "dims", "shape", "dtype", "unit")
        self.forms = {name: [one[key] for key in keys] for name, one in self.fields.items()}
        rows, fixed = [], [name for name, one in self.fields.items() if one.get("fixed_point")]
        for name, field in self.fields.items():
            legal = re.fullmatch("[a-z][a-z0-9_]*(/[a-z][a-z0-9_]*)?", name)
            expect(legal, f"{name!r}: no name of an array")
            integers = field["dtype"] in ("uint8", "uint16")
            expect(integers == bool(field.get("fixed_point")), f"{name}: no type of an array")
            field["dtype"] = np.dtype(field["dtype"]).newbyteorder("<")
            rows.append(field["dtype"].itemsize * int(np.prod(field["shape"])))
        powers = [1 << k for k in range(54)]
        counted = max(*rows, *(2 * int(np.prod(self.fields[name]["shape"])) for name in fixed))
        leaf = max([p for p in powers[:9] if p * counted <= 2 << 20], default=1)
        expect(self.leaf_rows == leaf, "leaves that are not those of the arrays")
        fits = self.chunk_rows in powers and self.shard_rows in powers
        fits &= self.shard_rows >= max(self.chunk_rows, leaf)
        fits &= self.chunk_rows == 1 or self.chunk_rows * max(rows) <= 1 << 30
        fits &= self.shard_rows == 1 or self.shard_rows * sum(rows) <= 1 << 34
        expect(fits, f"chunks of {self.chunk_rows} rows and shards of {self.shard_rows}")
        place = {
            "chunk_rows": self.chunk_rows,
            "compression": rest.get("compression", "lz4"),
            "format": rest["format"],
            "recipe": rest["recipe_digest"],
            "shard_rows": self.shard_rows,
        }
        self.id = bytes.fromhex(content_digest(place))[:16]

    def shards(self, name):
        """Yield the rows of this version in each shard of an array."""
        read = self._zarr_shard if self.manifest["format"] == "zarr" else self._hdf5_shard
        for shard in range(-(-self.n // self.shard_rows)):
            yield read(
                self.fields[name], shard, min(self.shard_rows, self.n - shard * self.shard_rows)
            )

    def _file(self, inside):
        ways = [self.folder / inside, *[self.folder / way for way in Path(inside).parents][:-1]]
        expect(not any(way.is_symlink() for way in ways), f"{ways[0]}: a link")
        expect(ways[0].is_file(), f"{ways[0]}: missing")
        return ways[0]

    def _checks(self, seal, names, shard, n_rows, path):
        """Return the CRC32C of each chunk by the checksum table of a file of just this place."""
        entries = np.frombuffer(without_crc(seal, path), "<u4", offset=40)
        dataset, *place, rows = struct.unpack("<16sIIQQ", seal[:40])
        same = dataset == self.id
        arrays = canonical([self.forms[name] for name in names])
        same &= place == [google_crc32c.value(arrays), len(entries), shard]
        expect(same and rows >= n_rows, f"{path}: its checksum table is of another place")
        return entries.tolist()

    def _zarr_shard(self, field, shard, n_rows):
        path = self._file(f"{field['name']}/c.{shard}{'.0' * len(field['shape'])}")
        data = path.read_bytes()
        n_chunks = self.shard_rows // self.chunk_rows
        body = len(data) - 16 * n_chunks - 4
        seal = body - 4 * n_chunks - 44
        expect(seal >= 0, f"{path}: cut short")
        checks = self._checks(data[seal:body], [field["name"]], shard, n_rows, path)
        index = np.frombuffer(without_crc(data[body:], path), "<u8").reshape(-1, 2).tolist()
        chunks = []
        for (offset, size), crc in zip(
            index[: -(-n_rows // self.chunk_rows)], checks, strict=False
        ):
            expect(offset + size <= seal, f"{path}: a chunk is missing, or ends past the end")
            payload = data[offset : offset + size - 4]
            expect(google_crc32c.value(payload) == crc, f"{path}: the CRC32C does not match")
            chunks.append(self._decode(payload, field, path))
        return np.concatenate(chunks)[:n_rows]

    def decoded(self, name, values):
        """Return values: of a fixed-point array those that its integers stand for (section 2)."""
        one = self.fields[name].get("fixed_point")
        if one is None:
            return values
        found = ((values.astype(np.float64) - one["zero"]) * one["scale"]).astype(np.float32)
        found[values == one["missing"]] = np.nan
        return found

    def _decode(self, payload, field, path):
        shape = (self.chunk_rows, *field["shape"])
        wanted = field["dtype"].itemsize * int(np.prod(shape))
        if field["name"] in COMPRESSED:
            expect(len(payload) >= 16, f"{path}: no blosc chunk")
            flags, type_size, decoded, block, stored = struct.unpack("<2x2B3I", payload[:16])
            told = (type_size, decoded, stored) == (field["dtype"].itemsize, wanted, len(payload))
            told &= block <= wanted <= 256 * stored and flags >> 5 == 1
            expect(told, f"{path}: not the chunk that is expected")
            payload = blosc.decompress(payload)
        expect(len(payload) == wanted, f"{path}: not the chunk that is expected")
        return np.frombuffer(payload, field["dtype"]).reshape(shape)

    def _hdf5_shard(self, field, shard, n_rows):
        path = self._file(f"shards/{shard:06d}.h5")
        data = path.read_bytes()
        expect(data[:9] == b"\x89HDF\r\n\x1a\n\x03", f"{path}: not superblock 3")
        shape = tuple(field["shape"])
        with h5py.File(path, "r", locking=False) as file:
            whole = (self.shard_rows, *shape), (self.chunk_rows, *shape), field["dtype"]
            n_there, chunks = self._hdf5_chunks(file, field["name"], n_rows, whole, data)
            n_chunks = -(-n_there // self.chunk_rows)
            length = (len(self.fields) * n_chunks + 11,)
            whole = length, length, np.dtype("<u4")
            n_there, (checks,) = self._hdf5_chunks(file, "checks", *length, whole, data)
        checks = self._checks(checks[:-4], self.fields, shard, n_rows, path)
        own = checks[list(self.fields).index(field["name"]) * n_chunks :]
        for chunk, crc in zip(chunks, own, strict=False):
            expect(google_crc32c.value(chunk) == crc, f"{path}: the CRC32C does not match")
        values = b"".join(chunk[:-4] for chunk in chunks)
        return np.frombuffer(values, field["dtype"]).reshape(-1, *shape)[:n_rows]

    def _hdf5_chunks(self, node, name, n_rows, whole, data):
        """Return how many rows an array has, and the stored chunks of the first of them."""
        what = f"{node.filename}: {name}"
        for part in name.split("/"):
            expect(isinstance(node.get(part, getlink=True), h5py.HardLink), f"{what}: a link")
            node = node[part]
        made = node.id.get_create_plist()
        expect(made.get_layout() == h5py.h5d.CHUNKED, f"{what}: not chunked")
        filters = [made.get_filter(k)[0] for k in range(made.get_nfilters())]
        expect(filters == [h5py.h5z.FILTER_FLETCHER32], f"{what}: other filters")
        expect((node.maxshape, node.chunks, node.dtype) == whole, f"{what}: another array")
        rows, *shape = node.shape
        expect(rows >= n_rows and shape == list(node.chunks[1:]), f"{what}: another shape")
        size = node.dtype.itemsize * int(np.prod(node.chunks)) + 4
        chunks = []
        for first in range(0, n_rows, node.chunks[0]):
            info = node.id.get_chunk_info_by_coord((first, *[0] * len(shape)))
            there = info.byte_offset is not None and info.filter_mask == 0
            there = there and info.size == size and info.byte_offset <= len(data) - size
            expect(there, f"{what}: row {first}: no chunk")
            chunks.append(data[info.byte_offset : info.byte_offset + size])
        return rows, chunks

    def parts(self, split):
        """Return the part of each row, as a number in ``split["rule"]["names"]``."""
        expect(re.fullmatch("[A-Za-z0-9][A-Za-z0-9._-]{0,63}", split["name"]), "a split's name")
        path = self._file(f"splits/{split['name']}-{split['digest'][:16]}.npy")
        expect(path.stat().st_size == 128 + self.n, f"{path}: another file")
        data = path.read_bytes()
        header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({self.n},), }}".ljust(117)
        magic = b"\x93NUMPY\x01\x00\x76\x00"
        expect(data[:128] == magic + header.encode() + b"\n", f"{path}: another header")
        parts = np.frombuffer(data[128:], np.uint8)
        expect(rows_digest([parts], 1 << 20) == split["digest"], f"{path}: another split")
        return parts

    def verify(self):
        """Hold every value against the digests; return that of the dataset."""
        manifest = self.manifest
        recipe = load(self.folder / "recipe.json")
        expect(content_digest(recipe) == manifest["recipe_digest"], "another recipe")
        arrays = {name: rows_digest(self.shards(name), self.leaf_rows) for name in self.fields}
        bad = [name for name in arrays if arrays[name] != manifest["arrays"][name]]
        expect(not bad, f"{', '.join(bad)}: other values")
        content = {
            "arrays": {
                name: {
                    "digest": arrays[name],
                    "dtype": field["dtype"].name,
                    "shape": field["shape"],
                    **({"fixed_point": field["fixed_point"]} if field.get("fixed_point") else {}),
                }
                for name, field in self.fields.items()
            },
            "classes": manifest["classes"],
            "n_samples": self.n,
            "recipe": content_digest(recipe),
        }
        expect(content_digest(content) == manifest["digest"], "another digest of the dataset")
        for split in manifest.get("splits", []):
            self.parts(split)
        return manifest["digest"]


def main():
    """Show the first row, and verify all versions, of each dataset."""
    golden = Path(__file__).parents[1] / "tests" / "golden"
    known = [golden / f"v4{end}" for end in (".zarr", ".h5", "_uint8.zarr", "_uint12.h5")]
    for path in map(Path, sys.argv[1:] or known):
        dataset = Dataset(path)
        print(f"{path}: {dataset.n} rows of {', '.join(dataset.manifest['classes'])}")
        for name in dataset.fields:
            first = dataset.decoded(name, next(dataset.shards(name))[0])
            print(f"  {name} {first.shape} {first.dtype}: {first.ravel()[:4].tolist()}")
        while dataset is not None:  # the versions before it lie in the same shards
            version, parent = (dataset.manifest.get(key) for key in ("version", "parent"))
            print(f"  version {version[:12]}, {dataset.n} rows, sound: {dataset.verify()}")
            dataset = Dataset(path, parent) if parent else None


if __name__ == "__main__":
    main()
