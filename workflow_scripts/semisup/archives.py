"""Archives in .tar.gz: read as a stream, never unpacked to disk, and hostile ones refused."""

import gzip
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from semisup.cli import UserError

LARGEST_HEADER = 100_000  # bytes; those of long names and of extended headers, which tarfile reads by itself


class _HostileHeaderError(Exception):
    """A header that would fill the memory."""


class _CheckedTarInfo(tarfile.TarInfo):
    """A header of an archive whose size is checked before tarfile reads, whole, what belongs to the header itself."""

    @classmethod
    def frombuf(cls, buf: bytes, encoding: str, errors: str) -> "_CheckedTarInfo":
        """Return the header of these 512 bytes. Raises _HostileHeaderError if more belongs to it than is sensible."""
        info = super().frombuf(buf, encoding, errors)
        if not (info.isreg() or info.isdir()) and info.size > LARGEST_HEADER:
            raise _HostileHeaderError(f"has a header of {info.size} bytes, more than {LARGEST_HEADER}")
        return info


@contextmanager
def archive_errors(archive: str | Path) -> Iterator[None]:
    """Turn what a truncated or damaged archive raises into a UserError."""
    try:
        yield
    except (EOFError, tarfile.TarError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(f"{archive} is damaged or cut short ({error}): delete it and download it again") from error
    except _HostileHeaderError as error:
        raise UserError(f"{archive} {error}: do not use this archive") from error


def archive_members(archive: str | Path, limits: Mapping[str, int]) -> Iterator[tuple[str, int, IO[bytes]]]:
    """Yield (name without folder, size, stream) of each needed member in the order of the archive.

    limits: the needed members, and the most bytes that each may have, so that a hostile archive cannot fill the memory.
    A stream must be read before the next member is asked for. Raises UserError for a member that has no place in an
    archive of images (path outside the folder, link, device), is too large or comes twice.
    """
    seen = set()
    # tarfile's own gzip stream skips the check of the CRC; its random-access mode may seek back, that is, start over.
    with (
        gzip.open(archive) as unpacked,
        tarfile.open(fileobj=unpacked, mode="r|", bufsize=2**20, tarinfo=_CheckedTarInfo) as tar,
    ):
        for member in tar:
            path = PurePosixPath(member.name)
            if path.is_absolute() or ".." in path.parts:
                raise UserError(f"{archive} has a member with the unsafe name {member.name}: do not use this archive")
            if member.isdir():
                continue
            if not member.isreg():
                raise UserError(f"{archive}: {member.name} is a link or a device: do not use this archive")
            limit = limits.get(path.name, max(limits.values()))
            if member.size > limit:
                raise UserError(
                    f"{archive}: {member.name} has {member.size} bytes, more than {limit}: do not use this archive"
                )
            if path.name in seen:
                raise UserError(f"{archive} has {path.name} twice: do not use this archive")
            if path.name in limits:
                seen.add(path.name)
                yield path.name, member.size, tar.extractfile(member)
    if missing := sorted(set(limits) - seen):
        raise UserError(f"{archive} lacks {', '.join(missing)}: download it again")
