"""A training on the device that is killed, that shares the device with another one, and that runs out of memory."""

import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from fixtures_demo import Job
from gpu.compare import apart
from gpu.processes import Started, Way, run, start
from gpu.rows import Checked, Found, held, within

TRAINING = "train_supervised supervised"
EPOCHS = {"cuda": "60", "cpu": "2"}  # so that it can be met on its way
EVERY_STEP = ("--checkpoint-seconds", "0")
# Of the memory that a batch takes: too little for it, and enough for a part of it. The heap of a CPU has gaps.
ENOUGH = {"cuda": 0.7, "cpu": 0.85}
TOO_LITTLE = 30  # MB
WAITS, GOT = "waiting for one of 1 devices", "computing on cuda:0"
# Relative distance of the weights from those of an uninterrupted training, as some sums on a GPU are in any order.
RESUMED = 1e-3


def killed_rows(checked: Checked, jobs: dict[str, Job]) -> Iterator[Found]:
    """Kill a training by each signal after its first checkpoint, and give the same command again."""
    job, way = jobs[TRAINING], Way(True, ("--epochs", EPOCHS[checked.device.type], *EVERY_STEP))
    with tempfile.TemporaryDirectory(dir=checked.demo) as scratch:
        whole, again = Path(scratch, "whole"), Path(scratch, "again")
        run(job, checked, way, whole)
        run(job, checked, way, again)
        yield within("killed", "the same training twice: model", _apart(job, whole, again), RESUMED)
        for number in (signal.SIGKILL, signal.SIGTERM):
            folder = Path(scratch, number.name)
            first = start(job, checked, way, folder)
            _wait_for_checkpoint(first)
            first.process.send_signal(number)
            code = first.ended()
            yield held("killed", f"{number.name}: the training has not ended", code != 0, first.said()[-500:])
            said = run(job, checked, way, folder).said()
            yield held("killed", f"{number.name}: it goes on where it was", "resumed after" in said, said[-500:])
            yield within("killed", f"{number.name}: model", _apart(job, whole, folder), RESUMED)


def lease_rows(checked: Checked, jobs: dict[str, Job]) -> Iterator[Found]:
    """Start two trainings at once: one waits until the other gives the device back."""
    job, way = jobs[TRAINING], Way(True, ("--epochs", EPOCHS[checked.device.type]))
    with tempfile.TemporaryDirectory(dir=checked.demo) as scratch:
        both = [start(job, checked, way, Path(scratch, name)) for name in ("one", "other")]
        codes = [started.ended() for started in both]
        yield held("lease", "two jobs at once: both end well", codes == [0, 0], both[codes[0] == 0].said()[-500:])
        waited = [WAITS in started.said() for started in both]
        yield held("lease", "one of them waits for the other", sum(waited) == 1, f"waited: {waited}")
        at_work = [GOT in started.said() for started in both]
        yield held("lease", "both have had the device", all(at_work), f"at work: {at_work}")


def memory_rows(checked: Checked, jobs: dict[str, Job]) -> Iterator[Found]:
    """Leave a training too little memory for its batch, and too little for anything."""
    job = jobs[TRAINING]
    with tempfile.TemporaryDirectory(dir=checked.demo) as scratch:
        way = Way(True, ("--epochs", "1", "--batch-size", "200", "--image-size", "96"))
        whole = run(job, checked, way, Path(scratch, "whole"))
        taken = int(whole.said().splitlines()[-1].split()[1])
        enough = way._replace(memory_mb=round(ENOUGH[checked.device.type] * taken))
        parts = start(job, checked, enough, Path(scratch, "parts"))
        well = parts.ended() == 0 and "out of memory: batches of 200 are computed in" in parts.said()
        yield held("memory", "a batch that is too large is computed in parts", well, parts.said()[-500:])
        none = start(job, checked, way._replace(memory_mb=TOO_LITTLE), Path(scratch, "none"))
        code, last = none.ended(), none.said().splitlines()[-1]
        well = code == 1 and last.startswith("error: out of memory")
        yield held("memory", "with too little for any part, one line says so", well, none.said()[-500:])


def _wait_for_checkpoint(started: Started) -> None:
    while not list(started.folder.rglob("checkpoint.pt")):
        if started.process.poll() is not None:
            raise RuntimeError(f"it ended before its first checkpoint: {started.said()[-500:]}")
        time.sleep(0.02)


def _apart(job: Job, first: Path, second: Path) -> float:
    (model,) = (path for path in job.outputs if path.endswith("model.h5"))
    return apart(first / model, second / model)
