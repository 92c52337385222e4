"""A dataset as one page for a browser: the explorer with a sample of rows in it.

The page makes no request: script and style are in it, and its content security policy allows just
these, by their hashes.
"""

import base64
import gzip
import hashlib
import json
import re
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..effects.noise.settings import Noise
from ..errors import ConfigError, DatasetError, TersError

if TYPE_CHECKING:
    from ..dataset.dataset import Dataset
    from ..schema.species import Species

MOST_ROWS = 100
MOST_BYTES = 16 << 20
"""Of rows in a page, unless a number of rows is asked for."""
_IDEAL = ("spectra", "maps", "cube")
"""Fields that are also shown without noise and instrument."""


def make_report(dataset: "Dataset", n_rows: int | None = None) -> bytes:
    """Return a page that shows a stored dataset, with rows spread evenly over it.

    Parameters
    ----------
    dataset
        A stored dataset.
    n_rows
        Rows to include; None for as many as take 16 MiB, 100 at most.
    """
    if dataset.manifest is None:
        raise ConfigError(
            f"{dataset.path}: expected a stored dataset, got a recipe; build it first"
        )
    if n_rows is not None and not 1 <= n_rows <= dataset.n_samples:
        raise ConfigError(
            f"rows: expected 1 to {dataset.n_samples}, the rows of the dataset, got {n_rows}"
        )
    row_bytes = sum(field.spec.value_bytes for field in dataset.fields.values())
    fitting = max(1, MOST_BYTES // row_bytes)
    count = n_rows or min(MOST_ROWS, fitting, dataset.n_samples)
    rows = np.unique(np.linspace(0, dataset.n_samples - 1, count).round().astype(np.int64))
    return _page(_content(dataset, rows))


def _content(dataset: "Dataset", rows: NDArray[np.int64]) -> dict[str, Any]:
    """Return what the page contains of a dataset, for JSON."""
    assert dataset.manifest is not None
    manifest = dataset.manifest.model_dump(mode="json")
    values = {name: field[rows] for name, field in dataset.fields.items()}
    fields = {spec["name"]: spec for spec in (*manifest["fields"], *manifest.pop("computed"))}
    for name, array in _ideal(dataset, rows).items():
        values[f"ideal/{name}"] = array
        fields[f"ideal/{name}"] = {**fields[name], "name": f"ideal/{name}"}
    for name in dataset.splits:
        values[f"split/{name}"] = dataset.parts(name)[rows]
        fields[f"split/{name}"] = {**fields["label"], "name": f"split/{name}"}
    for name, array in values.items():
        fields[name] = {**fields[name], "dtype": array.dtype.name}
    return {
        "name": dataset.path.name,
        "manifest": {**manifest, "fields": list(fields.values())},
        "recipe": dataset.document.content,
        "rows": rows.tolist(),
        "fields": {name: _base64(array) for name, array in values.items()},
        "species": _species(dataset, values["label"]),
    }


def _base64(array: NDArray[Any]) -> str:
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    return base64.b64encode(np.ascontiguousarray(little).tobytes()).decode()


def _ideal(dataset: "Dataset", rows: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    """Return rows without noise and instrument; none if this version cannot make them."""
    names = [name for name in _IDEAL if name in dataset]
    if dataset.kind != "synthetic" or not names:
        return {}
    from ..dataset.documents import check_generator
    from ..generator import Generator

    try:
        recipe = check_generator(dataset.path, dataset.contents, dataset.document)
        quiet = {"noise": Noise(spectrum=(0.0, 0.0), map=(0.0, 0.0)), "instrument": None}
        if all(getattr(recipe, name) == value for name, value in quiet.items()):
            return {}
        generator = Generator(recipe.model_copy(update=quiet))
    except TersError:
        return {}  # an older generator's rows, or a plug-in that is absent: shown as recorded
    made = [generator.block(int(row), int(row) + 1, 1) for row in rows]
    return {name: np.concatenate([block[name] for block in made]) for name in names}


def _species(dataset: "Dataset", labels: NDArray[Any]) -> list[dict[str, Any] | None]:
    """Return what the page shows of each species; None of those without a row in it."""
    try:
        species = dataset.species
    except DatasetError:
        return []
    shown = {int(label) for label in labels}
    return [_described(one) if k in shown else None for k, one in enumerate(species)]


def _described(species: "Species") -> dict[str, Any]:
    atoms = species.atoms or ()
    return {
        "name": species.name,
        "formula": species.formula,
        "point_group": species.point_group,
        "symbols": [atom.symbol for atom in atoms],
        "position": np.ravel([atom.position for atom in atoms]).tolist(),
        "irreps": [mode.irrep for mode in species.modes],
        "frequency": [mode.frequency_cm1 for mode in species.modes],
        "tensor": np.ravel([mode.tensor for mode in species.modes]).tolist(),
    }


def _page(content: dict[str, Any]) -> bytes:
    """Return the explorer's page with script, style and content in it."""
    bundle = files("tersgen.serve") / "explorer"
    script = (bundle / "app/explorer.js").read_text("utf-8").replace("</script", "<\\/script")
    style = (bundle / "app/explorer.css").read_text("utf-8").replace("</style", "<\\/style")
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; "
        "img-src blob: data:; base-uri 'none'; form-action 'none'"
    )
    packed = gzip.compress(json.dumps(content).encode(), 6, mtime=0)
    html = (bundle / "index.html").read_text("utf-8")
    html = re.sub(r'(http-equiv="Content-Security-Policy" content=)"[^"]*"', rf'\1"{policy}"', html)
    html = re.sub(r'<link rel="icon"[^>]*>\n', "", html)
    head, styled, rest = html.partition('<link rel="stylesheet" href="app/explorer.css">')
    middle, scripted, end = rest.partition('<script type="module" src="app/explorer.js"></script>')
    assert styled
    assert scripted
    text = base64.b64encode(packed).decode()
    data = f'<script id="embedded" type="application/gzip">{text}</script>'
    return "".join(
        [head, "<style>", style, "</style>", middle, data, "\n", '<script type="module">', script,
         "</script>", end]
    ).encode()  # fmt: skip


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
