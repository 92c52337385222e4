"""Flip random bytes of a dataset, one at a time, and see what reading and verify make of it.

Run by ``test_flips.py`` in a process of its own, as a crash of HDF5 would end it. The result is
printed as JSON.
"""

import json
import sys
import traceback
from collections import Counter
from pathlib import Path

import numpy as np

import tersgen
from tersgen.dataset.verify import verify
from tersgen.dataset.versions import locate
from tersgen.errors import TersError


def content(path, inside=None):
    """Everything that can be read of a dataset and of its tagged version, by name.

    Of what does not hang on the file that was changed, ``inside``, a part is left out.
    """
    found = {}
    top = (inside or "").partition("/")[0]
    place = (inside or "").rpartition("/")[0]
    for one in (path, f"{path}@v1"):
        if one != path and inside and top not in ("recipe.json", "versions", "tags"):
            continue
        data = tersgen.open(one)
        wanted = {place} & {*data.fields} or {*data.fields}
        if inside and top not in ("shards", *data.fields):
            wanted = {"spectra", "label"}
        for name in wanted:
            field = data[name]
            found[f"{one}:{name}"] = (field.dtype.str, field.shape, field[:].tobytes())
        found[f"{one}:about"] = (data.n_samples, data.classes, data.digest, repr(data.splits))
        found[f"{one}:shift"] = data.shift_cm1.tobytes()
        for split in data.splits:
            found[f"{one}:{split}"] = data.parts(split).tobytes()
    return found


def main(path, n_flips, n_verified, seed):
    random = np.random.default_rng(seed)
    location = locate(path)
    files = sorted({path, location.folder} if path.is_file() else {path})
    files = [one for top in files for one in ([top] if top.is_file() else sorted(top.rglob("*")))]
    files = [one for one in files if one.is_file()]
    right = content(path)
    assert verify(path).sound
    outcomes = Counter()
    by_file = Counter()
    unseen = []
    wrong = []
    # half of the flips by bytes, half by files: small documents get their share
    sizes = np.array([one.stat().st_size for one in files], float)
    chances = 0.5 * sizes / sizes.sum() + 0.5 / len(files)
    chosen = random.choice(len(files), n_flips, p=chances)
    verified = set(random.choice(n_flips, n_verified, replace=False).tolist())
    for number, k in enumerate(chosen.tolist()):
        file = files[k]
        name = file.relative_to(path.parent).as_posix()
        by_file[name] += 1
        at = int(random.integers(file.stat().st_size))
        mask = int(random.integers(1, 256))
        with file.open("r+b") as opened:
            opened.seek(at)
            (byte,) = opened.read(1)
            opened.seek(at)
            opened.write(bytes([byte ^ mask]))
        try:
            found = content(
                path, file.relative_to(location.folder if file != path else path.parent).as_posix()
            )
            outcome = "right" if found.items() <= right.items() else "WRONG"
        except TersError:
            outcome = "refused"
        except BaseException:  # noqa: BLE001
            outcome = "OTHER ERROR"
            traceback.print_exc()
        if outcome in ("WRONG", "OTHER ERROR"):
            wrong.append([name, at, byte, byte ^ mask, outcome])
        outcomes[outcome] += 1
        if number in verified:
            try:
                seen = not verify(path, threads=1).sound
            except TersError:
                seen = True
            outcomes["verify saw it" if seen else "verify did not"] += 1
            if not seen:
                unseen.append([name, at, byte, byte ^ mask])
        with file.open("r+b") as opened:
            opened.seek(at)
            opened.write(bytes([byte]))
    assert content(path) == right
    assert verify(path).sound
    report = {"outcomes": outcomes, "files": by_file, "unseen": unseen, "wrong": wrong}
    sys.stdout.write(json.dumps(report))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
