"""Every program with a GPU, once on the CPU and once on the device: how far apart are the files that they write?

In float32 and without dropout, whose draws are made on the device, the two differ by rounding alone. The limits are
some ten times what another rounding makes on the CPU. Where the device has a format of its own for products, as the
study would use it, each runs in that too: there only the end is compared, an accuracy or an objective.
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

ALIKE = {"--dropout": "0", "--precision": "float32"}
LIMITS: dict[str, float] = {}
ACCURACY = 0.15  # that a training may end apart, of 100 validation images
OBJECTIVE = 0.01


def program_rows(checked: Checked, jobs: dict[str, Job]) -> Iterator[Found]:
    """Run each job on both; what an earlier one has written on the CPU is the input of a later one on both."""
    with tempfile.TemporaryDirectory(dir=checked.demo) as scratch:
        written: dict[str, str] = {}
        for name, job in in_order(jobs).items():
            places = [Path(scratch, name, where) for where in ("cpu", "device", "own")]
            try:
                _run_all(job, checked, written, places)
            except RuntimeError as error:
                yield held("programs", name, False, str(error))
                continue
            expected, found, own = places
            written |= {path: str(expected / path) for path in job.outputs}
            for path in job.outputs:
                limit = LIMITS.get(f"{job.program} {Path(path).name}", 1e-4)
                yield within("programs", f"{name}: {Path(path).name}", apart(expected / path, found / path), limit)
            if own.exists():
                yield from _ends(name, job, expected, own)


def _run_all(job: Job, checked: Checked, written: dict[str, str], places: list[Path]) -> None:
    """Run a job on the CPU and on the device, alike, and on the device as the study does; two at a time."""
    alike = tuple(word for option, value in ALIKE.items() if option in job.arguments for word in (option, value))
    changes = {path: written[path] for path in job.inputs if path in written}
    ways = [Way(False, alike, changes=changes), Way(True, alike, changes=changes)]
    if product_dtype(checked.device, "auto") != torch.float32:
        ways.append(Way(True, changes=changes))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda way, place: run(job, checked, way, place), ways, places))


def _ends(name: str, job: Job, expected: Path, own: Path) -> Iterator[Found]:
    """Compare where the histories end."""
    limits = {"validation_accuracy": ACCURACY, "objective": OBJECTIVE}
    for path in job.outputs:
        if Path(path).name.startswith("history"):
            for column in columns_of(expected / path) & limits.keys():
                first, second = (last(place / path, column) for place in (expected, own))
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
