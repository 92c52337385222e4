"""Commands amid files of others, killed or failing at any call; see test_foreign.py.

``python foreign.py FOLDER SEED POINTS COMMAND...`` runs each command in places where random files
of somebody else lie beside, inside and above its output, with links that lead out of it. It strikes
at so many of its calls, each in a process of its own, and prints a line of JSON for each: what it
struck, and what of the others' files was not as before.
"""

import json
import os
import random
import shutil
import signal
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parent))

from click.testing import CliRunner
from faulty import Fault

import tersgen
from tersgen.cli import main as tersgen_main
from tersgen.dataset.verify import verify
from tersgen.errors import DatasetError
from tersgen.jobs.convert import convert
from tersgen.jobs.plan import make_plan
from tersgen.jobs.range_job import build_range
from tersgen.jobs.run import run
from tersgen.recipe import Recipe

SMALL = ["--n", 300, "--shard-rows", 256, "--library", "random:2", "--set", "grid.n_points=32",
         "--set", "lineshape.fwhm_cm1=300", "--set", "random.n_modes=[2,3]", "--threads", 1,
         *(f"--set=fields.{name}=false" for name in ("maps", "tensors", "params"))]  # fmt: skip
NAMES = (
    *("notes.txt", "spectra/a.txt", "spectra/b/c.txt", "raw/x.wdf", "label/c.0", "label/mine"),
    *("manifest.json", "lock.json", "recipe.json", "journal.jsonl", "events.jsonl", "zarr.json"),
    *("versions/copies/a.json", "versions/recipe.json", "tags/v1.json", "splits/a.json"),
    *("ranges/0-2/notes", "ranges/mine", "recipe.json.123.partial", "label/c.0.77.partial"),
    *("shards/000000.h5", "shards/mine.h5", "builder.1.lock", "old/a.zarr/notes", "config.json"),
    *("log.csv", "report.html", "raman_shift/c.0", "a.new", "download.partial", "sticks"),
)
"""Names that others may use, most of which are ours, too."""
TEMPORARY = ("events.jsonl", "recipe.json.123.partial", "label/c.0.77.partial")
"""What a builder removes from a dataset of ours, whoever has put it there."""
PLACES = ("missing", "empty", "foreign", "ours", "ours and foreign", "begun", "link", "inside")
"""What is where the output goes: nothing; an empty folder; files of others; a complete dataset;
one with files of others in it; one whose build has stopped; a link; a place inside a dataset."""


class Command(NamedTuple):
    """A command line, and where its output goes."""

    arguments: list[Any]
    name: str = "a.zarr"
    ends: bool = True
    """Whether it makes a dataset where it may."""

    @property
    def replaces(self) -> bool:
        """Whether it replaces a dataset."""
        return "--overwrite" in self.arguments


def commands(sources: Path, out: Path) -> dict[str, Command]:
    """Return all commands that write, by name."""
    h5 = out.with_suffix(".h5")
    picture, library = out.with_suffix(".png"), out.with_suffix(".json")
    return {
        "build": Command(["build", *SMALL, "--out", out]),
        "build-hdf5": Command(["build", *SMALL, "--out", h5], "a.h5"),
        "overwrite": Command(["build", *SMALL, "--seed", 5, "--out", out, "--overwrite"]),
        "overwrite-hdf5": Command(
            ["build", *SMALL, "--seed", 5, "--out", h5, "--overwrite"], "a.h5"
        ),
        "range": Command(["build", *SMALL, "--shard-range", "0:1", "--out", out], ends=False),
        "finalize": Command(["finalize", out], ends=False),
        "convert": Command(["convert", sources / "src.h5", out, "--overwrite"]),
        "convert-damaged": Command(["convert", sources / "bad.zarr", out, "--overwrite"],
                                   ends=False),
        "ingest": Command(["ingest", sources / "spectra", "--out", out, "--labels",
                           sources / "labels.csv", "--overwrite"]),
        "ingest-uncovered": Command(["ingest", sources / "spectra", "--out", out, "--grid",
                                     "1:9000:64", "--overwrite"], ends=False),
        "extend": Command(["extend", out, "--n", 300, "--threads", 1], ends=False),
        "split": Command(["split", out, "--seed", 3], ends=False),
        "tag": Command(["tag", out, "v1"], ends=False),
        "repair": Command(["repair", out, "--threads", 1], ends=False),
        "plot": Command(["plot", sources / "src.h5", "-o", picture], ends=False),
        "table": Command(["plot", sources / "src.h5", "-o", picture.with_suffix(".csv")],
                         ends=False),
        "import": Command(["library", "import", sources / "two.csv", "-o", library, "--overwrite"],
                          ends=False),
        "schema": Command(["schema", "export", out], ends=False),
    }  # fmt: skip


def state(root: Path) -> dict[str, Any]:
    """Return every file, folder and link in a folder, and what it holds."""
    found: dict[str, Any] = {}
    for place, folders, names in os.walk(root):
        for name in (*folders, *names):
            path = Path(place) / name
            key = str(path.relative_to(root))
            if path.is_symlink():
                found[key] = ("link", str(path.readlink()))
            else:
                found[key] = "folder" if path.is_dir() else path.read_bytes()
    return found


class Foreign:
    """All trials."""

    def __init__(self, work: Path, seed: int) -> None:
        self.root = work / "now"
        self.kept = work / "kept"
        self.choose = random.Random(seed)
        self.sources = self.root / "sources"
        self._prepare(self.kept)

    def _prepare(self, kept: Path) -> None:
        recipe = tersgen.resolve(
            Recipe(seed=11, library=("random:2",), lineshape={"fwhm_cm1": 300.0},
                   grid={"start_cm1": 100.0, "stop_cm1": 4000.0, "n_points": 32},
                   random={"n_modes": (2, 3)},
                   fields={"maps": False, "tensors": False, "params": False})
        )  # fmt: skip
        sources = kept / "sources"
        (sources / "spectra").mkdir(parents=True)
        rows = ["file,label,part"]
        for k in range(3):
            lines = (f"{x} {(x - 300 * k - 500) ** 2}\n" for x in range(200, 2000, 20))
            (sources / "spectra" / f"{k}.txt").write_text("".join(lines))
            rows.append(f"{k}.txt,x{k},{'train' if k else 'test'}")
        (sources / "labels.csv").write_text("\n".join(rows) + "\n")
        (sources / "two.csv").write_text("shift,activity\n1000,1\n2000,2\n")
        plan = make_plan(recipe, 300, shard_rows=256)
        run(plan, kept / "zarr" / "a.zarr", threads=1)
        convert(kept / "zarr" / "a.zarr", kept / "hdf5" / "a.h5", "hdf5", threads=1)
        convert(kept / "zarr" / "a.zarr", sources / "src.h5", "hdf5", threads=1)
        shutil.copytree(kept / "zarr" / "a.zarr", sources / "bad.zarr")
        shard = sources / "bad.zarr" / "spectra" / "c.1.0"
        shard.write_bytes(shard.read_bytes()[:-9] + b"damaged!!")
        build_range(plan, kept / "begun-zarr" / "a.zarr", 0, 1, threads=1)
        plan = make_plan(recipe, 300, "hdf5", shard_rows=256)
        build_range(plan, kept / "begun-hdf5" / "a.h5", 0, 1, threads=1)
        self.old = tersgen.open(kept / "zarr" / "a.zarr").digest

    def tree(self, folder: Path, most: int = 6) -> None:
        """Put random files of others into a folder, never in the place of what is there."""
        for name in self.choose.sample(NAMES, self.choose.randrange(1, most)):
            path = folder / name
            above = [one for one in path.parents if one != folder and folder in one.parents]
            if os.path.lexists(path) or any(one.exists() and not one.is_dir() for one in above):
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            kind = self.choose.randrange(8)
            if kind == 0:
                path.symlink_to(self.root / "outside")
            elif kind == 1:
                path.symlink_to(self.root / "outside" / "file")
            elif kind == 2:
                path.mkdir()
            else:
                path.write_bytes(self.choose.randbytes(self.choose.randrange(40)))

    def set_up(self, command: Command, place: str) -> Path:
        """Lay everything out; return the folder of the output."""
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.copytree(self.kept / "sources", self.sources)
        (self.root / "outside" / "inner").mkdir(parents=True)
        (self.root / "outside" / "file").write_text("outside")
        (self.root / "outside" / "inner" / "manifest.json").write_text("{}")
        back_end = "hdf5" if command.name.endswith("h5") else "zarr"
        work = self.root / "work"
        out = work / command.name
        folder = out if back_end == "zarr" else out.with_name(out.name + ".d")
        if place in ("ours", "ours and foreign"):
            shutil.copytree(self.kept / back_end, work)
        elif place == "begun":
            shutil.copytree(self.kept / f"begun-{back_end}", work)
        elif place == "inside":
            shutil.copytree(self.kept / "zarr" / "a.zarr", work)
        work.mkdir(exist_ok=True)
        if place in ("empty", "foreign"):
            folder.mkdir()
        elif place == "link":
            folder.symlink_to(self.root / "outside" / "inner")
        if place in ("foreign", "ours and foreign"):
            self.tree(folder)
        if place != "inside":
            self.tree(work)
        self.tree(self.root)
        return folder

    def trial(self, arguments: list[Any], kind: str, at: int) -> tuple[str, int]:
        """Run a command in a process that is struck; return how it ended, and its calls."""
        listen, tell = os.pipe()
        child = os.fork()
        if not child:
            os._exit(self._child(arguments, kind, at, tell))
        os.close(tell)
        with os.fdopen(listen, "rb") as pipe:
            said = pipe.read().decode()
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            name = signal.Signals(os.WTERMSIG(status)).name
            return ("killed" if name == "SIGKILL" else name), 0
        word, _, calls = said.rpartition("\n")
        return word, int(calls)

    def _child(self, arguments: list[Any], kind: str, at: int, tell: int) -> int:
        warnings.simplefilter("ignore")
        fault = Fault(self.root, kind, at)
        try:
            with fault:
                done = CliRunner().invoke(tersgen_main, list(map(str, arguments)))
            word = done.output.strip().replace("\n", " | ")
            if done.exception is not None and not isinstance(done.exception, SystemExit):
                word = f"Traceback {done.exception!r}"
        except BaseException as error:  # noqa: BLE001 - told to the parent
            word = f"Traceback {error!r}"
        os.write(tell, f"{word}\n{len(fault.calls)}".encode())
        return 0

    def trials(self, name: str, points: int) -> Iterator[dict[str, Any]]:
        """Yield what comes of a command, whole, killed and failing, in every place."""
        command = commands(self.sources, self.root / "work" / "a.zarr")[name]
        for place in PLACES:
            self.set_up(command, place)
            before = state(self.root)
            _, n_calls = self.trial(command.arguments, "count", 0)
            yield self._found(name, place, "whole", 0, before, "")
            choices = range(1, n_calls + 1)
            strikes = choices if points >= n_calls else self.choose.sample(choices, points)
            for at in strikes:
                kind = self.choose.choice(("kill", "kill", "torn", "term", "full"))
                self.set_up(command, place)
                before = state(self.root)
                word, _ = self.trial(command.arguments, kind, at)
                yield self._found(name, place, kind, at, before, word)
                if command.ends and place in ("missing", "empty", "ours")[: 2 + command.replaces]:
                    word, _ = self.trial(command.arguments, "count", 0)
                    yield self._found(name, place, f"{kind}, again", at, before, word, True)

    def _found(self, name: str, place: str, kind: str, at: int, before: dict[str, Any], word: str,
               again: bool = False) -> dict[str, Any]:  # fmt: skip
        problems = [f"Traceback: {word}"] if "Traceback" in word else []
        after = state(self.root)
        out = self.root / "work" / commands(self.sources, self.root / "work" / "a.zarr")[name].name
        ours = self._ours(out, place)
        for key, content in before.items():
            if key not in ours and after.get(key) != content:
                problems.append(f"{key} was {content!r:.60}, is {after.get(key)!r:.60}")
        if place in ("ours", "ours and foreign") and name not in ("extend", "plot", "schema"):
            problems += self._there(out)
        if again and not problems:
            problems += self._sound(out, name, word)
        return {"command": name, "place": place, "kind": kind, "at": at, "said": word[:200],
                "problems": problems}  # fmt: skip

    def _ours(self, out: Path, place: str) -> set[str]:
        """Return what a command may change: a dataset of ours, and files that it was told to."""
        ours = {"work/a.json", "work/a.png", "work/a.csv"}
        folder = out if out.suffix == ".zarr" else out.with_name(out.name + ".d")
        if place in ("ours", "ours and foreign", "begun"):  # in there, these names are ours
            ours |= {str(folder.relative_to(self.root) / name) for name in TEMPORARY}
        kept = {"ours": "", "ours and foreign": "", "begun": "begun-"}.get(place)
        if kept is not None:
            back_end = "zarr" if out == folder else "hdf5"
            ours |= {f"work/{key}" for key in state(self.kept / f"{kept}{back_end}")}
        return ours

    def _there(self, out: Path) -> Iterator[str]:
        """Yield what is wrong where a whole dataset was: one must be there all the time."""
        try:
            tersgen.open(out)
        except DatasetError as error:
            yield f"no dataset any more: {error}"

    def _sound(self, out: Path, name: str, word: str) -> Iterator[str]:
        try:
            verified = verify(out, threads=1)
        except DatasetError as error:
            yield f"does not go on: {word[:200]}: {error}"
            return
        if not verified.sound:
            yield f"not sound: {verified.faults[0].path}: {verified.faults[0].message}"
        if name != "build" and (verified.digest == self.old) != name.startswith("convert"):
            yield "another dataset than it was to be"
        left = [path.name for path in out.parent.iterdir() if path.name.endswith(".tersgen-new")]
        if left:
            yield f"left behind: {left}"


def main(work: Path, seed: int, points: int, *names: str) -> None:
    """Print what comes of so many strikes at each command in each place."""
    foreign = Foreign(work, seed)
    for name in names or commands(Path(), Path("a.zarr")):
        for result in foreign.trials(name, points):
            sys.stdout.write(json.dumps(result) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
