"""How many rows, and which whole species, each part of a split gets."""

import math
from collections.abc import Sequence
from fractions import Fraction

from ..errors import ConfigError
from ..random.assignment import shuffled
from ..schema.split import SplitRule


def _exact_shares(ratios: Sequence[float]) -> list[Fraction]:
    """Return ratios as their shortest decimals mean them (0.1 is 1/10), scaled to sum 1."""
    shares = [Fraction(str(float(ratio))) for ratio in ratios]
    total = sum(shares, Fraction(0))
    if total <= 0 or min(shares) < 0:
        raise ConfigError(
            f"ratios: expected none below 0 and one above, got {list(ratios)}; change them"
        )
    return [share / total for share in shares]


def apportion(
    n: int,
    ratios: Sequence[float],
    at_least: Sequence[int] | None = None,
    owed: Sequence[Fraction] | None = None,
    first: int | None = None,
) -> tuple[int, ...]:
    """Return how many of ``n`` rows each part gets, Eq. (8.1) with totals that match.

    The method of largest remainders, in exact fractions; of equal remainders the earlier part
    comes first. No count is a whole row off its share, unless ``at_least`` is above it: then the
    parts that are free to change bear the difference in equal numbers of rows, which is the
    solution with the least sum of squared deviations.

    Parameters
    ----------
    n
        Number of rows.
    ratios
        Share of each part, up to a common factor.
    at_least
        Rows that each part has already, which may not shrink; at most ``n`` in all.
    owed
        Rows that each part lacks elsewhere, added to its remainder.
    first
        The part that gets a row before all others.

    Examples
    --------
    >>> apportion(10, (0.75, 0.15, 0.1))
    (8, 1, 1)
    >>> apportion(10, (0.75, 0.15, 0.1), at_least=(5, 1, 3))
    (6, 1, 3)
    """
    least = list(at_least) if at_least is not None else [0] * len(ratios)
    if sum(least) > n:
        raise ConfigError(f"expected at least {sum(least)} rows, those there already, got {n}")
    targets = [share * n for share in _exact_shares(ratios)]
    counts, free = least.copy(), list(range(len(ratios)))
    excess = Fraction(0)
    # each round pins the parts that have too many rows and shares out their excess anew; the
    # excess only grows, so that what is pinned stays pinned
    while True:
        kept = [j for j in free if targets[j] - excess >= least[j]]
        if len(kept) == len(free):
            break
        free = kept
        fixed = sum(least) - sum(least[j] for j in free)
        excess = (sum((targets[j] for j in free), Fraction(0)) - (n - fixed)) / len(free)
    for j in free:
        counts[j] = math.floor(targets[j] - excess)
    lacking = [targets[j] - counts[j] + (owed[j] if owed else 0) for j in range(len(ratios))]
    remainders = sorted(
        (j for j in free if targets[j] - excess > counts[j]),
        key=lambda j: (j != first or counts[j] > 0, -lacking[j], j),
    )
    for j in remainders[: n - sum(counts)]:
        counts[j] += 1
    return tuple(counts)


def apportion_classes(
    totals: Sequence[int], rule: SplitRule, at_least: Sequence[Sequence[int]]
) -> list[tuple[int, ...]]:
    """Return how many rows of each class each part gets: shares of each class, and of all.

    What a part lacks of one class for the sake of whole rows is made up for in the next. A part
    called train gets the first row of each class: what is not learnt cannot be tested.

    Parameters
    ----------
    totals
        Rows of each class, K of them.
    rule
        Names and shares of the parts, S of them.
    at_least
        Rows that the parts have already, which may not shrink, K times S.

    Examples
    --------
    >>> apportion_classes([1, 4, 4, 1], SplitRule(), [[0] * 3] * 4)
    [(1, 0, 0), (3, 1, 0), (3, 0, 1), (1, 0, 0)]
    """
    first = rule.names.index("train") if "train" in rule.names else None
    shares = _exact_shares(rule.shares)
    owed = [Fraction(0)] * len(shares)
    found = []
    for n, least in zip(totals, at_least, strict=True):
        counts = apportion(n, rule.shares, least, owed, first)
        owed = [
            rest + share * n - count
            for rest, share, count in zip(owed, shares, counts, strict=True)
        ]
        found.append(counts)
    return found


def assign_groups(rule: SplitRule, classes: Sequence[str], counts: Sequence[int]) -> dict[str, str]:
    """Return the part of each species when each goes whole to one.

    In an order shuffled by the seed, each species goes to the part that lacks most rows. One
    without rows counts as if it had one: else all of these would go to the same part, and a
    dataset that grows may have rows of them later. Species held out go where they are held.

    Parameters
    ----------
    rule
        Names, ratios, seed, and what is held out.
    classes
        Species in label order, K of them.
    counts
        Rows of each that are not held out, length K.
    """
    sizes = [max(count, 1) for count in counts]
    taken = set(rule.held_species)
    total = sum(size for name, size in zip(classes, sizes, strict=True) if name not in taken)
    lacking = [share * total for share in _exact_shares(rule.shares)]
    groups = {}
    for label in shuffled(len(classes), rule.seed):
        name = classes[label]
        if name in taken:
            groups[name] = rule.names[rule.held_part]
            continue
        part = lacking.index(max(lacking))
        lacking[part] -= sizes[label]
        groups[name] = rule.names[part]
    return {name: groups[name] for name in classes}
