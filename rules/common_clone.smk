# Where the workflow is on this machine. No rules.
import subprocess
import sys
import tempfile
from pathlib import Path


def clone_of(folder):
    """The folder of the workflow, given that of its rules: programs need all files, and Snakemake fetches them singly.

    Where the workflow comes from `github(...)` or `gitlab(...)`, a clone of that commit among Snakemake's own files.
    """
    if not hasattr(folder, "hosted_repo"):
        return Path(folder.get_path_or_uri(secret_free=True)).parent
    repository = folder.hosted_repo.repo.git_dir
    commit = git("-C", repository, "rev-parse", "--verify", f"{folder.ref}^{{commit}}")
    clone = Path(".snakemake", "clones", commit).resolve()
    if not clone.is_dir():
        clone.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=clone.parent) as scratch:
            git("clone", "--quiet", "--no-checkout", repository, f"{scratch}/clone")
            git("-C", f"{scratch}/clone", "checkout", "--quiet", "--detach", commit)
            if not clone.is_dir():  # else another process was first
                Path(scratch, "clone").rename(clone)
    return clone


def git(*words):
    """What a git command prints."""
    done = subprocess.run(["git", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"error: git {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout.strip()


# Of this file: workflow.basedir is another folder where another workflow uses this one as a module.
CLONE = clone_of(workflow.current_basedir)
