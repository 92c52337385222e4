"""Monitoring of the scheduler and its workers: whether they are alive and make progress."""

import time
from typing import Any

from ...errors import ClusterError

_LOOK_S = 2.0
_ANSWER_S = 5.0
_GONE_S = 20.0
"""How long a scheduler may be out of reach."""
_SLOWEST = 30
"""A build hangs if nothing comes for so many times the time of its slowest shard."""


class Watch:
    """What is known of scheduler and workers: asked now and then, never for long."""

    def __init__(self, client: Any, wait_s: float) -> None:
        self._client = client
        self._wait_s = wait_s
        self._address: str = client.scheduler.address
        now = time.monotonic()
        self._asked = now - _LOOK_S
        self._answered = self._seen = self._done = now
        self._slowest = 0.0
        self.workers: dict[str, int] = {}
        """Dask threads of each worker that takes tasks, by its address."""

    def done(self, seconds: float) -> None:
        """Take down that a shard came."""
        self._done = time.monotonic()
        self._slowest = max(self._slowest, seconds)

    def look(self) -> bool:
        """Ask the scheduler for its workers if it is time; return whether it answered."""
        if time.monotonic() - self._asked < _LOOK_S:
            return False
        self._asked = time.monotonic()
        answer = self._ask()
        now = time.monotonic()
        if answer is not None:
            self._answered = now
            self.workers = answer
        if self.workers and answer is not None:
            self._seen = now
        self._judge(now)
        return answer is not None

    def _ask(self) -> dict[str, int] | None:
        client = self._client
        if client.status != "running":
            return None
        try:
            answer: dict[str, int] = client.sync(
                client.scheduler.ncores_running, callback_timeout=_ANSWER_S
            )
        except (OSError, TimeoutError, AttributeError, RuntimeError):
            return None
        return dict(answer)

    def _judge(self, now: float) -> None:
        status = self._client.status
        address = self._address
        silent_s = now - self._answered
        if status == "closed" or (status != "running" and silent_s > _GONE_S):
            raise ClusterError(f"the scheduler at {address} is gone")
        if silent_s > self._wait_s:
            raise ClusterError(f"the scheduler at {address} has not answered for {silent_s:.0f} s")
        if now - self._seen > self._wait_s:
            raise ClusterError(
                f"no worker of the scheduler at {address} took a task for {now - self._seen:.0f} s "
                "(--wait-workers); start workers"
            )
        if self.workers and now - self._done > max(self._wait_s, _SLOWEST * self._slowest):
            raise ClusterError(
                f"{len(self.workers)} workers of the scheduler at {address} are there, and none "
                f"has finished a shard for {now - self._done:.0f} s (--wait-workers)"
            )

    @property
    def note(self) -> str:
        """What is waited for, in a few words."""
        now = time.monotonic()
        if now - self._answered > _ANSWER_S + _LOOK_S:
            return f"no answer from the scheduler for {now - self._answered:.0f} s"
        if not self.workers:
            return f"no worker yet, for {now - self._seen:.0f} s"
        return ""
