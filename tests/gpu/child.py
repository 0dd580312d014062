"""A program of the study in a process of its own: python -m gpu.child [--stand-in] [--memory-mb N] PROGRAM ...

--stand-in: the CPU is taken for a CUDA device, whose lease the program gets. --memory-mb: what the process may still
take of the device's memory when the program begins. The last line that it says is how much it has taken.
"""

import argparse
import importlib
import resource
from pathlib import Path
from types import ModuleType, SimpleNamespace

import torch

from semisup import device, network_run
from semisup.cli import run_program

NAME = "stand-in"


class Changed:
    """A module, but for some of its names."""

    def __init__(self, module: ModuleType, **changes: object) -> None:
        self.module = module
        vars(self).update(changes)

    def __getattr__(self, name: str) -> object:
        """Return what the module has."""
        return getattr(self.module, name)


def stand_in() -> Changed:
    """Return what `semisup.device` sees of torch where the CPU stands in for a GPU."""
    cuda = Changed(
        torch.cuda,
        is_available=lambda: True,
        device_count=lambda: 1,
        get_device_properties=lambda index: SimpleNamespace(uuid=NAME),
        get_device_name=lambda index: NAME,
    )
    return Changed(torch, cuda=cuda, device=lambda *_: torch.device("cpu"))


def held_data() -> int:
    """Return how many bytes of data this process has asked for."""
    return int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()


def most_memory(stand_in: bool) -> int:
    """Return the most memory that this process has taken so far, in bytes: of the CUDA device, or of the CPU."""
    if stand_in:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return torch.cuda.max_memory_reserved(0) if torch.cuda.is_initialized() else 0


def limit_memory(megabytes: int, stand_in: bool) -> None:
    """Let this process take so much more memory: of the first CUDA device, or of the CPU's in its stead."""
    size = megabytes * 2**20
    if stand_in:
        # What is given back is free for all, as it is on a GPU: else the heap would keep it from oneDNN's own.
        network_run.keep_freed_memory = lambda: None
        limit = held_data() + size
        resource.setrlimit(resource.RLIMIT_DATA, (limit, resource.RLIM_INFINITY))
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
        device.torch = stand_in()
    if options.memory_mb:
        limit_memory(options.memory_mb, options.stand_in)
    before = most_memory(options.stand_in)
    run_program(lambda: program.main(options.arguments))
    print(f"memory {(most_memory(options.stand_in) - before) // 2**20} MB", flush=True)


if __name__ == "__main__":
    main()
