"""Make a folder of conda channels from the running Python and everything installed beside it.

Usage: python make_channel.py FOLDER

Each installed distribution becomes one conda package, with its version and its dependencies. The packages hold links
instead of files, so that a gigabyte of libraries takes no time and no space. An environment made from them sees only
what was linked into it, since Python looks for modules by the path of the link.
"""

import asyncio
import io
import json
import os
import re
import sys
import tarfile
from collections import Counter
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from rattler import Subdir
from rattler.index import index_fs

PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
SITE_PACKAGES = f"lib/{PYTHON}/site-packages"
# What a distribution is called as a conda package, where that is another name.
CONDA_NAMES = {"matplotlib": "matplotlib-base", "snakemake": "snakemake-minimal", "torch": "pytorch"}
# Packages without files that choose a build of another one.
VARIANTS = {"pytorch-cpu": "pytorch"}

Links = dict[str, Path]  # path inside the environment: what it links to


def conda_name(distribution: str) -> str:
    """Return the conda package of a distribution."""
    name = re.sub(r"[-_.]+", "-", distribution).lower()
    return CONDA_NAMES.get(name, name)


def channel_of(package: str) -> str:
    """Return the channel that holds the package in the real world."""
    return "bioconda" if package.startswith("snake") else "conda-forge"


def write_package(
    folder: Path, name: str, version: str, depends: list[str], links: Links, files: dict[str, str]
) -> None:
    """Write a conda package of links and of small text files to the subfolder of this machine's platform."""
    subdir = str(Subdir.current())
    index = {"name": name, "version": version, "build": "0", "build_number": 0, "depends": depends, "subdir": subdir}
    paths = [{"_path": path, "path_type": "softlink"} for path in links]
    paths += [
        {"_path": path, "path_type": "hardlink", "size_in_bytes": len(text.encode())} for path, text in files.items()
    ]
    described = {
        "info/index.json": json.dumps(index),
        "info/paths.json": json.dumps({"paths": paths, "paths_version": 1}),
    }
    target = folder / channel_of(name) / subdir / f"{name}-{version}-0.tar.bz2"
    target.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(target, "w:bz2", compresslevel=1) as archive:
        for path, text in (described | files).items():
            member = tarfile.TarInfo(path)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
        for path, linked in links.items():
            member = tarfile.TarInfo(path)
            member.type, member.linkname = tarfile.SYMTYPE, str(linked)
            archive.addfile(member)


def write_python(folder: Path) -> None:
    """Write the package of Python: what a virtual environment without packages holds."""
    home = Path(sys.base_prefix) / "bin"
    links = {f"bin/{name}": home / PYTHON for name in ("python", "python3", PYTHON)}
    settings = f"home = {home}\ninclude-system-site-packages = false\n"
    version = ".".join(map(str, sys.version_info[:3]))
    write_package(folder, "python", version, [], links, {"pyvenv.cfg": settings})


def installed_paths(distribution: metadata.Distribution) -> Iterator[tuple[str, ...]]:
    """Yield the files of a distribution inside site-packages, as parts of paths."""
    for file in distribution.files or []:
        if file.parts[0] not in ("..", "__pycache__"):
            yield file.parts


def links_of(distribution: metadata.Distribution, shared: set[str]) -> Links:
    """Return the links of a distribution: to whole folders, but to each file of a folder shared with another one."""
    found = {parts if parts[0] in shared else parts[:1] for parts in installed_paths(distribution)}
    return {"/".join([SITE_PACKAGES, *parts]): Path(distribution.locate_file("/".join(parts))) for parts in found}


def dependencies(distribution: metadata.Distribution) -> list[str]:
    """Return the conda packages that a distribution needs here. Each has one version, so names are enough."""
    needed = map(Requirement, distribution.requires or [])
    names = {item.name for item in needed if item.marker is None or item.marker.evaluate({"extra": ""})}
    return ["python", *sorted(map(conda_name, names))]


def make_channels(folder: Path) -> None:
    """Write all packages and the index of each channel."""
    installed = {conda_name(item.name): item for item in metadata.distributions()}
    tops = Counter(top for item in installed.values() for top in {parts[0] for parts in installed_paths(item)})
    shared = {top for top, owners in tops.items() if owners > 1}
    write_python(folder)
    for name, item in installed.items():
        version = item.version.split("+")[0]  # without the build, as in 2.13.0+cpu
        write_package(folder, name, version, dependencies(item), links_of(item, shared), {})
    for name, chosen in VARIANTS.items():
        write_package(folder, name, installed[chosen].version.split("+")[0], [chosen], {}, {})
    for channel in folder.iterdir():
        asyncio.run(index_fs(channel))


if __name__ == "__main__":
    make_channels(Path(sys.argv[1]))
    sys.stdout.flush()
    os._exit(0)  # py-rattler 0.28 can crash while the interpreter shuts down
