"""Batches on their way to the device."""

from collections import deque
from collections.abc import Iterable, Iterator

import torch

from ..data.stream import Batch


def moved(batches: Iterable[Batch], device: torch.device) -> Iterator[Batch]:
    """Yield batches on a device; copies to a GPU overlap with what is computed there.

    The memory that is copied from is kept until the copy is done.
    """
    if device.type == "cpu":
        yield from batches
        return
    under_way: deque[tuple[torch.cuda.Event, Batch]] = deque()
    for batch in batches:
        there = {name: value.to(device, non_blocking=True) for name, value in batch.items()}
        done = torch.cuda.Event()  # type: ignore[no-untyped-call]
        done.record()
        under_way.append((done, batch))
        while under_way and under_way[0][0].query():  # type: ignore[no-untyped-call]
            under_way.popleft()
        yield there
    torch.cuda.synchronize(device)
