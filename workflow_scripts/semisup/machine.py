"""What the machine is that a program runs on. Knows nothing of PyTorch, so that it starts at once."""

import platform
from pathlib import Path


def processor_name() -> str:
    """Return the processor's name as Linux gives it, else what Python knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
