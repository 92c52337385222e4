"""Folders that hold what is run when it is read: nobody else may put anything into them."""

import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tersgen.errors import TersWarning
from tersgen.numeric import _jit
from tersgen.numeric._private import private_folder

ME = os.geteuid()
OTHER = 54321
needs_root = pytest.mark.skipif(ME != 0, reason="only root can act as other users")


def mode(folder: Path) -> int:
    return stat.S_IMODE(folder.stat().st_mode)


def test_a_folder_is_made_private_with_those_above_it(tmp_path):
    before = os.umask(0)
    try:
        made = private_folder(tmp_path / "a" / "b")
    finally:
        os.umask(before)
    assert made == str(tmp_path / "a" / "b")
    assert (mode(tmp_path / "a"), mode(tmp_path / "a" / "b")) == (0o700, 0o700)
    assert private_folder(tmp_path / "a" / "b") == made


def test_a_folder_that_others_could_only_read_becomes_private(tmp_path):
    folder = tmp_path / "a"
    folder.mkdir()
    folder.chmod(0o755)
    private_folder(folder)
    assert mode(folder) == 0o700


@pytest.mark.parametrize("bits", [0o777, 0o770, 0o702, 0o1777])
def test_a_folder_that_others_could_write_is_refused(tmp_path, bits):
    folder = tmp_path / "a"
    folder.mkdir()
    folder.chmod(bits)
    with pytest.raises(PermissionError, match="others can write"):
        private_folder(folder)
    assert mode(folder) == bits


@pytest.mark.parametrize("bits", [0o777, 0o770, 0o702])
def test_a_folder_below_one_that_others_could_write_is_refused(tmp_path, bits):
    above = tmp_path / "above"
    (above / "a").mkdir(parents=True)
    (above / "a").chmod(0o700)
    above.chmod(bits)
    with pytest.raises(PermissionError, match=f"others can write to {above}"):
        private_folder(above / "a")
    with pytest.raises(PermissionError):
        private_folder(above / "new")
    assert not (above / "new").exists()


def test_a_folder_below_a_sticky_one_is_as_safe_as_any(tmp_path):
    tmp_path.chmod(0o1777)
    assert private_folder(tmp_path / "a")


def test_a_folder_of_another_user_is_refused(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(PermissionError, match=f"belongs to user {ME}" if ME else "belongs to"):
        private_folder(tmp_path / "a", user=OTHER)


def test_a_link_is_followed_to_a_safe_place_only(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert private_folder(tmp_path / "link" / "a") == str(tmp_path / "real" / "a")
    (tmp_path / "real").chmod(0o777)
    with pytest.raises(PermissionError, match="others can write"):
        private_folder(tmp_path / "link" / "a")


@pytest.mark.parametrize("made", ["file", "loop", "dangling", "socket", "pipe"])
def test_what_is_no_folder_is_refused(tmp_path, made):
    place = tmp_path / "a"
    if made == "file":
        place.write_text("")
    elif made == "loop":
        place.symlink_to(place)
    elif made == "dangling":
        place.symlink_to("file")
        (tmp_path / "file").write_text("")
    elif made == "socket":
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(str(place))
    else:
        os.mkfifo(place)
    with pytest.raises(OSError, match=r"no folder|too many links"):
        private_folder(place / "b")


@needs_root
@pytest.mark.parametrize("trap", ["folder", "parent", "link"])
def test_what_another_user_made_first_in_a_shared_folder_is_refused(tmp_path, trap):
    tmp_path.chmod(0o1777)
    place = tmp_path / "tersgen-0"
    if trap == "link":
        (tmp_path / "mine").mkdir(mode=0o700)
        place.symlink_to("mine")
        os.lchown(place, OTHER, OTHER)
    else:
        (place / "kernels").mkdir(parents=True, mode=0o700)
        os.chown(place, OTHER, OTHER)
        if trap == "folder":
            os.chown(place / "kernels", OTHER, OTHER)
    with pytest.raises(PermissionError, match=str(OTHER)):
        private_folder(place / "kernels")
    assert not (tmp_path / "mine" / "kernels").exists()


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Return where the cache and the temporary folder of a user lie."""
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temp"))
    (tmp_path / "temp").mkdir()
    return tmp_path / "cache", tmp_path / "temp"


def test_the_cache_of_the_user_is_taken_first_and_nothing_is_said(places):
    assert Path(_jit.cache_folder()).parent == places[0] / "tersgen"


def test_without_it_a_private_temporary_folder_is_taken(places):
    places[0].write_text("in the way")
    assert Path(_jit.cache_folder()).parents[1] == places[1]


def test_a_folder_asked_for_that_is_not_safe_is_not_used_and_named(places, tmp_path, monkeypatch):
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(shared))
    with pytest.warns(TersWarning, match=f"{shared}.*they are kept in {places[0]}"):
        assert Path(_jit.cache_folder()).parent == places[0] / "tersgen"
    assert not list(shared.iterdir())


def test_without_a_safe_place_kernels_are_compiled_without_one(places):
    places[0].write_text("in the way")
    (places[1] / f"tersgen-{ME}").mkdir()
    (places[1] / f"tersgen-{ME}").chmod(0o777)
    with pytest.warns(TersWarning, match="NUMBA_CACHE_DIR") as said:
        assert _jit.cache_folder() == ""
    assert len(said) == 1


CODE = """
from tersgen.random.assignment import shuffled
print(shuffled(10, 7).tolist(), shuffled.stats.cache_path)
"""


def run(code: str, cache: Path, temp: Path) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own, whose cache and temporary folder lie there."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache), "TMPDIR": str(temp)}
    environment.pop("NUMBA_CACHE_DIR", None)
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=240
    )


def test_kernels_work_without_a_cache_and_say_so_once(tmp_path):
    cache = tmp_path / "cache"
    cache.write_text("in the way")
    trap = tmp_path / f"tersgen-{ME}"
    trap.mkdir()
    trap.chmod(0o777)
    done = run(CODE, cache, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip().endswith("None")
    assert done.stderr.count("NUMBA_CACHE_DIR") == 1
    assert not list(trap.iterdir())


AS_ANOTHER = f"""
import os
from tersgen.numeric._jit import cache_folder
os.setresgid({OTHER}, {OTHER}, {OTHER})
os.setresuid({OTHER}, {OTHER}, {OTHER})
print(repr(cache_folder()))
"""


@needs_root
def test_a_user_with_a_read_only_home_is_not_led_into_a_trap(tmp_path):
    shared = Path(tempfile.mkdtemp(dir="/var/tmp"))  # every user can get there
    try:
        shared.chmod(0o1777)
        (shared / "home").mkdir(mode=0o555)
        done = run(AS_ANOTHER, shared / "home", shared)
        safe = shared / f"tersgen-{OTHER}"
        assert Path(done.stdout.strip("'\n")).parent == safe, done.stderr
        assert (safe.stat().st_uid, mode(safe)) == (OTHER, 0o700)
        shutil.rmtree(safe)
        safe.mkdir()
        safe.chmod(0o777)
        os.chown(safe, OTHER + 1, OTHER + 1)  # another one was there first
        done = run(AS_ANOTHER, shared / "home", shared)
        assert done.stdout == "''\n"
        assert f"{safe} belongs to user {OTHER + 1}" in done.stderr
        assert not list(safe.iterdir())
    finally:
        shutil.rmtree(shared)
