"""Builds and extensions that are killed, stopped or cut off, at every step; see test_kills.py.

``python kill_builds.py BACK_END FOLDER MOST SWEEP...`` prints a line of JSON for each fault: what
it struck, and what was wrong afterwards. One process does them all: it has everything loaded and
compiled, has no threads between builds, and forks the builders that die.
"""

import json
import os
import random
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from faulty import Call, Fault, tree

import tersgen
from tersgen.dataset.documents import load_lock
from tersgen.dataset.splits import make_split
from tersgen.dataset.verify import verify
from tersgen.errors import DatasetError, LostLockError, OutputError
from tersgen.jobs import commit as commit_module
from tersgen.jobs.executors import threads as threads_module
from tersgen.jobs.extend import extend, plan_extension
from tersgen.jobs.plan import Plan, make_plan
from tersgen.jobs.run import run
from tersgen.recipe import Recipe
from tersgen.schema.split import SplitRule
from tersgen.store import files
from tersgen.store.location import new_location

FIELDS = {"maps": False, "tensors": False, "params": False}
N_SAMPLES = 300
N_EXTENDED = 600

Step = Callable[[], object]


def resolved(seed: int) -> Recipe:
    """Return a recipe of small, quick rows, one array of them in a nested group."""
    return tersgen.resolve(
        Recipe(
            seed=seed,
            library=("random:2",),
            grid={"start_cm1": 100.0, "stop_cm1": 4000.0, "n_points": 32},
            lineshape={"fwhm_cm1": 300.0},
            random={"n_modes": (2, 3)},
            fields=FIELDS,
        )
    )


def spread(numbers: Sequence[int], most: int) -> Sequence[int]:
    """Return at most so many of some numbers, evenly spread."""
    count = min(most, len(numbers))
    return [numbers[at * len(numbers) // count] for at in range(count)]


class Faults:
    """All sweeps over one back end."""

    def __init__(self, back_end: str, work: Path) -> None:
        # one shard is finished at a time, file by file: calls come in one order
        threads_module.SHARDS_IN_FLIGHT = 2
        commit_module.FILES_AT_ONCE = 1
        self.root = work / "now"
        self.out = self.root / "data" / f"a.{back_end}"
        self.location = new_location(self.out, back_end)
        self.plan = self._plan(11)
        self.other = self._plan(12)
        self.third = self._plan(13)
        self.kept = work / "kept"
        for name, plan in (("built", self.plan), ("other", self.other)):
            self.fresh()
            run(plan, self.out, threads=1)
            if name == "built":
                self.tree = list(tree(self.root / "data"))
                make_split(self.out, "default", SplitRule(seed=1))
            self.keep(name)
        self.fresh()
        run(self.plan, self.out, threads=1)
        self.digest = tersgen.open(self.out).digest
        self.fresh("other")
        self.other_digest = tersgen.open(self.out).digest
        self.take_other()
        self.third_digest = tersgen.open(self.out).digest
        self.fresh("built")
        self.rows = self.all_rows()
        self.extend()
        self.extended = tersgen.open(self.out)
        self.extended_digest = self.extended.digest
        self.extended_tree = list(tree(self.root / "data"))
        self.extended_splits = [one.digest for one in self.manifest().splits]

    def _plan(self, seed: int) -> Plan:
        return make_plan(resolved(seed), N_SAMPLES, self.location.format, shard_rows=256)

    def keep(self, name: str) -> None:
        """Keep what is there under a name."""
        shutil.copytree(self.root / "data", self.kept / name)

    def fresh(self, name: str | None = None) -> None:
        """Start from nothing, or from what was kept."""
        shutil.rmtree(self.root, ignore_errors=True)
        self.root.mkdir(parents=True)
        (self.root / "stash").mkdir()
        if name is None:
            (self.root / "data").mkdir()
        else:
            shutil.copytree(self.kept / name, self.root / "data")

    def build(self) -> None:
        """Build, or go on with it."""
        run(self.plan, self.out, threads=1)

    def replace(self) -> None:
        """Build in the place of another."""
        run(self.plan, self.out, overwrite=True, threads=1)

    def replace_by_renames(self) -> None:
        """The same where the system cannot exchange two folders at once."""
        exchange, files.exchange = files.exchange, lambda *_: False
        try:
            self.replace()
        finally:
            files.exchange = exchange

    def take(self) -> None:
        """Build in the place of another, whoever is writing it."""
        run(self.other, self.out, overwrite=True, threads=1, take_over=True)

    def take_other(self) -> None:
        """Replace it by a third dataset, whoever is replacing it."""
        run(self.third, self.out, overwrite=True, threads=1, take_over=True)

    def take_same(self) -> None:
        """Build the same, whoever is writing it."""
        run(self.plan, self.out, threads=1, take_over=True)

    def extend(self) -> None:
        """Extend, or go on with it."""
        location, plan, _ = plan_extension(self.out, None, N_EXTENDED)
        extend(location, plan, threads=1)

    def split(self) -> None:
        """Make a second split."""
        make_split(self.out, "second", SplitRule(seed=2))

    def manifest(self):
        """Return the newest version."""
        return tersgen.open(self.out).manifest

    def all_rows(self) -> dict[str, bytes]:
        """Return the first rows of every array."""
        dataset = tersgen.open(self.out)
        return {name: dataset[name][:N_SAMPLES].tobytes() for name in dataset.fields}

    def calls(self, step: Step) -> list[Call]:
        """Return the calls of a step that nothing disturbs."""
        with Fault(self.root, "count", 0) as fault:
            step()
        return fault.calls

    def struck(self, step: Step, kind: str, at: int) -> str | None:
        """Run a step in a process that is struck; return how it ended, None if killed."""
        child, listen = self.begin(step, kind, at)
        _, status = os.waitpid(child, 0)
        return self.end(status, listen)

    def begin(self, step: Step, kind: str, at: int) -> tuple[int, int]:
        """Start a process that is struck; return its number and where it tells how it ended."""
        listen, tell = os.pipe()
        child = os.fork()
        if child:
            os.close(tell)
            return child, listen
        word = "done"
        try:
            with Fault(self.root, kind, at):
                step()
        except BaseException as error:  # noqa: BLE001 - told to the parent
            word = f"{type(error).__name__}: {error}"
            if not isinstance(error, OutputError | DatasetError):
                word += traceback.format_exc()
        os.write(tell, word.encode())
        os._exit(0)

    @staticmethod
    def end(status: int, listen: int) -> str | None:
        """Return how a process ended, None if it was killed."""
        with os.fdopen(listen, "rb") as pipe:
            word = pipe.read().decode()
        if os.WIFSIGNALED(status):
            return None if os.WTERMSIG(status) == signal.SIGKILL else f"signal {status}"
        return word

    def check(self, digest: str, wanted: list[str] | None) -> Iterator[str]:
        """Yield what is wrong with what is there."""
        try:
            verified = verify(self.out, threads=1)
        except DatasetError as error:
            yield f"cannot be verified: {error}"
            return
        if not verified.sound:
            yield f"not sound: {verified.faults[0].path}: {verified.faults[0].message}"
        if verified.digest != digest:
            yield "another digest"
        found = list(tree(self.root / "data"))
        if wanted is not None and found != wanted:
            yield f"files differ: {sorted(set(found) ^ set(wanted))}"

    def check_between(self, digests: set[str], old: bool) -> Iterator[str]:
        """Yield what is wrong before a build goes on: nothing, or a whole version, is there."""
        try:
            dataset = tersgen.open(self.out)
        except DatasetError as error:
            if old:
                yield f"the old version is gone: {error}"
            return
        if dataset.digest not in digests:
            yield "a version that never was"
        if old and self.all_rows() != self.rows:
            yield "old rows changed"

    def check_there(self, digests: set[str]) -> Iterator[str]:
        """Yield what is wrong with a dataset that is replaced: the old or the new one is there."""
        try:
            verified = verify(self.location.folder, threads=1)
        except DatasetError as error:
            yield f"neither the old dataset nor the new one is there: {error}"
            return
        if verified.digest not in digests:
            yield "another digest while it is replaced"
        yield from (f"meanwhile: {one.path}: {one.message}" for one in verified.faults
                    if one.path != str(self.out))  # fmt: skip

    def check_extension(self) -> Iterator[str]:
        """Yield what is wrong with an extension that was killed: it is under way, not damaged."""
        found = verify(self.out, threads=1)
        if not found.sound:
            yield f"under way: {found.faults[0].path}: {found.faults[0].message}"
        begun = load_lock(self.location).n_samples > found.n_samples
        if begun != any(f"tersgen extend {self.out} --to" in note for note in found.notes):
            yield "does not say that an extension is under way"

    def sweep(
        self, kind: str, step: Step, start: str | None, most: int, *, late: bool = False
    ) -> Iterator[dict]:
        """Strike a step at every call, or every ``late`` one, go on, and yield what came of it."""
        self.fresh(start)
        calls = self.calls(step)
        self.fresh(start)
        assert calls == self.calls(step), "calls come in another order each time"
        extending, replacing = step == self.extend, step in (self.replace, self.replace_by_renames)
        digest = self.extended_digest if extending else self.digest
        wanted = self.extended_tree if extending else self.tree
        known = {self.digest, digest} | ({self.other_digest} if replacing else set())
        numbers = self.finishing(calls) if late else range(1, len(calls) + 1)
        if kind == "torn":
            numbers = [at for at in numbers if calls[at - 1].name == "write"]
        chosen = set(spread(numbers, most))
        if kind == "kill" and not late:  # evenly spread, a rare kind of call would be skipped
            chosen |= set({calls[at - 1].name: at for at in numbers}.values())
        for at in sorted(chosen):
            self.fresh(start)
            problems = []
            word = self.struck(step, kind, at)
            if word is not None:
                problems.append(f"not killed, but {word}")
            problems += self.check_between(known, extending and kind != "cut")
            if step == self.replace:
                problems += self.check_there(known)
            if extending and kind == "kill":
                problems += self.check_extension()
            problems += self.attempt(step)
            problems += self.check(digest, wanted)
            yield {"at": at, "call": calls[at - 1], "problems": problems}

    def attempt(self, step: Step) -> Iterator[str]:
        """Go on with the same command."""
        try:
            step()
        except (OutputError, DatasetError) as error:
            yield f"does not go on: {error}"

    def twice(self, step: Step, start: str | None, n_pairs: int) -> Iterator[dict]:
        """Kill a step, then what goes on with it, then go on."""
        choose = random.Random(5)
        self.fresh(start)
        calls = self.calls(step)
        digest = self.extended_digest if step == self.extend else self.digest
        wanted = self.extended_tree if step == self.extend else self.tree
        for _ in range(n_pairs):
            first = choose.randrange(1, len(calls) + 1)
            second = choose.randrange(1, len(calls) + 2 - first + 8)
            self.fresh(start)
            problems = [] if self.struck(step, "kill", first) is None else ["not killed"]
            self.struck(step, "kill", second)
            problems += self.attempt(step)
            problems += self.check(digest, wanted)
            yield {"at": first, "call": calls[first - 1], "problems": problems}

    def finishing(self, calls: Sequence[Call]) -> range:
        """Return the calls that come when all is finished: metadata, splits, versions, manifest."""
        names = [Path(call.target).name for call in calls]
        signs = {"zarr.json.*.partial", f"{self.out.name}.*.partial", "splits"}
        first = next(at for at, name in enumerate(names, 1) if name in signs)
        return range(first, len(calls) + 1)

    def zombies(
        self, step: Step, start: str | None, thief: Step, most: int, *, late: bool = False
    ) -> Iterator[dict]:
        """Stop a builder at every call, or every ``late`` one; another takes over; wake the first.

        The other one finishes before that.
        """
        self.fresh(start)
        calls = self.calls(step)
        published = 1 + max(
            at
            for at, call in enumerate(calls, 1)
            if call.name == "replace" and "/manifest.json." in call.target
        )
        known = {self.take: self.other_digest, self.take_other: self.third_digest}
        digest = known.get(thief, self.digest)
        for at in spread(self.finishing(calls) if late else range(1, len(calls) + 1), most):
            self.fresh(start)
            problems = []
            child, listen = self.begin(step, "stop", at)
            _, status = os.waitpid(child, os.WUNTRACED)
            if not os.WIFSTOPPED(status):
                problems.append(f"not stopped, but {self.end(status, listen)}")
            self.move_lock()
            try:
                thief()
            except (OutputError, DatasetError) as error:
                problems.append(f"cannot be taken over: {error}")
            os.kill(child, signal.SIGCONT)
            _, status = os.waitpid(child, 0)
            word = str(self.end(status, listen))
            if thief == self.take_other:
                problems += self.check_taken(thief, word)
            elif word == "done":
                if at < published and thief == self.take:
                    problems.append("done, whatever took its place")
            elif not word.startswith(LostLockError.__name__) and "holds another" not in word:
                problems.append(word)
            with suppress(OSError):
                (self.location.folder / "splits").rmdir()  # made late, and empty: it harms nothing
            problems += self.check(digest, self.tree)
            yield {"at": at, "call": calls[at - 1], "end": word[:40], "problems": problems}

    def check_taken(self, thief: Step, word: str) -> Iterator[str]:
        """Yield what is wrong with a dataset that was taken from one who was replacing it.

        One who held no lock yet has lost nothing, and replaces it in turn; one whose dataset was in
        place already has nothing to lose any more.
        """
        found = tersgen.open(self.out).digest
        known = {self.third_digest} | ({self.digest} if word == "done" else set())
        yield from self.check(found if found in known else self.third_digest, None)
        if word != "done" and not word.startswith((LostLockError.__name__, OutputError.__name__)):
            yield word
        try:
            thief()
        except (OutputError, DatasetError) as error:
            yield f"cannot be replaced again: {error}"

    def move_lock(self) -> None:
        """Make the holder of the lock one on another machine, which may be taken over from."""
        for path in (self.root / "data").rglob("builder.*.lock"):
            holder = json.loads(path.read_text()) | {"machine": "elsewhere"}
            path.with_suffix(".forged").write_text(json.dumps(holder))
            path.with_suffix(".forged").replace(path)


def main(back_end: str, work: Path, most: int, *sweeps: str) -> None:
    """Print what comes of at most so many kills of a build and of an extension, and of others."""
    faults = Faults(back_end, work)
    build, extend, replace = faults.build, faults.extend, faults.replace
    by_renames, few = faults.replace_by_renames, -(-most // 4)
    known: dict[str, Iterator[dict]] = {
        "build": faults.sweep("kill", build, None, most),
        "build-late": faults.sweep("kill", build, None, few, late=True),
        "build-torn": faults.sweep("torn", build, None, few),
        "build-cut": faults.sweep("cut", build, None, few),
        "build-cut-data": faults.sweep("cut data", build, None, few),
        "build-twice": faults.twice(build, None, min(few, 200)),
        "extend": faults.sweep("kill", extend, "built", most),
        "extend-late": faults.sweep("kill", extend, "built", most, late=True),
        "extend-torn": faults.sweep("torn", extend, "built", few),
        "extend-cut": faults.sweep("cut", extend, "built", few),
        "extend-cut-data": faults.sweep("cut data", extend, "built", few),
        "extend-twice": faults.twice(extend, "built", min(few, 200)),
        "replace": faults.sweep("kill", replace, "other", most),
        "replace-late": faults.sweep("kill", replace, "other", most, late=True),
        "replace-renames": faults.sweep("kill", by_renames, "other", most, late=True),
        "replace-twice": faults.twice(replace, "other", min(few, 200)),
        "zombie": faults.zombies(build, None, faults.take, few),
        "zombie-late": faults.zombies(build, None, faults.take, most, late=True),
        "zombie-same": faults.zombies(build, None, faults.take_same, few),
        "zombie-split": faults.zombies(faults.split, "built", faults.take, few, late=True),
        "zombie-replace": faults.zombies(replace, "other", faults.take_other, most),
        "zombie-extend": faults.zombies(extend, "built", faults.take, most, late=True),
    }
    for name in sweeps or known:
        for result in known[name]:
            sys.stdout.write(json.dumps({"sweep": name, **result}) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
