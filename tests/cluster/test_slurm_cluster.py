"""The cluster of the tests itself: it ends with whoever started it, and touches no other cluster."""

import os
import subprocess
import time
from pathlib import Path

DAEMONS = {"munged", "slurmctld", "slurmd"}
CONFIGURATION = [Path("/etc/slurm/slurm.conf"), Path("/etc/slurm/gres.conf")]


def daemons_of(folder):
    """Numbers of the processes of the cluster in this folder, by name."""
    return {name: number for name, number, words in living_processes() if name in DAEMONS and str(folder) in words}


def job_steps():
    """What Slurm starts for each running part of a job."""
    return [number for name, number, _ in living_processes() if name == "slurmstepd"]


def living_processes():
    """Name, number and command line of every process, but of those that have ended and wait for their parent."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().decode()
            name = (process / "comm").read_text().strip()
        except (FileNotFoundError, ProcessLookupError):  # it has ended since
            continue
        if command:
            yield name, int(process.name), command


def submit(folder, script):
    """Submit a job, wait until it runs, and return what its steps write to."""
    output = folder / "job.txt"
    subprocess.run(["sbatch", "--output", output, "--wrap", script], check=True, capture_output=True, timeout=30)
    wait_until(lambda: output.exists() and "started" in output.read_text())
    return output


def wait_until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def is_alive(number):
    return number in [other for _, other, _ in living_processes()]


def test_nothing_is_left_of_it(start_cluster, tmp_path):
    """Not even of a job that ignores the signal to end."""
    with start_cluster(tmp_path / "cluster"):
        assert set(daemons_of(tmp_path)) == DAEMONS
        job = submit(tmp_path, "trap '' TERM; echo $$ started; while true; do sleep 1; done")
        assert job_steps()
        number = int(job.read_text().split()[0])
        assert is_alive(number)
    assert not is_alive(number)
    wait_until(lambda: not job_steps())
    assert not daemons_of(tmp_path)
    assert not [path for path in CONFIGURATION if path.is_symlink()]


def test_a_second_one_is_refused(start_cluster, tmp_path):
    with start_cluster(tmp_path / "first") as first:
        script = Path(__file__).with_name("slurm_cluster.sh")
        second = subprocess.run([script, tmp_path / "second"], capture_output=True, text=True, timeout=60, check=False)
        assert second.returncode == 1
        assert second.stderr.strip().endswith("slurm.conf exists: this machine belongs to a cluster already")
        assert first.poll() is None
        assert set(daemons_of(tmp_path)) == DAEMONS


def test_daemons_die_with_a_killed_script(start_cluster, tmp_path):
    """And the next one is not kept from starting by the configuration that was left."""
    with start_cluster(tmp_path / "killed") as process:
        daemons = daemons_of(tmp_path)
        process.kill()
        wait_until(lambda: not any(is_alive(number) for number in daemons.values()))
    assert CONFIGURATION[0].is_symlink()
    with start_cluster(tmp_path / "next"):
        assert os.readlink(CONFIGURATION[0]) == str(tmp_path / "next" / "slurm.conf")  # noqa: PTH115
    assert not CONFIGURATION[0].is_symlink()
