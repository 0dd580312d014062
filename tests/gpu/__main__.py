"""Check every program of the study on a GPU, time its heavy steps there, and print one table: make gpu-check.

Without a CUDA device it prints one line and nothing is checked. With GPU_CHECK_DEVICE=cpu the CPU stands in for one:
the same commands run, compare, are killed, wait for each other's lease and run out of memory, with instructions that
round otherwise than the CPU's best; only what CUDA itself does is not seen.
"""

import argparse
import os
import sys
from pathlib import Path

from gpu.rows import checked_device
from semisup.cli import positive_number, run_program

NOTHING = "gpu-check: no CUDA device here, so nothing is checked (GPU_CHECK_DEVICE=cpu tries the check itself)"


def main() -> None:
    """Parse the command line and check."""
    parser = argparse.ArgumentParser(
        prog="gpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="where the tiny demonstration is, or will be made (with Snakemake)")
    parser.add_argument("--only", nargs="+", metavar="PART", help="some of programs, killed, lease, memory, times")
    parser.add_argument("--part", type=positive_number, default=1.0, help="part of each size that is timed, default 1")
    options = parser.parse_args()
    device = checked_device(os.environ.get("GPU_CHECK_DEVICE", "cuda"))
    if device is None:
        print(NOTHING)
        return
    from gpu.check import PARTS, check  # here, as it loads what is timed

    sys.exit(not check(options.folder.resolve(), device, options.only or PARTS, options.part))


if __name__ == "__main__":
    run_program(main)
