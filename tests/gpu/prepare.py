"""Make what the programs with a GPU read and none of them makes, and note their commands. Needs Snakemake.

A machine with a GPU may have none: make the folder elsewhere (python -m gpu.prepare FOLDER) and take it there.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from fixtures_demo import PREDICT, Job, demo_command, read_all_jobs
from workflow.clones import clone, run_python

RUN = "/seed3/"  # the first one


def prepare(folder: Path) -> None:
    """Make the folder, with jobs.json in it: name -> program, arguments, inputs and outputs."""
    clone(folder)
    with tempfile.TemporaryDirectory() as scratch:
        every = [job for jobs in read_all_jobs(folder, Path(scratch), alone).values() for job in jobs]
    jobs = {job_name(job): job for job in every if "--gpu" in job.arguments and RUN in job.outputs[0]}
    jobs["predict"] = PREDICT._replace(arguments=[*PREDICT.arguments, "--gpu", "0"])
    read, made = ({path for job in jobs.values() for path in getattr(job, kind)} for kind in ("inputs", "outputs"))
    wanted = sorted(path for path in read - made if path.startswith("results/"))  # the check itself makes the others
    process = alone(*demo_command(folder, "--", *wanted), cwd=folder)
    if process.returncode:
        sys.exit(process.stdout + process.stderr)
    (folder / "jobs.json").write_text(json.dumps(jobs, indent=1) + "\n")


def alone(*arguments: object, cwd: Path) -> subprocess.CompletedProcess:
    """Run Python without the folders of this project among its own: the clone has its modules."""
    return run_python(*arguments, cwd=cwd, environment={"PYTHONPATH": ""})


def job_name(job: Job) -> str:
    """Return the program and the experiment, which is the third part of a path of a result."""
    return f"{job.program} {Path(job.outputs[0]).parts[2]}"


if __name__ == "__main__":
    prepare(Path(sys.argv[1]).resolve())
