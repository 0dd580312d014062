"""Whether what the rules will start is there: a `python` that can run the programs, and the commands of the system."""

import shutil
import subprocess
import sys
from pathlib import Path

COMMANDS = ("sha256sum", "sort", "cp")  # of the rules, beside Python


def command_mistake(path: str | None = None) -> str | None:
    """Say which command of the rules is not on `path` (by default PATH); None if all are."""
    missing = [name for name in COMMANDS if not shutil.which(name, path=path)]
    return f"{', '.join(missing)} not found: on macOS brew install coreutils" if missing else None


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
