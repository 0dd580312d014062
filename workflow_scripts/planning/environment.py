"""Whether the `python` that the rules will start can run the programs."""

import shutil
import subprocess
import sys
from pathlib import Path


def python_mistake(path: str | None = None) -> str | None:
    """Say what is wrong with the `python` on `path` (by default PATH); None if it has what the programs import."""
    ours = Path(sys.executable).parent
    remedy = f'export PATH="{ours}:$PATH"'
    python = shutil.which("python", path=path)
    if python is None:
        return f"there is no python on PATH: {remedy}"
    if Path(python).parent == ours:
        return None
    command = [python, "-c", "import h5py, numpy"]
    if subprocess.run(command, capture_output=True, check=False).returncode:  # noqa: S603
        return f"{python}, the first python on PATH, lacks the packages of this workflow: {remedy}"
    return None
