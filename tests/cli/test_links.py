"""``--follow-links``: commands that read take it, those that write do not."""

import json
import shutil
from pathlib import Path

import pytest

OPTIONS = [
    *("--n", "600", "--preset", "canonical", "--library", "random:2"),
    *("--set", "grid.n_points=64"),
    *("--set", "lineshape.fwhm_cm1=150", "--set", "fields.tensors=false"),
]


@pytest.fixture(scope="module")
def linked(quick_cli, tmp_path_factory):
    """Return a dataset and one whose files are links to its files."""
    folder = tmp_path_factory.mktemp("linked")
    plain, other = folder / "a.zarr", folder / "b.zarr"
    quick_cli.good("build", *OPTIONS, "--out", plain)
    quick_cli.good("split", plain)
    quick_cli.good("tag", plain, "v1")
    shutil.copytree(plain, other, copy_function=lambda source, to: _link(to, source))
    return plain, other


def _link(link, target):
    Path(link).symlink_to(target)


@pytest.mark.parametrize(
    "arguments",
    [
        ["info"],
        ["info", "--build"],
        ["log"],
        ["verify"],
        ["reproduce"],
        ["diff", "{plain}"],
        ["plot", "-o", "{out}/a.txt"],
        ["convert", "{out}/c.zarr"],
    ],
    ids=" ".join,
)
def test_who_reads_follows_links_if_asked_to(quick_cli, linked, tmp_path, arguments):
    plain, other = linked
    name, *rest = (one.format(plain=plain, out=tmp_path) for one in arguments)
    refused = quick_cli.run(name, other, *rest)
    assert refused.returncode == 1
    assert "--follow-links" in refused.stdout + refused.stderr
    quick_cli.good(name, other, *rest, "--follow-links")


def test_the_same_is_said_of_both(quick_cli, linked):
    plain, other = linked
    facts = [
        json.loads(quick_cli.good("info", path, "--json", "--follow-links")) for path in linked
    ]
    assert [one.pop("path") for one in facts] == [str(plain), str(other)]
    assert facts[0] == facts[1]
    assert facts[0]["tags"]


@pytest.mark.parametrize("name", ["extend", "repair", "split", "tag"])
def test_who_writes_has_no_such_option(quick_cli, linked, name):
    line = quick_cli.bad(name, linked[1], "--follow-links", code=2)
    assert "No such option" in line
