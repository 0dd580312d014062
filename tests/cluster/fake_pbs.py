"""A scheduler that looks like PBS and runs jobs on this machine: queues them, and kills or loses those it is told to.

A job runs in the user's home with the variables of a login, as in PBS.

Called as qsub, qstat or qdel, with its folder in FAKE_PBS. There faults.json says, by the name of a job, what happens
to each of its submissions: "kill" once a file is there that its pattern names, "lose" at once, or nothing. log.txt has
what happened, and NUMBER.json the state of a job.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(os.environ["FAKE_PBS"])
QUEUED_SECONDS = 0.3
KILLED, DELETED = 256 + signal.SIGKILL, 256 + signal.SIGTERM  # PBS's exit codes of jobs that a signal ended


def read(number):
    return json.loads((FOLDER / f"{number}.json").read_text())


def write(number, **changes):
    """Change what is known of a job; nobody sees half of it."""
    path = FOLDER / f"{number}.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    scratch = path.with_suffix(f".{os.getpid()}")
    scratch.write_text(json.dumps(known | changes))
    scratch.replace(path)


def note(number, what):
    with (FOLDER / "log.txt").open("a") as file:
        file.write(f"{number} {read(number)['name']} {what}\n")


def qsub(words):
    """Queue a job and print its number."""
    *options, script = words
    name = options[options.index("-N") + 1]
    number = len(list(FOLDER.glob("*.json"))) + 1
    while True:
        try:
            (FOLDER / f"{number}.taken").touch(exist_ok=False)
            break
        except FileExistsError:
            number += 1
    earlier = sum(line.split()[1:] == [name, "queued"] for line in log_lines())
    known = {"asked": options, "script": Path(script).read_text()}
    known |= {"path": os.environ["PATH"], "folder": str(Path.cwd())}
    write(number, name=name, state="Q", submission=earlier, **known)
    note(number, "queued")
    runner = [sys.executable, __file__, "run", str(number)]
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
    subprocess.Popen(runner, start_new_session=True, **streams)
    print(f"{number}.fake")


def log_lines():
    path = FOLDER / "log.txt"
    return path.read_text().splitlines() if path.exists() else []


def run(number):
    """Run a job to its end, or to that of its fault."""
    time.sleep(QUEUED_SECONDS)
    job = read(number)
    if job["state"] == "F":
        return
    faults = json.loads((FOLDER / "faults.json").read_text()).get(job["name"], [])
    fault, *pattern = (faults[job["submission"]] if job["submission"] < len(faults) else "none").split()
    log = (FOLDER / f"{number}.out").open("w")
    script = FOLDER / f"{number}.sh"
    script.write_text(job["script"])
    # As PBS does: what the user has set where qsub was called is not there, but for copies under other names.
    login = {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ} | {"PATH": os.defpath}
    variables = login | {"PBS_O_PATH": job["path"], "PBS_O_WORKDIR": job["folder"], "PBS_JOBID": f"{number}.fake"}
    streams = {"stdout": log, "stderr": log, "start_new_session": True}
    process = subprocess.Popen(["sh", script], env=variables, cwd=Path.home(), **streams)
    write(number, state="R", process=process.pid)
    note(number, "running")
    if fault == "lose" or (fault == "kill" and appears(pattern[0], Path(job["folder"]), process)):
        os.killpg(process.pid, signal.SIGKILL)
    code = process.wait()
    if fault == "lose":
        note(number, "lost")
        (FOLDER / f"{number}.json").unlink()
    elif read(number)["state"] != "F":
        write(number, state="F", code=KILLED if code < 0 else code)
        note(number, "killed" if code < 0 else f"ended with {code}")


def appears(pattern, folder, process):
    """Wait until a file is there; tell whether the job still runs then."""
    while not list(folder.glob(pattern)) and process.poll() is None:
        time.sleep(0.02)
    return process.poll() is None


def qstat(words):
    """Print what `qstat -x -f NUMBER` prints of it; one that is unknown is an error."""
    number = words[-1].removesuffix(".fake")
    if not (FOLDER / f"{number}.json").exists():
        sys.exit(f"qstat: Unknown Job Id {words[-1]}")
    job = read(number)
    print(f"Job Id: {words[-1]}\n    Job_Name = {job['name']}\n    job_state = {job['state']}")
    if job["state"] == "F":
        print(f"    Exit_status = {job['code']}")


def qdel(words):
    """End jobs."""
    for word in words:
        number = word.removesuffix(".fake")
        if (FOLDER / f"{number}.json").exists() and read(number)["state"] != "F":
            job = read(number)
            write(number, state="F", code=DELETED)
            note(number, "deleted")
            if "process" in job:
                os.killpg(job["process"], signal.SIGTERM)


if __name__ == "__main__":
    if sys.argv[1:2] == ["run"]:
        run(sys.argv[2])
    else:
        {"qsub": qsub, "qstat": qstat, "qdel": qdel}[Path(sys.argv[0]).name](sys.argv[1:])
