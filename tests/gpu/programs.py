"""Every program with a GPU, once on the CPU and once on the device: how far apart are the files that they write?

In float32 and without dropout, whose draws are made on the device, the two differ by rounding alone, which a training
multiplies at every step: so it has two. The limits are some ten times what another rounding makes on the CPU. Where the
device has a format of its own for products, as the study would use it, each program also runs to its end on both: there
only what the history ends with is compared, an accuracy or an objective.
"""

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

from fixtures_demo import Job
from gpu.compare import apart, columns_of, last
from gpu.processes import Way, run
from gpu.rows import Checked, Found, held, within
from semisup.device import product_dtype

# Options of the comparison. The loss of pseudo-labels counts from the first epoch on.
ALIKE = {
    "--dropout": "0",
    "--precision": "float32",
    "--epochs": "1",
    "--steps-per-epoch": "2",
    "--learning-rate": "0.01",
}
ALIKE |= {"--alpha-start": "0", "--alpha-end": "0"}
LIMITS = {".csv": 5e-3, ".h5": 1e-3, ".npz": 1e-3}
OWN_LIMITS = {"train_simclr": 5e-2}  # its gradient is a small difference of nearly equal views
ACCURACY = 0.15  # that a training may end apart, of 100 validation images
OBJECTIVE = 0.01


def program_rows(checked: Checked, jobs: dict[str, Job]) -> Iterator[Found]:
    """Run each job on both; what an earlier one has written on the CPU is the input of a later one on both."""
    with tempfile.TemporaryDirectory(dir=checked.demo) as scratch:
        written: dict[str, str] = {}
        for name, job in in_order(jobs).items():
            folder = Path(scratch, name)
            changes = {path: written[path] for path in job.inputs if path in written}
            alike = tuple(
                word for option, value in ALIKE.items() if option in job.arguments for word in (option, value)
            )
            try:
                expected, found = _run_on_both(job, checked, Way(True, alike, changes=changes), folder / "alike")
                for path in job.outputs:
                    limit = OWN_LIMITS.get(job.program, LIMITS[Path(path).suffix])
                    value = apart(expected / path, found / path)
                    yield within("programs", f"{name}: {Path(path).name}", value, limit)
                written |= {path: str(expected / path) for path in job.outputs}
                if product_dtype(checked.device, "auto") != torch.float32:
                    yield from _ends(name, job, *_run_on_both(job, checked, Way(True, changes=changes), folder / "own"))
            except RuntimeError as error:
                yield held("programs", name, False, str(error))


def _run_on_both(job: Job, checked: Checked, way: Way, folder: Path) -> tuple[Path, Path]:
    """Run a job on the CPU and on the device at the same time; return the folders that they have written to."""
    ways = {folder / "cpu": way._replace(on_device=False), folder / "device": way}
    with ThreadPoolExecutor(2) as pool:
        for _ in pool.map(lambda place: run(job, checked, ways[place], place), ways):
            pass
    return tuple(ways)


def _ends(name: str, job: Job, expected: Path, found: Path) -> Iterator[Found]:
    """Compare where the histories end."""
    limits = {"validation_accuracy": ACCURACY, "objective": OBJECTIVE}
    for path in job.outputs:
        if Path(path).name.startswith("history"):
            for column in columns_of(expected / path) & limits.keys():
                first, second = (last(place / path, column) for place in (expected, found))
                scale = 1.0 if column == "validation_accuracy" else abs(first)
                yield within("own format", f"{name}: {column}", abs(first - second) / scale, limits[column])


def in_order(jobs: dict[str, Job]) -> dict[str, Job]:
    """Return the jobs so that each comes after those whose outputs it reads."""
    left, ordered = dict(jobs), {}
    while left:
        ahead = {path for job in left.values() for path in job.outputs}
        ready = {name: job for name, job in left.items() if not ahead & set(job.inputs)}
        ordered |= ready
        left = {name: job for name, job in left.items() if name not in ready}
    return ordered
