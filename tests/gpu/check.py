"""Every part of the check on a GPU, one after the other, and the table."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch

from bench.__main__ import product_rows
from bench.features import features_rows
from bench.fixmatch import fixmatch_rows
from bench.kmeans import kmeans_rows, plain_lloyd
from bench.rows import Row
from bench.surrogates import surrogates_rows
from bench.training import training_rows
from fixtures_demo import Job
from gpu.interrupted import killed_rows, lease_rows, memory_rows
from gpu.programs import program_rows
from gpu.rows import Checked, Found
from semisup.machine import processor_name

CHECKS: dict[str, Callable[[Checked, dict[str, Job]], Iterator[Found]]] = {
    "programs": program_rows,
    "killed": killed_rows,
    "lease": lease_rows,
    "memory": memory_rows,
}
TIMED = "times"
PARTS = [*CHECKS, TIMED]
TIMES = (
    lambda part, device: kmeans_rows(part, device, plain_lloyd),
    features_rows,
    surrogates_rows,
    training_rows,
    fixmatch_rows,
)


def check(demo: Path, device: torch.device, only: Sequence[str], part: float) -> bool:
    """Print the table of these parts, write it beside the demonstration, and return whether all is as it should be.

    demo: the folder of the tiny demonstration, made if need be; part: of each size that is timed.
    """
    start = time.perf_counter()
    if not (demo / "jobs.json").exists():
        from gpu.prepare import prepare  # here, as a machine with a GPU may have no Snakemake

        prepare(demo)
    jobs = {name: Job(*parts) for name, parts in json.loads((demo / "jobs.json").read_text()).items()}
    checked = Checked(demo, device, stand_in=device.type == "cpu")
    facts = about(checked)
    print(", ".join(f"{name}: {value}" for name, value in facts.items()), flush=True)

    found = [said(row) for name, rows in CHECKS.items() if name in only for row in rows(checked, jobs)]
    times = list(timed_rows(part, device)) if TIMED in only else []
    seconds = time.perf_counter() - start
    well = sum(row.well for row in found)
    print(f"\n{well} of {len(found)} as they should be, {seconds:.0f} s in all")
    report = {**facts, "seconds": seconds, "checks": [row._asdict() for row in found], "times": times}
    (demo / "gpu_check.json").write_text(json.dumps(report, indent=1) + "\n")
    return well == len(found)


def about(checked: Checked) -> dict[str, str]:
    """Return what the numbers depend on."""
    name = processor_name() if checked.stand_in else torch.cuda.get_device_name(checked.device)
    cuda = "none" if checked.stand_in else str(torch.version.cuda)
    return {"device": name, "processor": processor_name(), "torch": torch.__version__, "cuda": cuda}


def said(row: Found) -> Found:
    """Print a row as it comes."""
    mark = "  " if row.well else "X "
    print(f"{mark}{row.check:10s}{row.what:58s}{row.value:>12s}  {row.limit}".rstrip(), flush=True)
    return row


def timed_rows(part: float, device: torch.device) -> Iterator[dict[str, object]]:
    """Time the heavy steps and print a line for each; of peak: as in `make bench`."""
    products = list(product_rows(device))
    peaks = {row.dtype: row.flop / row.seconds for row in products}
    first: Row | None = None
    for row in [*products, *(row for rows in TIMES for row in rows(part, device))]:
        first = row if first is None or row.work != first.work else first
        numbers = {
            "seconds": row.seconds,
            "ratio": first.seconds / row.seconds,
            "of_peak": row.flop / row.seconds / peaks[row.dtype] if row.flop else None,
        }
        if row is first:
            print(f"\n{row.work}\n  {'':40s}{'seconds':>9s}{'ratio':>8s}{'of peak':>9s}")
        peak = f"{numbers['of_peak']:.3f}" if row.flop else ""
        print(f"  {row.who:40s}{row.seconds:9.4f}{numbers['ratio']:8.2f}{peak:>9s}  {row.quality}".rstrip(), flush=True)
        yield {"work": row.work, "who": row.who, "said": row.quality, **numbers}
