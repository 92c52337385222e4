"""Tasks of a computation, here and on workers."""

import pytest

from tersgen.errors import ClusterError, ConfigError
from tersgen.jobs.executors.interface import Launcher
from tersgen.jobs.executors.options import ClusterOptions
from tersgen.jobs.tasks import open_mapper
from tersgen.plugins import register


def test_without_workers_tasks_run_here_in_order():
    with open_mapper(ClusterOptions()) as mapper:
        assert list(mapper(len, ["a", "bcd"])) == [("a", 1), ("bcd", 3)]


@pytest.mark.exhaustive
def test_workers_run_all_tasks_and_errors_come_back(monkeypatch):
    with open_mapper(ClusterOptions(workers=1)) as mapper:
        assert sorted(mapper(len, ["a", "bcd", "ef"])) == [("a", 1), ("bcd", 3), ("ef", 2)]
        with pytest.raises(TypeError, match="len"):
            list(mapper(len, ["a", 5]))
        monkeypatch.setattr("tersgen.jobs.tasks.program_versions", lambda: (("pyscf", "0.1"),))
        with pytest.raises(ClusterError, match=r"versions differ: pyscf \S+ there, 0.1 here"):
            list(mapper(len, ["a"]))


def test_executors_of_builds_alone_are_refused(forgotten_plugins):
    class Alone(Launcher):
        def open(self, options, plan):
            raise AssertionError

    register("tersgen.executors", "alone")(Alone)
    with (
        pytest.raises(ConfigError, match="takes only builds"),
        open_mapper(ClusterOptions(scheduler="alone")),
    ):
        pass
