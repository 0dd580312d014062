"""Jobs of the tiny demonstration as processes, on the device that is checked or on the CPU."""

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from fixtures_demo import Job, redirected
from fixtures_snakemake import ROOT
from gpu.rows import Checked

PROGRAM = "gpu.child"
SECONDS = 600  # that a program may take, however busy the machine is
# The CPU, where it stands in for a GPU, rounds otherwise than it does at its best: as a GPU does.
OTHER_ROUNDING = {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"}


class Way(NamedTuple):
    """How a job is run: on the device or the CPU; options that are added; MB of the device's memory; other inputs."""

    on_device: bool
    added: tuple[str, ...] = ()
    memory_mb: int | None = None
    changes: dict[str, str] = {}


class Started(NamedTuple):
    """A process, the folder below which it writes and the file of what it says."""

    process: subprocess.Popen
    folder: Path
    log: Path

    def said(self) -> str:
        """Return what it has said so far."""
        return self.log.read_text()

    def ended(self) -> int:
        """Return the exit code, when it has ended."""
        try:
            return self.process.wait(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise RuntimeError(f"{self.log}: more than {SECONDS} s") from None


def start(job: Job, checked: Checked, way: Way, folder: Path) -> Started:
    """Start a job whose outputs go below the folder."""
    for path in job.outputs:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
    settings = ["--stand-in"] if checked.stand_in and way.on_device else []
    settings += ["--memory-mb", str(way.memory_mb)] if way.memory_mb else []
    words = redirected(job, way.changes, folder)
    words[words.index("--gpu") + 1] = str(int(way.on_device))
    command = [sys.executable, "-m", PROGRAM, *settings, job.program, *words, *way.added]
    log = folder / "said.txt"
    with log.open("a") as file:
        process = subprocess.Popen(command, cwd=checked.demo, env=_environment(checked, way), stdout=file, stderr=file)
    return Started(process, folder, log)


def run(job: Job, checked: Checked, way: Way, folder: Path) -> Started:
    """Run a job to its end. Raises RuntimeError with what it said if it fails."""
    started = start(job, checked, way, folder)
    if started.ended():
        raise RuntimeError(f"{job.program}: {started.said().splitlines()[-1:]}")
    return started


def _environment(checked: Checked, way: Way) -> dict[str, str]:
    ours = [str(ROOT / name) for name in ("workflow_scripts", "tests")]
    changes = {"PYTHONPATH": os.pathsep.join([*ours, *filter(None, [os.environ.get("PYTHONPATH")])])}
    changes |= {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
    if checked.stand_in:
        changes |= {"TMPDIR": str(checked.demo)}  # where the locks of leases are
        changes |= OTHER_ROUNDING if way.on_device else {}
    else:
        changes |= {"CUDA_VISIBLE_DEVICES": os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]}
    return os.environ | changes
