"""On PYTHONPATH it makes every Python leave a note at its end: the program, and which large libraries it has loaded."""

import atexit
import os
import sys
from pathlib import Path

LARGE = ("torch", "sklearn", "scipy", "kornia", "pandas", "matplotlib")


def note():
    program = Path(sys.argv[0]).stem if sys.argv else ""
    loaded = " ".join(name for name in LARGE if name in sys.modules)
    (Path(os.environ["LOADED"]) / f"{program}.{os.getpid()}").write_text(loaded)


atexit.register(note)
