"""What the tests of the cluster share: a Slurm of their own, or the reason why there is none."""

import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest

from fixtures_machine import lacking

NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "scontrol", "squeue", "scancel", "sinfo", "srun", "setpriv")


@contextmanager
def running_cluster(folder):
    """Within the block a cluster runs whose files are in `folder`; yields its process.

    The end of that process's input ends the cluster, so it does not outlive the tests, however they end.
    """
    script = Path(__file__).with_name("slurm_cluster.sh")
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    process = subprocess.Popen([script, folder], **pipes, text=True)
    try:
        if process.stdout.readline() != "ready\n":
            said = process.communicate(timeout=60)[1]
            if "belongs to a cluster already" in said:
                lacking(said.strip())
            pytest.fail(said)
        yield process
    finally:
        process.communicate(timeout=90)


@pytest.fixture(scope="session")
def start_cluster():
    """`running_cluster`, where Slurm is installed and may be started."""
    missing = [name for name in NEEDED if not shutil.which(name)]
    if missing:
        lacking(f"{', '.join(missing)} not found: make slurm")
    if os.geteuid() != 0:
        lacking("a Slurm is started by root alone")
    return running_cluster
