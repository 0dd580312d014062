"""Run a command and write what it took: apart.py FILE COMMAND...

Linux counts the memory of the process that starts a command as the command's own, so a small one starts it.
"""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    path, *command = sys.argv[1:]
    start = time.perf_counter()
    status = subprocess.run(command, check=False).returncode
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    unit = 1 if sys.platform == "darwin" else 2**10
    took = {
        "seconds": time.perf_counter() - start,
        "processor": used.ru_utime + used.ru_stime,
        "gib": used.ru_maxrss * unit / 2**30,
    }
    Path(path).write_text(json.dumps(took))
    sys.exit(status)
