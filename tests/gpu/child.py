"""A program of the study in a process of its own: python -m gpu.child [--stand-in] [--memory-mb N] PROGRAM ...

--stand-in: the CPU is taken for a CUDA device, whose lease the program gets. --memory-mb: what the process may still
take of the device's memory when the program begins.
"""

import argparse
import importlib
import resource
from pathlib import Path
from types import SimpleNamespace

import torch

from semisup import device
from semisup.cli import run_program

NAME = "stand-in"


class StandIn:
    """What `semisup.device` sees of torch where the CPU stands in for a GPU."""

    cuda = SimpleNamespace(
        is_available=lambda: True,
        device_count=lambda: 1,
        get_device_properties=lambda index: SimpleNamespace(uuid=NAME),
        get_device_name=lambda index: NAME,
    )

    def __getattr__(self, name: str) -> object:
        """Return what torch has."""
        return getattr(torch, name)

    def device(self, *_: object) -> torch.device:
        """Return the CPU, whatever is asked for."""
        return torch.device("cpu")


def limit_memory(megabytes: int, stand_in: bool) -> None:
    """Let this process take so much more memory: of the first CUDA device, or of the CPU's in its stead."""
    size = megabytes * 2**20
    if stand_in:
        pages = int(Path("/proc/self/statm").read_text().split()[5])  # of data and stack
        resource.setrlimit(resource.RLIMIT_DATA, (pages * resource.getpagesize() + size, resource.RLIM_INFINITY))
    else:
        torch.cuda.set_per_process_memory_fraction(size / torch.cuda.get_device_properties(0).total_memory, 0)


def main() -> None:
    """Parse the command line and run the program."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--stand-in", action="store_true")
    parser.add_argument("--memory-mb", type=int)
    parser.add_argument("program")
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    program = importlib.import_module(options.program)
    if options.stand_in:
        device.torch = StandIn()
    if options.memory_mb:
        limit_memory(options.memory_mb, options.stand_in)
    run_program(lambda: program.main(options.arguments))


if __name__ == "__main__":
    main()
