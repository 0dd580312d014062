"""The part of `conda` that Snakemake calls, over py-rattler: it solves, links and records real conda packages.

Two of conda's own variables must be set: CONDA_CHANNEL_ALIAS, the address under which the channels lie, and
CONDA_PKGS_DIRS, the folder for unpacked packages. There are no post-link scripts and no `pip:` sections.
"""

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import rattler
import yaml

VERSION = "24.7.1"  # the oldest that Snakemake takes
BASE = Path(__file__).resolve().parent  # bin/activate lies in it, as in an installation of conda


async def create(file: Path, prefix: Path) -> list[str]:
    """Create the environment that a YAML file asks for; return the packages' file names.

    Raises ValueError for a dependency that is no conda package, rattler's SolverError where the pins cannot be met.
    """
    environment = yaml.safe_load(file.read_text())
    packages = environment["dependencies"]
    others = [package for package in packages if not isinstance(package, str)]
    if others:
        raise ValueError(f"{file}: only conda packages are supported here, not {others}")
    channels = [f"{os.environ['CONDA_CHANNEL_ALIAS']}/{name}" for name in environment["channels"]]
    records = await rattler.solve(
        [channel for channel in channels if not channel.endswith("/nodefaults")],
        packages,
        platforms=[rattler.Subdir.current(), rattler.Subdir("noarch")],
        virtual_packages=[package.into_generic() for package in rattler.VirtualPackage.detect()],
        channel_priority=rattler.ChannelPriority.Strict,
    )
    await rattler.install(
        records,
        target_prefix=prefix,
        cache_dir=Path(os.environ["CONDA_PKGS_DIRS"]),
        show_progress=False,
    )
    return sorted(record.file_name for record in records)


def answer(arguments: Sequence[str]) -> str:
    """Carry out one command line of conda and return what it prints. Raises ValueError for any other command."""
    match list(arguments):
        case ["--version"]:
            return f"conda {VERSION}"
        case ["info", "--json"]:
            return json.dumps({"conda_prefix": str(BASE), "platform": str(rattler.Subdir.current())})
        case ["config", "--get", "channel_priority", "--json"]:
            return json.dumps({"get": {"channel_priority": "strict"}})
        case ["clean", "-y", "--tarballs"]:
            return ""  # packages are unpacked while they are read: there are none
        case ["env", "create", "--quiet", "--no-default-packages", "--file", file, "--prefix", prefix]:
            return "\n".join(asyncio.run(create(Path(file), Path(prefix))))
    raise ValueError(f"this stand-in for conda knows no command {' '.join(arguments)!r}")


def main() -> int:
    """Answer the command line; return the exit code."""
    try:
        print(answer(sys.argv[1:]))
    except Exception as error:  # one line for whatever the solver may say
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # py-rattler 0.28 can crash while the interpreter shuts down
