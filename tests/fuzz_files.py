"""Read damaged files for a while: a child process of the fuzzing tests.

    python fuzz_files.py FOLDER readers|importers SEED COUNT

FOLDER/corpus has one small file for each format, in whose place a damaged one is read, COUNT times.
What breaks a promise is kept in FOLDER/failed: an error of another kind, a message of several
lines, or, as the last file written, what took more than 10 s of processor time (which ends the
process) or 1 GiB of memory. The counts are printed as JSON.
"""

import json
import random
import resource
import signal
import sys
import traceback
import warnings
from pathlib import Path

from tersgen.errors import LibraryError, MeasurementError, TersWarning
from tersgen.library.importing import read_species
from tersgen.measured.reader import ReadOptions
from tersgen.measured.reading import read_file

SECONDS = 10
LARGEST_MEMORY = 1 << 30
MOST_FAILED = 10
EXTREMES = (0, 1, 2**15, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1)
WORDS = (
    b"", b"*", b"-", b"9" * 30, b"1e9", b"1e-320", b"nan", b"inf", b"1.#IND", b"\n", b"\r", b"\0",
    b",", b";", b"\t", b" ", b"#", b"##", b"=", b"\xff", b"\xe2\x88\x92", b"nm", b"cm-1", b"0",
)  # fmt: skip


def mutated(content, others, rng):
    """Return a content with some places changed: bits, bytes, numbers, words, lines, pieces."""
    damaged = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 5, 20))):
        if not damaged:
            break
        # The beginning holds lengths, offsets and headings.
        at = rng.randrange(min(len(damaged), rng.choice((64, 600, 5000, len(damaged)))))
        length = rng.randrange(1, 200)
        match rng.randrange(9):
            case 0:
                damaged[at] ^= 1 << rng.randrange(8)
            case 1:
                damaged[at] = rng.randrange(256)
            case 2:
                number = rng.choice(EXTREMES).to_bytes(8, rng.choice(("little", "big")))
                damaged[at : at + 8] = number[: rng.choice((2, 4, 8))]
            case 3:
                del damaged[at : at + length]
            case 4:
                damaged[at:at] = damaged[at : at + length]
            case 5:
                damaged[at : at + rng.randrange(3)] = rng.choice(WORDS)
            case 6:
                other = rng.choice(others)
                begin = rng.randrange(len(other))
                damaged[at : at + length] = other[begin : begin + length]
            case 7:
                lines = bytes(damaged).split(b"\n")
                line = rng.randrange(len(lines))
                kept = [[], [lines[line]] * 2, [lines[line], rng.choice(lines)]]
                lines[line : line + 1] = rng.choice(kept)
                damaged = bytearray(b"\n".join(lines))
            case 8:
                del damaged[at:]
    return bytes(damaged)


def read_measured(path):
    """Read a file of measured spectra."""
    assert len(read_file(path, ReadOptions(laser_nm=532.0)).content)


def read_modes(path):
    """Read a file of modes."""
    assert len(read_species(path))


def run(folder, kind, seed, count):
    """Read damaged files, and return how many were read, refused and failed."""
    read, expected = {
        "readers": (read_measured, MeasurementError), "importers": (read_modes, LibraryError),
    }[kind]  # fmt: skip
    corpus = {path.name: path.read_bytes() for path in sorted((folder / "corpus").iterdir())}
    others, names = [*corpus.values()], [*corpus]
    for name in names:  # imports what reading needs, before memory is limited
        (folder / name).write_bytes(corpus[name])
        read(folder / name)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + LARGEST_MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    rng = random.Random(seed)
    counts = {"read": 0, "refused": 0, "failed": 0}
    for k in range(count):
        name = names[k % len(names)]
        content = mutated(corpus[name], others, rng)
        path = folder / name
        path.write_bytes(content)
        (folder / "last").write_text(name)
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        try:
            read(path)
        except expected as error:
            counts["refused"] += 1
            problem = None if str(error).isprintable() else f"message {str(error)[:300]!r}"
        except Exception:  # noqa: BLE001 - which is what is looked for
            problem = traceback.format_exc()
        else:
            problem = None
            counts["read"] += 1
        signal.setitimer(signal.ITIMER_PROF, 0)
        if problem is not None:
            counts["failed"] += 1
            (folder / "failed").mkdir(exist_ok=True)
            (folder / "failed" / f"{seed}-{k}-{name}").write_bytes(content)
            (folder / "failed" / f"{seed}-{k}-{name}.why").write_text(problem)
            if counts["failed"] >= MOST_FAILED:
                break
    return counts


if __name__ == "__main__":
    warnings.simplefilter("ignore", TersWarning)
    print(json.dumps(run(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))))  # noqa: T201
