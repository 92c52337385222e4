"""P2: no byte of ``lock.json`` changes unseen, by verify or by a build that goes on."""

import json
import shutil
from pathlib import Path

import pytest

from tersgen.dataset.documents import load_lock
from tersgen.dataset.verify import verify
from tersgen.dataset.versions import locate
from tersgen.errors import DatasetError, IncompleteDatasetError
from tersgen.jobs.extend import plan_extension
from tersgen.jobs.plan import make_plan
from tersgen.jobs.repair import repair
from tersgen.jobs.run import run
from tersgen.schema.manifest import Lock


@pytest.fixture
def copy(built, tmp_path):
    return Path(shutil.copytree(built, tmp_path / "copy.zarr"))


@pytest.fixture
def plan(tiny_recipe):
    """The plan that ``built`` was made from."""
    return make_plan(tiny_recipe, 1000, chunk_rows=64, shard_rows=512)


def test_every_flipped_bit_of_every_byte_is_refused(copy):
    path, location = copy / "lock.json", locate(copy)
    sound = path.read_bytes()
    load_lock(location)
    for at in range(len(sound)):
        for bit in range(8):
            path.write_bytes(sound[:at] + bytes([sound[at] ^ 1 << bit]) + sound[at + 1 :])
            with pytest.raises(DatasetError, match=r"lock\.json: "):
                load_lock(location)


def test_every_other_blank_is_refused(copy):
    path, location = copy / "lock.json", locate(copy)
    sound = path.read_bytes()
    blanks = [at for at, byte in enumerate(sound) if byte in b" \n"]
    assert len(blanks) > 50
    for at in blanks:
        for other in {*b" \t\r\n"} - {sound[at]}:
            path.write_bytes(sound[:at] + bytes([other]) + sound[at + 1 :])
            with pytest.raises(DatasetError):
                load_lock(location)
    for text in (sound[:-1], sound + b"\n", b" " + sound, json.dumps(json.loads(sound)).encode()):
        path.write_bytes(text)
        with pytest.raises(DatasetError, match="its content is not what its check says"):
            load_lock(location)


@pytest.mark.parametrize("old", ['"cpu": "', '"tersgen": "', '"python": "', '"chunk_rows": '])
def test_verify_names_it_and_a_build_that_goes_on_refuses_it(copy, plan, old):
    path = copy / "lock.json"
    text = path.read_text()
    at = text.index(old) + len(old)
    path.write_text(text[:at] + ("8" if text[at] != "8" else "9") + text[at + 1 :])
    for quick in (False, True):
        (fault,) = verify(copy, quick=quick).faults
        assert (fault.kind, fault.path) == ("lock", str(path))
        assert "its content is not what its check says" in fault.message
    message = "tersgen repair restores it"
    with pytest.raises(DatasetError, match=message):
        run(plan, copy)
    with pytest.raises(DatasetError, match=message):
        plan_extension(copy, None, 1500)
    assert repair(copy).done == ["lock.json written again"]
    assert verify(copy).sound
    assert run(plan, copy).n_kept == 1000


def test_a_lock_with_the_check_of_another_content_is_refused(copy, plan):
    lock = plan.lock()
    text = lock.model_copy(update={"seed": 12}).text
    (copy / "lock.json").write_text(text)
    with pytest.raises(DatasetError, match="its content is not what its check says"):
        load_lock(locate(copy))
    other = Lock.sealed(**{**lock.model_dump(), "seed": 12})
    (copy / "lock.json").write_text(other.text)
    assert load_lock(locate(copy)) == other
    (fault,) = verify(copy).faults  # it is whole, but that of another dataset
    assert fault.message == "seed: not what the manifest says"


def test_an_unfinished_build_with_a_damaged_lock_says_what_to_do(copy, plan):
    (copy / "manifest.json").unlink()
    shutil.rmtree(copy / "versions")
    path = copy / "lock.json"
    path.write_text(path.read_text().replace('"n_samples": 1000', '"n_samples": 1001'))
    before = {one: one.stat().st_mtime_ns for one in copy.rglob("*") if one.is_file()}
    assert {fault.kind for fault in verify(copy).faults} == {"lock", "incomplete"}
    with pytest.raises(DatasetError, match="if the build did not finish, build with --overwrite"):
        run(plan, copy)
    with pytest.raises(IncompleteDatasetError, match=r"lock\.json is damaged .* --overwrite"):
        repair(copy)
    assert {one: one.stat().st_mtime_ns for one in copy.rglob("*") if one.is_file()} == before
    assert run(plan, copy, overwrite=True).n_kept == 0
    assert verify(copy).sound
