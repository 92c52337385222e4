"""Processors: affinity, control groups and SLURM, and the smallest of them counts."""

import os

import pytest

from tersgen.cpus import available_cpus

HERE = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


@pytest.fixture(autouse=True)
def _no_slurm(monkeypatch):
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """Return a function that gives a process of group /a/b quotas, by the group's place."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)
    own, root = tmp_path / "cgroup", tmp_path / "groups"
    (root / "a" / "b").mkdir(parents=True)

    def count(name="/a/b", line="0::", **quotas) -> int:
        for place, text in quotas.items():
            (root / place.replace("root", ".").replace("_", "/") / "cpu.max").write_text(text)
        own.write_text(f"12:cpuset:/other\n{line}{name}\n")
        return available_cpus(own, root)

    return count


def test_affinity_alone(tmp_path):
    assert available_cpus(tmp_path / "none", tmp_path) == HERE


@pytest.mark.parametrize(
    ("quotas", "wanted"),
    [
        ({}, 16),
        ({"a_b": "max 100000\n"}, 16),
        ({"a_b": "200000 100000\n"}, 2),
        ({"a_b": "250000 100000\n"}, 3),
        ({"a_b": "1000 100000\n"}, 1),
        ({"a_b": "800000 100000\n", "a": "400000 100000\n"}, 4),
        ({"a_b": "max 100000\n", "root": "300000 100000\n"}, 3),
        ({"a_b": "3200000 100000\n"}, 16),
        ({"a_b": "nonsense\n"}, 16),
        ({"a_b": "1 0\n"}, 16),
    ],
)
def test_the_smallest_quota_of_all_groups_above_counts(groups, quotas, wanted):
    assert groups(**quotas) == wanted


@pytest.mark.parametrize("name", ["/", "/../../elsewhere"])
def test_a_container_that_sees_only_its_own_group(groups, name):
    assert groups(name, root="500000 100000\n") == 5


def test_version_1_of_control_groups_says_nothing(groups):
    assert groups(line="1:cpu:", a_b="100000 100000\n") == 16


@pytest.mark.parametrize(
    ("text", "wanted"), [("4", 4), ("64", 16), ("", 16), ("0", 16), ("-1", 16), ("four", 16)]
)
def test_what_slurm_gives_to_a_task(groups, monkeypatch, text, wanted):
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", text)
    assert groups() == wanted
    assert groups(a_b="200000 100000\n") == 2
