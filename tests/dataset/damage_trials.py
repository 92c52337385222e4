"""Damage copies of datasets in every way, and see what reading, verify and repair make of it.

``python tests/dataset/damage_trials.py N SEED`` runs N trials and prints a table for
``docs/faults.md``. ``test_damage_trials.py`` runs it in a process of its own, with ``--json``.
"""

import argparse
import os
import resource
import shutil
import signal
import sys
import tempfile
import traceback
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import damage_edits  # noqa: F401
from damage_kinds import KINDS, Copy
from damage_look import Seen, TooLongError, as_json, look
from damage_open import OPEN, try_open
from damage_stock import FORMS, Stock, make_stock

from tersgen.dataset.verify import verify
from tersgen.errors import TersError
from tersgen.jobs.repair import repair

LONGEST_S = 60
"""Seconds of a trial, far more than one takes on a busy machine."""
LARGEST_GROWTH = 256 << 10
"""Most kilobytes by which a trial may raise the peak of resident memory."""
SHARES = {"stream": 8, "verify": 6, "repair": 12}
"""One of so many trials."""


class Result(NamedTuple):
    """What came of a trial."""

    kind: str
    form: str
    outcome: str
    quick: str
    """Whether verify --quick saw it: "yes", "no", or "" where it was not run."""
    full: str
    healed: str
    what: str
    notes: list[str]


def _too_long(*_: Any) -> None:
    raise TooLongError


def _linked(source: Path, target: Path) -> None:
    shutil.copytree(source, target, copy_function=os.link)


def _verified(path: Path, quick: bool, seen: Seen) -> str:
    try:
        return "no" if verify(path, quick, threads=1).sound else "yes"
    except TersError:
        return "yes"
    except Exception:  # noqa: BLE001
        seen.add("OTHER ERROR", traceback.format_exc())
        return "OTHER ERROR"


def _repaired(copy: Copy, seen: Seen) -> str:
    try:
        sound = repair(copy.path, threads=1).verified.sound
    except TersError:
        sound = None
    except Exception:  # noqa: BLE001
        seen.add("OTHER ERROR", traceback.format_exc())
        return "OTHER ERROR"
    after = Seen()
    look(copy.path, copy.stock, after)
    if after.worst in ("WRONG", "OTHER ERROR"):
        seen.add(after.worst, f"after repair: {after.notes}")
    if sound is None:
        return "refused"
    if not sound:
        return "not sound"
    if after.errors:
        seen.add("OTHER ERROR", f"sound after repair, and not read: {after.errors[0]}")
    return "healed"


def one_trial(kind: str, stock: Stock, number: int, seed: int, place: Path) -> Result:
    """Return what came of one trial of a kind; the same for the same numbers."""
    top = place / str(number)
    copy = Copy(stock, top, [seed, number])
    seen = Seen()
    quick = full = healed = ""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    signal.alarm(LONGEST_S)
    try:
        if kind in OPEN:
            source = stock.before.parent if OPEN[kind][0] == "before" else stock.path.parent
            shutil.copytree(source, top)  # not linked: files are written into
            try_open(kind, copy, seen)
        else:
            chances = {name: copy.random.random() * share < 1 for name, share in SHARES.items()}
            if chances["repair"]:
                shutil.copytree(stock.path.parent, top)
            else:
                _linked(stock.path.parent, top)
            KINDS[kind](copy)
            look(copy.path, stock, seen, stream=chances["stream"])
            quick = _verified(copy.path, True, seen)
            if chances["verify"]:
                full = _verified(copy.path, False, seen)
            if chances["repair"]:
                healed = _repaired(copy, seen)
    except TooLongError:
        seen.add("OTHER ERROR", f"took more than {LONGEST_S} s")
    finally:
        signal.alarm(0)
        shutil.rmtree(top, ignore_errors=True)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    if grown > LARGEST_GROWTH:
        seen.add("OTHER ERROR", f"allocated {grown} kB")
    what = f"{number}: {copy.what.strip()}"
    return Result(kind, stock.form, seen.worst, quick, full, healed, what, seen.notes)


def run_trials(n: int, seed: int, forms: list[str], only: str, place: Path) -> list[Result]:
    """Return the results of trials, spread evenly over kinds and back ends."""
    signal.signal(signal.SIGALRM, _too_long)
    stocks = [
        make_stock(place / f"stock-{form}-{maps}", form, maps)
        for form in forms
        for maps in (True, False)
    ]
    kinds = [kind for kind in (*KINDS, *OPEN) if only in kind]
    for kind in kinds[:1]:  # what is loaded at first use is no growth
        for stock in stocks:
            one_trial(kind, stock, 10**9, seed, place)
    results = []
    for number in range(n):
        kind = kinds[number % len(kinds)]
        stock = stocks[number // len(kinds) % len(stocks)]
        results.append(one_trial(kind, stock, number, seed, place))
        if sys.stderr.isatty() and number % 50 == 0:
            sys.stderr.write(f"\r{number} of {n}")
    return results


def table(results: list[Result]) -> str:
    """Return the outcomes by kind and back end, as Markdown."""
    forms = list(dict.fromkeys(one.form for one in results))
    outcomes: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    totals: Counter[str] = Counter()
    for one in results:
        counts = outcomes[one.kind, one.form]
        counts["n"] += 1
        for what, value in (("", one.outcome), ("quick ", one.quick), ("", one.healed)):
            if value:
                counts[f"{what}{value}"] += 1
                totals[f"{what}{value}"] += 1
    cells = ("n", "right", "another version", "refused", "WRONG", "OTHER ERROR", "quick yes")
    lines = [
        "| damage | back end | trials | right | another version | refused | wrong | other | "
        "seen by `--quick` |",
        "|---|---|" + "---|" * len(cells),
    ]
    for kind in dict.fromkeys(one.kind for one in results):
        for form in forms:
            counts = outcomes[kind, form]
            if counts["n"]:
                row = [str(counts[cell]) for cell in cells]
                lines.append(f"| {kind} | {form} | " + " | ".join(row) + " |")
    lines.append("")
    lines.append(", ".join(f"{name}: {count}" for name, count in sorted(totals.items())))
    return "\n".join(lines)


def main() -> None:
    """Run trials and print what came of them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("n", type=int)
    parser.add_argument("seed", type=int)
    parser.add_argument("--form", action="append", choices=[*FORMS])
    parser.add_argument("--only", default="", help="kinds whose names hold this text")
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    fast = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=fast if fast.is_dir() else None) as place:
        forms = wanted.form or [*FORMS]
        results = run_trials(wanted.n, wanted.seed, forms, wanted.only, Path(place))
    lines = [as_json([one._asdict() for one in results])] if wanted.json else [table(results)]
    for one in [] if wanted.json else results:
        if one.outcome in ("WRONG", "OTHER ERROR"):
            lines += [f"\n{one.outcome}: {one.kind}; {one.form}; {one.what}", *one.notes[:2]]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
