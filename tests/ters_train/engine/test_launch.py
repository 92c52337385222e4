"""Who started the processes, from the variables that torchrun and srun set."""

import pytest

from ters_train.engine.launch import Launch, find_launch, first_host
from tersgen.errors import ConfigError

TORCHRUN = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "MASTER_ADDR": "one",
            "MASTER_PORT": "29500"}  # fmt: skip
BATCH = {"SLURM_JOB_ID": "17", "SLURM_NTASKS": "4", "SLURM_PROCID": "0", "SLURM_LOCALID": "0",
         "SLURM_JOB_NODELIST": "gpu[07-08]"}  # fmt: skip
SRUN = {**BATCH, "SLURM_PROCID": "3", "SLURM_LOCALID": "1", "SLURM_STEP_ID": "2",
        "SLURM_STEP_NUM_TASKS": "4", "SLURM_STEP_NODELIST": "gpu[07-08]"}  # fmt: skip


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, None),
        ({"WORLD_SIZE": "1", "RANK": "0"}, None),
        (TORCHRUN, Launch(3, 4, 1, "one", 29500)),
        ({**TORCHRUN, **SRUN}, Launch(3, 4, 1, "one", 29500)),
        ({**SRUN, "RANK": "0", "WORLD_SIZE": "1"}, None),
        (BATCH, None),
        ({**BATCH, "SLURM_STEP_NUM_TASKS": "1"}, None),
        (SRUN, Launch(3, 4, 1, "gpu07", 20219)),
        ({**SRUN, "SLURM_STEP_NUM_TASKS": "8"}, Launch(3, 8, 1, "gpu07", 20219)),
        ({**SRUN, "SLURM_STEP_NODELIST": "gpu08"}, Launch(3, 4, 1, "gpu08", 20219)),
        ({**SRUN, "MASTER_ADDR": "two", "MASTER_PORT": "5"}, Launch(3, 4, 1, "two", 5)),
    ],
)
def test_launches(environment, wanted) -> None:
    assert find_launch(environment) == wanted


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"WORLD_SIZE": "2"}, "WORLD_SIZE is 2: expected MASTER_ADDR too; start it with torchrun"),
        ({"WORLD_SIZE": "two"}, "WORLD_SIZE: expected a whole number, found 'two'"),
        ({**TORCHRUN, "MASTER_PORT": ""}, "MASTER_PORT: expected a whole number, found ''"),
        ({"WORLD_SIZE": "2", "MASTER_ADDR": "a"}, "RANK: expected a whole number, found none"),
        ({"SLURM_STEP_NUM_TASKS": "2"}, "SLURM_STEP_NODELIST: expected the hosts of this step"),
    ],
)
def test_variables_that_are_wrong(environment, message) -> None:
    with pytest.raises(ConfigError) as caught:
        find_launch(environment)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("nodes", "wanted"),
    [
        ("alone", "alone"),
        ("a,b", "a"),
        ("n[1-64]", "n1"),
        ("n[003,007-9]", "n003"),
        ("rack[2-3]-gpu[01,04]x,login", "rack2-gpu01x"),
        ("", ""),
    ],
)
def test_first_hosts(nodes, wanted) -> None:
    assert first_host(nodes) == wanted
