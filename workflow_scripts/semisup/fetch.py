"""Download one file from the first of several addresses that gives it whole; an interrupted download resumes."""

import fcntl
import http.client
import io
import logging
import os
import re
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from tqdm import tqdm

from semisup.cli import UserError, progress_settings
from semisup.files import file_checksum

BLOCK_BYTES = 1 << 18
LONGEST_PAUSE = 30.0


class _PassingError(Exception):
    """A failure that a later try may not meet: a cut connection, a time-out, a busy server."""


class _LastingError(Exception):
    """A failure that every further try at the same address would meet too."""


def fetch(
    urls: Sequence[str],
    md5: str,
    partial: Path,
    output: Path,
    *,
    attempts: int = 5,
    backoff: float = 1.0,
    timeout: float = 30.0,
) -> None:
    """Download the file whose MD5 sum is `md5` into `partial`, then rename it to `output`.

    The `urls` (http, https or file) are tried in order, each until `attempts` tries in a row made no progress, with
    pauses of `backoff` seconds that double up to 30. A `partial` left by an earlier call is resumed; a whole one is
    used without any network access. Both paths must be on one file system.

    Raises `UserError` for an unusable URL or sum, when another process downloads into `partial`, and when no URL
    gives the file; raises `OSError` when the disk refuses a write (what is in `partial` is kept).
    """
    md5 = md5.lower()
    if not re.fullmatch("[0-9a-f]{32}", md5):
        raise UserError(f"md5 {md5!r}: an MD5 sum has 32 hexadecimal digits")
    for url in urls:
        _check_url(url)
    # Made first: better to fail here than after an hour of downloading.
    output.parent.mkdir(parents=True, exist_ok=True)
    partial.parent.mkdir(parents=True, exist_ok=True)
    with _open_locked(partial) as file:
        try:
            if not _is_whole(partial, md5):
                _download_from_any(urls, md5, file, output, attempts, backoff, timeout)
            partial.replace(output)
        except OSError as error:
            # A failed write does not know the name of its file, and the user must be told which disk is full.
            error.filename = error.filename or str(partial)
            raise
        finally:
            if _size(file) == 0:
                partial.unlink(missing_ok=True)


def _check_url(url: str) -> None:
    """Raise `UserError` unless `url` is one that this module can read."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise UserError(f"url {url!r}: {error}") from error
    if parts.scheme not in ("http", "https", "file"):
        raise UserError(f"url {url!r}: only http://, https:// and file:// addresses can be downloaded")
    if parts.scheme == "file" and parts.netloc not in ("", "localhost"):
        raise UserError(f"url {url!r}: write a local file as file:///absolute/path, with three slashes")
    if parts.scheme != "file" and not parts.hostname:
        raise UserError(f"url {url!r}: the host name is missing")


@contextmanager
def _open_locked(partial: Path) -> Iterator[IO[bytes]]:
    """Open `partial` for appending, locked against other downloads; raise `UserError` if another one holds it."""
    # Unbuffered, so that all that was received is in the file whatever ends the program.
    with partial.open("ab", buffering=0) as file:
        busy = f"{partial}: another download of this file is running; wait until it ends, or stop it"
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(busy) from error
        except OSError as error:
            # Some cluster file systems have no locks; that is no reason to refuse the download.
            logging.warning("%s: cannot be locked (%s); do not start a second download of it", partial, error.strerror)
        # The other download may have renamed or deleted the file between our open and our lock.
        if not partial.exists() or not os.path.samestat(partial.stat(), os.fstat(file.fileno())):
            raise UserError(busy)
        yield file


def _size(file: IO[bytes]) -> int:
    """Return the size of the open `file` in bytes."""
    return os.fstat(file.fileno()).st_size


def _is_whole(partial: Path, md5: str) -> bool:
    """Tell whether `partial`, perhaps left by an earlier run, is already the whole file."""
    if file_checksum(partial, "md5") != md5:
        return False
    logging.info("%s is already whole: md5 expected %s, found the same", partial, md5)
    return True


def _download_from_any(
    urls: Sequence[str], md5: str, file: IO[bytes], output: Path, attempts: int, backoff: float, timeout: float
) -> None:
    """Fill `file` from the first of `urls` that works; raise `UserError` if none does."""
    failures = []
    for url in urls:
        try:
            _download(url, md5, file, attempts, backoff, timeout)
            return
        except _LastingError as error:
            logging.warning("%s: %s", url, error)
            failures.append(f"{url}: {error}")
    raise UserError(
        f"{output.name}: could not be downloaded ({'; '.join(failures)}); place the file yourself at {output}, "
        "or set url or mirrors in config.yaml under data.<dataset>"
    )


def _download(url: str, md5: str, file: IO[bytes], attempts: int, backoff: float, timeout: float) -> None:
    """Fill `file` from `url` and verify its sum; raise `_LastingError` when this address cannot give the file."""
    failed_tries = 0
    pause = backoff
    furthest = _size(file)
    may_start_afresh = True
    while True:
        try:
            start = _transfer(url, file, timeout)
        except _PassingError as error:
            # Compared with the furthest point ever reached: a server that always starts again from zero and always
            # cuts at the same place makes no progress.
            if _size(file) > furthest:
                furthest, failed_tries, pause = _size(file), 0, backoff
            else:
                failed_tries += 1
            if failed_tries >= attempts:
                raise _LastingError(f"{error} (tries without progress: {failed_tries})") from error
            logging.warning("%s: %s; next try in %g s", url, error, pause)
            time.sleep(pause)
            pause = min(LONGEST_PAUSE, 2 * pause)
            continue
        found = file_checksum(file.name, "md5")
        logging.info("%s: md5 expected %s, found %s", url, md5, found)
        if found == md5:
            return
        file.truncate(0)
        if start == 0 or not may_start_afresh:
            raise _LastingError(f"wrong md5 sum, expected {md5}, found {found}")
        logging.warning("%s: the resumed part may be out of date; downloading the whole file again", url)
        may_start_afresh = False
        furthest = 0


def _transfer(url: str, file: IO[bytes], timeout: float) -> int:
    """Append to `file` what `url` has beyond it, and return the byte at which the server started.

    Raises `_PassingError` or `_LastingError` for a failure on the other side, `OSError` for one of our disk.
    """
    have = _size(file)
    source, start, total = _open_local(url) if urlsplit(url).scheme == "file" else _open_http(url, have, timeout)
    with source:
        if start < have:
            logging.info("%s: cannot be resumed; starting again", url)
            file.truncate(0)
        elif have:
            logging.info("%s: resuming after %d bytes", url, have)
        with _progress_bar(file.name, start, total) as bar:
            while block := _read_block(source):
                _write_all(file, block)
                bar.update(len(block))
    if total is not None and _size(file) < total:
        raise _PassingError(f"connection cut after {_size(file)} of {total} bytes")
    return start


def _open_local(url: str) -> tuple[io.BufferedIOBase, int, int]:
    """Open the file of a file:// address; return it, the byte where it starts (always 0) and its size.

    Raises `_LastingError` when it cannot be opened.
    """
    try:
        source = Path(urllib.request.url2pathname(urlsplit(url).path)).open("rb")  # noqa: SIM115 - the caller closes it
    except OSError as error:
        raise _LastingError(_describe(error)) from error
    return source, 0, os.fstat(source.fileno()).st_size


def _open_http(url: str, have: int, timeout: float) -> tuple[io.BufferedIOBase, int, int | None]:
    """Ask for what follows the first `have` bytes; return the answer, the byte where it starts and the file's size.

    The size is None where the server does not tell it. Raises `_PassingError` or `_LastingError`.
    """
    # Some servers refuse the default name of Python's client.
    headers = {"User-Agent": "semisup-download"}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        request = urllib.request.Request(url, headers=headers)  # noqa: S310 - _check_url admits known schemes only
        response = _web_client().open(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            # The server has nothing beyond our part, which is therefore whole or wrong: its sum will tell.
            return io.BytesIO(), have, None
        raise _http_failure(error) from error
    except (http.client.InvalidURL, ValueError) as error:
        raise _LastingError(_describe(error)) from error
    except (OSError, http.client.HTTPException) as error:
        lasting = isinstance(getattr(error, "reason", None), ssl.SSLCertVerificationError)
        raise (_LastingError if lasting else _PassingError)(_describe(error)) from error

    length = response.headers.get("Content-Length", "")
    if response.status == HTTPStatus.OK:
        return response, 0, int(length) if length.isdecimal() else None
    content_range = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    if response.status == HTTPStatus.PARTIAL_CONTENT and content_range and int(content_range[1]) == have:
        return response, have, int(content_range[2]) if content_range[2] != "*" else None
    response.close()
    if have:
        # A part that does not begin where ours ends is of no use.
        return _open_http(url, 0, timeout)
    raise _LastingError(f"unexpected answer, HTTP {response.status} {response.reason}")


def _web_client() -> urllib.request.OpenerDirector:
    """Return a client for http and https alone: a redirect must not lead to FTP or to a local file."""
    client = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.UnknownHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPErrorProcessor,
    ):
        client.add_handler(handler())
    return client


def _http_failure(error: urllib.error.HTTPError) -> _PassingError | _LastingError:
    """Return the exception for an HTTP error status: is it worth another try, and what is it in words."""
    if urllib.request.HTTPRedirectHandler.inf_msg in str(error.msg):
        return _LastingError(f"redirect loop (HTTP {error.code}); the address is out of date or misconfigured")
    passing = error.code >= HTTPStatus.INTERNAL_SERVER_ERROR or error.code in (
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS,
    )
    return (_PassingError if passing else _LastingError)(f"HTTP {error.code} {' '.join(str(error.msg).split())}")


def _describe(error: Exception) -> str:
    """Return the cause of a failed connection or file operation in one line."""
    cause = getattr(error, "reason", None) or error
    text = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    return " ".join(text.split())


def _read_block(source: io.BufferedIOBase) -> bytes:
    """Return the bytes that have arrived, empty at the end; raise `_PassingError` if the connection fails."""
    try:
        # read1 and not read: when the connection fails, read would throw away what had arrived before.
        return source.read1(BLOCK_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise _PassingError(_describe(error)) from error


def _write_all(file: IO[bytes], block: bytes) -> None:
    """Write the whole of `block` to the unbuffered `file`; a single write may take only a part of it."""
    rest = memoryview(block)
    while rest:
        rest = rest[file.write(rest) :]


def _progress_bar(partial: str | Path, start: int, total: int | None) -> tqdm:
    """Return a bar that counts bytes."""
    return tqdm(initial=start, total=total, unit="B", unit_scale=True, desc=Path(partial).name, **progress_settings())
