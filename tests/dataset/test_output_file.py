"""Single files: whole or not at all, never amid a dataset, and never through a link of ours."""

import os
import stat
import subprocess
import sys
import threading

import pytest

from tersgen.dataset.output_file import (
    check_output_file,
    refuse_inside_dataset,
    replace_file,
    write_output,
)
from tersgen.errors import DamagedDataError, OutputError
from tersgen.jobs.plan import make_plan
from tersgen.jobs.run import run

WRITERS = pytest.mark.parametrize("write", [replace_file, write_output])


@WRITERS
def test_it_is_written_and_replaced_whole(tmp_path, write):
    path = tmp_path / ("n" * 250)
    for content in (b"first", b"second"):
        write(path, content)
        assert path.read_bytes() == content
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


@WRITERS
def test_permissions_stay(tmp_path, write):
    path = tmp_path / "a"
    path.write_text("old")
    path.chmod(0o640)
    write(path, b"new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


FULL = """
import resource, signal, sys
from pathlib import Path
from tersgen.dataset.output_file import replace_file, write_output
from tersgen.errors import OutputError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
for write in (replace_file, write_output):
    try:
        write(Path(sys.argv[1]), b"x" * 5000)
        sys.exit("written")
    except OutputError as error:
        print(error)
"""


@WRITERS
def test_rows_that_are_damaged_are_no_fault_of_the_file(tmp_path, write):
    def content():
        yield b"first"
        raise DamagedDataError("maps, rows 0 to 31: damaged")

    with pytest.raises(DamagedDataError, match=r"^maps, rows 0 to 31: damaged$"):
        write(tmp_path / "a", content())
    assert not any(tmp_path.iterdir())


def test_a_failed_write_leaves_what_was_there(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    done = subprocess.run(
        [sys.executable, "-c", FULL, path], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [f"{path}: cannot be written: File too large"] * 2
    assert {one.name: one.read_text() for one in tmp_path.iterdir()} == {"a.txt": "old"}


@WRITERS
def test_a_folder_in_the_place_of_the_file(tmp_path, write):
    (tmp_path / "a.png").mkdir()
    (tmp_path / "a.png" / "mine").write_text("mine")
    with pytest.raises(OutputError, match="expected the name of a file to write, got a folder"):
        write(tmp_path / "a.png", b"x")
    assert (tmp_path / "a.png" / "mine").read_text() == "mine"


def test_links_are_followed_for_users_and_replaced_in_folders_of_ours(tmp_path):
    (tmp_path / "far").mkdir()
    target, link = tmp_path / "far" / "target", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    write_output(link, b"new")
    assert (link.is_symlink(), target.read_text()) == (True, "new")
    replace_file(link, b"newer")
    assert (link.is_symlink(), link.read_text(), target.read_text()) == (False, "newer", "new")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    with pytest.raises(OutputError, match="cannot be written"):
        write_output(tmp_path / "circle", b"x")


def test_devices_and_pipes_stay_what_they_are(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    read = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    write_output(tmp_path / "pipe", b"through")
    reader.join()
    assert read == [b"through"]
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    code = (
        "from pathlib import Path; from tersgen.dataset.output_file import write_output; "
        "write_output(Path('/dev/stdout'), b'said')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout == b"said"


def test_nothing_is_written_into_a_dataset(tiny_recipe, tmp_path):
    data = tmp_path / "a.h5"
    run(make_plan(tiny_recipe, 20, "hdf5"), data)
    folder = tmp_path / "a.h5.d"
    (tmp_path / "link.txt").symlink_to(folder / "manifest.json")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for path in (folder / "manifest.json", folder / "x.png", tmp_path / "link.txt"):
        for refuse in (check_output_file, lambda path: write_output(path, b"x")):
            with pytest.raises(OutputError, match="outside datasets, got one in the dataset"):
                refuse(path)
    with pytest.raises(OutputError, match="outside datasets"):
        refuse_inside_dataset(folder)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
