import itertools
import os

import pytest
import xxhash

from tersgen.store.files import (
    DirectFile,
    file_facts,
    publish,
    remove_unfinished,
    write_durably,
    write_once,
    write_partial,
)


@pytest.mark.parametrize("total", [0, 1, 4095, 4096, (1 << 20) + 17, (8 << 20), (17 << 20) + 5])
@pytest.mark.parametrize("direct", [False, True])
def test_a_file_holds_its_parts(tmp_path, total, direct):
    data = os.urandom(total)
    cuts = sorted({0, total // 3, total // 2, total})
    parts = [data[a:b] for a, b in itertools.pairwise(cuts)]
    write_partial(tmp_path / "file", parts, DirectFile() if direct else None)
    assert (tmp_path / "file").read_bytes() == data
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_writer_is_used_again_for_smaller_files(tmp_path):
    file = DirectFile()
    for total in (9 << 20, 2 << 20, 5 << 20):
        data = os.urandom(total)
        write_partial(tmp_path / str(total), [data], file)
        assert (tmp_path / str(total)).read_bytes() == data


def test_what_cannot_be_written_leaves_nothing(tmp_path):
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="director"):
        write_partial(tmp_path / "taken", [b"data"])
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_facts_are_size_and_a_standard_hash(tmp_path):
    facts = write_durably(tmp_path / "file", [b"one", b"two"])
    assert facts.bytes == 6
    assert facts.xxh128 == xxhash.xxh3_128_hexdigest(b"onetwo")
    assert file_facts(tmp_path / "file") == facts
    (tmp_path / "link").symlink_to("file")
    with pytest.raises(OSError, match="symbolic link"):
        file_facts(tmp_path / "link")


def test_a_name_that_is_taken_is_never_written_over(tmp_path):
    (tmp_path / "sealed").write_bytes(b"first")
    write_partial(tmp_path / "late", [b"second"])
    assert not publish(tmp_path / "late", tmp_path / "sealed")
    assert (tmp_path / "sealed").read_bytes() == b"first"
    assert not write_once(tmp_path / "sealed", [b"third"])
    assert write_once(tmp_path / "free", [b"fourth"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["free", "late", "sealed"]


def test_a_file_system_without_links_is_written_too(tmp_path, monkeypatch):
    def no_links(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    assert write_once(tmp_path / "file", [b"data"])
    assert not write_once(tmp_path / "file", [b"other"])
    assert (tmp_path / "file").read_bytes() == b"data"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


TOKEN = "0123456789abcdef"
UNFINISHED = [
    *("manifest.json.7.partial", "zarr.json.4194304.partial", "c.0.12.partial"),
    *(f"builder.12.lock.{TOKEN}.partial", f"spectra/c.0.0.{TOKEN}.partial"),
    *(f"sticks/position/c.12.0.{TOKEN}.partial", f"shards/000012.h5.{TOKEN}.partial"),
    *(f"versions/{TOKEN * 4}.json.7.partial", "versions/copies/tag-v1.0.json.7.partial"),
    *("tags/v1.0.json.7.partial", f"splits/default-{TOKEN}.npy.7.partial", "my data.h5.7.partial"),
]
WAITING = ["spectra/c.0.0.new", "params/width/c.3.new", "shards/000012.h5.new"]
FOREIGN = [
    *("thesis.tex.partial", "download.partial", "manifest.json.partial", "zarr.json.x7.partial"),
    *(".partial", "notes.json.7.partial", f"spectra/figure.png.{TOKEN}.partial"),
    *(f"spectra/c.0.0.{TOKEN}.partial.txt", f"mine/a/b/c.0.{TOKEN}.partial", "other.h5.7.partial"),
    *("manifest.json.new", "letter.new", "spectra/notes.new", "shards/12.h5.new", "c.0.new"),
]


def test_only_files_with_names_that_builders_give_are_removed(tmp_path):
    folder = tmp_path / "my data.h5.d"
    for name in UNFINISHED + WAITING + FOREIGN:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    links = [folder / f"recipe.json.7{ending}" for ending in (".partial", ".partial.partial")]
    links += [folder / "label" / "c.0.new", folder / "label" / f"c.0.{TOKEN}.partial"]
    (folder / "label").mkdir()
    for link in links:
        link.symlink_to(tmp_path / "outside")
    (tmp_path / "outside").write_text("mine")
    (folder / "lock.json.7.partial").mkdir()

    def left():
        files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
        return sorted(path.relative_to(folder).as_posix() for path in files)

    assert left() == sorted(UNFINISHED + WAITING + FOREIGN)
    remove_unfinished(folder)
    assert left() == sorted(WAITING + FOREIGN)
    remove_unfinished(folder, ".new")
    assert left() == sorted(FOREIGN)
    assert all(link.is_symlink() for link in links)
    assert (tmp_path / "outside").read_text() == "mine"
    assert (folder / "lock.json.7.partial").is_dir()


def test_the_index_of_another_dataset_is_foreign_to_a_zarr_folder(tmp_path):
    for name in ("data.zarr.7.partial", ".7.partial"):
        (tmp_path / "data.zarr").mkdir(exist_ok=True)
        (tmp_path / "data.zarr" / name).write_text("mine")
        remove_unfinished(tmp_path / "data.zarr")
        assert (tmp_path / "data.zarr" / name).exists()
