"""The download program against a real local server that injects faults."""

import errno
import fcntl
import hashlib
import os
import random
import re
import resource
import socket
import struct
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from semisup import fetch as fetch_module
from semisup.cli import UserError
from semisup.fetch import fetch

PROGRAM = Path(__file__).parents[2] / "workflow_scripts" / "download.py"
CONTENT = random.Random(0).randbytes(300_000)
MD5 = hashlib.md5(CONTENT).hexdigest()
FLIPPED = CONTENT[:1000] + bytes([CONTENT[1000] ^ 1]) + CONTENT[1001:]


@dataclass
class Site:
    """What the server does wrong, and what it saw."""

    address: str = ""
    content: bytes = CONTENT
    ranges: bool = True
    cuts: list[int] = field(default_factory=list)  # how many bytes each of the next answers sends before it is cut
    always_cut: int | None = None
    reset: bool = False  # cut by a reset of the connection instead of an orderly end
    chunked: bool = False
    statuses: list[int] = field(default_factory=list)  # answers to the next requests
    content_range: str | None = None
    sent: int = 0
    asked: list[str | None] = field(default_factory=list)  # the Range header of each request

    @property
    def url(self):
        return f"{self.address}/file.bin"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        site = self.server.site
        self.close_connection = True
        site.asked.append(self.headers["Range"])
        if self.path == "/loop":
            return self.answer(302, {"Location": "/loop"})
        if self.path == "/moved":
            return self.answer(301, {"Location": "/file.bin"})
        if self.path == "/to_disk":
            return self.answer(302, {"Location": "file:///etc/hostname"})
        if self.path != "/file.bin":
            return self.answer(404)
        if site.statuses:
            return self.answer(site.statuses.pop(0))
        start = 0
        if site.ranges and self.headers["Range"]:
            start = int(re.fullmatch(r"bytes=(\d+)-", self.headers["Range"])[1])
            if start >= len(site.content):
                return self.answer(416)
        self.send_content(site, start)
        return None

    def answer(self, status, headers=()):
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def send_content(self, site, start):
        body = site.content[start:]
        ranged = site.ranges and self.headers["Range"]
        self.send_response(206 if ranged else 200)
        if ranged:
            true_range = f"bytes {start}-{len(site.content) - 1}/{len(site.content)}"
            self.send_header("Content-Range", site.content_range or true_range)
        if site.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        limit = site.cuts.pop(0) if site.cuts else site.always_cut
        is_cut = limit is not None and limit < len(body)
        body = body[:limit] if is_cut else body
        site.sent += len(body)
        if site.chunked:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(body), body) + (b"" if is_cut else b"0\r\n\r\n"))
        else:
            self.wfile.write(body)
        if is_cut and site.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def start_site():
    servers = []

    def start(**faults):
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.handle_error = lambda *_: None  # the broken connections are the point of these tests
        server.site = Site(address=f"http://127.0.0.1:{server.server_port}", **faults)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return server.site

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def partial(tmp_path):
    return tmp_path / "parts" / "file.bin.part"


@pytest.fixture
def output(tmp_path):
    return tmp_path / "data" / "file.bin"


@pytest.fixture
def get(partial, output):
    """Fetch the given addresses, with short pauses."""

    def call(*urls, md5=MD5, **settings):
        fetch(urls, md5, partial, output, **{"backoff": 0.001, "timeout": 5.0, **settings})

    return call


@pytest.fixture
def dead_url():
    """An address where nobody listens: the port is taken, so that no one else can listen there meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/file.bin"


@pytest.fixture
def hanging_url():
    """An address that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/file.bin"


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def run_program(*arguments, **settings):
    command = [sys.executable, PROGRAM, *arguments, "--backoff", "0.001"]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, **settings)


def assert_one_error_line(done):
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert done.stderr.count("error:") == 1
    last = done.stderr.removesuffix("\n").split("\n")[-1]
    assert last.startswith("error: ")
    return last


def test_whole_download(start_site, get, partial, output):
    site = start_site()
    get(site.url)
    assert output.read_bytes() == CONTENT
    assert not partial.exists()
    assert site.asked == [None]


def test_sum_in_capitals(start_site, get, output):
    get(start_site().url, md5=MD5.upper())
    assert output.read_bytes() == CONTENT


def test_chunked_answer_without_a_length(start_site, get, output):
    get(start_site(chunked=True).url)
    assert output.read_bytes() == CONTENT


def test_redirect(start_site, get, output):
    get(f"{start_site().address}/moved")
    assert output.read_bytes() == CONTENT


def test_file_url(tmp_path, get, partial, output):
    source = tmp_path / "a name with spaces"
    source.write_bytes(CONTENT)
    get(source.as_uri())
    assert output.read_bytes() == source.read_bytes() == CONTENT
    assert not partial.exists()


@pytest.mark.parametrize("seed", range(4))
def test_cuts_are_resumed_without_doubled_traffic(start_site, get, output, seed):
    # Each try made progress, so none counts.
    generator = random.Random(seed)
    cuts = [generator.randrange(1, 30_000) for _ in range(8)]
    site = start_site(cuts=list(cuts))
    get(site.url, attempts=1)
    assert output.read_bytes() == CONTENT
    assert site.sent == len(CONTENT)
    assert site.asked == [None, *(f"bytes={sum(cuts[: i + 1])}-" for i in range(len(cuts)))]


@pytest.mark.parametrize("faults", [{"reset": True}, {"chunked": True}])
def test_rough_cuts(start_site, get, output, faults):
    site = start_site(cuts=[100_000, 50_000], **faults)
    get(site.url)
    assert output.read_bytes() == CONTENT


def test_part_of_an_earlier_run_is_resumed(start_site, get, partial, output):
    put(partial, CONTENT[:123_456])
    site = start_site()
    get(site.url)
    assert output.read_bytes() == CONTENT
    assert site.asked == ["bytes=123456-"]
    assert site.sent == len(CONTENT) - 123_456


def test_mirror_goes_on_where_the_first_address_stopped(start_site, get, output):
    first = start_site(cuts=[70_000, 0, 0, 0])
    mirror = start_site()
    get(first.url, mirror.url, attempts=3)
    assert output.read_bytes() == CONTENT
    assert first.sent + mirror.sent == len(CONTENT)
    assert mirror.asked == ["bytes=70000-"]


def test_server_without_ranges_starts_again(start_site, get, output):
    site = start_site(ranges=False, cuts=[100_000, 50_000, 200_000])
    get(site.url)
    assert output.read_bytes() == CONTENT
    assert site.asked == [None, "bytes=100000-", "bytes=50000-", "bytes=200000-"]


def test_server_without_ranges_that_always_cuts_is_given_up(start_site, get):
    site = start_site(ranges=False, always_cut=100_000)
    with pytest.raises(UserError, match=r"connection cut after 100000 of 300000 bytes"):
        get(site.url, attempts=3)
    assert len(site.asked) == 1 + 3


@pytest.mark.parametrize("content_range", ["bytes 5-299999/300000", "nonsense"])
def test_wrong_content_range_starts_again(start_site, get, partial, output, content_range):
    put(partial, CONTENT[:1000])
    site = start_site(content_range=content_range)
    get(site.url)
    assert output.read_bytes() == CONTENT
    assert site.asked == ["bytes=1000-", None]


@pytest.mark.parametrize("stale", [b"x" * 1000, FLIPPED, FLIPPED + b"more"])
def test_stale_part_is_replaced(start_site, get, partial, output, stale):
    put(partial, stale)
    site = start_site()
    get(site.url)
    assert output.read_bytes() == CONTENT
    assert site.asked == [f"bytes={len(stale)}-", None]


def test_whole_part_needs_no_network(get, partial, output, dead_url):
    put(partial, CONTENT)
    get(dead_url, attempts=1)
    assert output.read_bytes() == CONTENT
    assert not partial.exists()


def test_wrong_sum_names_both_and_leaves_nothing(start_site, get, partial, output):
    site = start_site(content=FLIPPED)
    with pytest.raises(UserError) as caught:
        get(site.url)
    message = str(caught.value)
    assert MD5 in message
    assert hashlib.md5(FLIPPED).hexdigest() in message
    assert "\n" not in message
    assert site.asked == [None]
    assert not output.exists()
    assert not partial.exists()


def test_wrong_sum_after_a_resume_is_retried_only_once(start_site, get, partial):
    # The second try is cut and resumed as well, which must not earn it a third.
    put(partial, FLIPPED[:1000])
    site = start_site(content=FLIPPED, cuts=[10**9, 5000])
    with pytest.raises(UserError, match="wrong md5 sum"):
        get(site.url)
    assert site.asked == ["bytes=1000-", None, "bytes=5000-"]
    assert not partial.exists()


def test_wrong_file_at_the_first_address_good_mirror(start_site, get, output):
    get(start_site(content=FLIPPED).url, start_site().url)
    assert output.read_bytes() == CONTENT


def test_dead_host_then_mirror(start_site, get, output, dead_url):
    get(dead_url, start_site().url, attempts=2)
    assert output.read_bytes() == CONTENT


def test_hanging_host_then_mirror(start_site, get, output, hanging_url):
    get(hanging_url, start_site().url, attempts=2, timeout=0.1)
    assert output.read_bytes() == CONTENT


def test_hanging_host_alone(get, output, hanging_url):
    with pytest.raises(UserError, match=r"timed out \(tries without progress: 2\)"):
        get(hanging_url, attempts=2, timeout=0.1)
    assert not output.exists()


def test_redirect_loop(start_site, get):
    with pytest.raises(UserError, match="/loop: redirect loop") as caught:
        get(f"{start_site().address}/loop")
    assert "\n" not in str(caught.value)


def test_redirect_to_a_local_file_is_refused(start_site, get):
    with pytest.raises(UserError, match="not allowed"):
        get(f"{start_site().address}/to_disk")


def test_missing_page_is_not_tried_again(start_site, get, output):
    site = start_site()
    get(f"{site.address}/nothing", site.url)
    assert output.read_bytes() == CONTENT
    assert len(site.asked) == 2


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_busy_server_is_tried_again(start_site, get, output, status):
    site = start_site(statuses=[status, status])
    get(site.url, attempts=3)
    assert output.read_bytes() == CONTENT
    assert len(site.asked) == 3


def test_pauses_double_up_to_thirty_seconds(start_site, get, monkeypatch):
    pauses = []
    monkeypatch.setattr(fetch_module.time, "sleep", pauses.append)
    with pytest.raises(UserError, match=r"HTTP 503 .*tries without progress: 8"):
        get(start_site(statuses=[503] * 8).url, attempts=8, backoff=1.0)
    assert pauses == [1, 2, 4, 8, 16, 30, 30]


def test_error_names_every_address_and_the_remedy(start_site, get, output, dead_url, tmp_path):
    missing_page = f"{start_site().address}/nothing"
    missing_file = (tmp_path / "nothing").as_uri()
    with pytest.raises(UserError) as caught:
        get(missing_page, dead_url, missing_file, attempts=2)
    message = str(caught.value)
    assert message.startswith("file.bin: ")
    assert f"{missing_page}: HTTP 404" in message
    assert f"{dead_url}: Connection refused" in message
    assert f"{missing_file}: No such file or directory" in message
    assert f"place the file yourself at {output}" in message
    assert "data.<dataset>" in message


@pytest.mark.parametrize(
    "url", ["ftp://host/file", "data/file", "http:///file", "http://[::1/file", "file://relative/file"]
)
def test_unusable_addresses_are_refused_before_any_download(start_site, get, partial, url):
    site = start_site()
    with pytest.raises(UserError, match=re.escape(url)):
        get(site.url, url)
    assert site.asked == []
    assert not partial.exists()


@pytest.mark.parametrize("url", ["http://127.0.0.1:port/file", "http://127.0.0.1/a b", "http://127.0.0.1/\u00e9"])
def test_malformed_addresses_are_not_tried_again(get, url):
    with pytest.raises(UserError) as caught:
        get(url)
    assert "tries" not in str(caught.value)


def test_malformed_sum(get):
    with pytest.raises(UserError, match="32 hexadecimal digits"):
        get("http://127.0.0.1/file", md5="sha256:abc")


def test_second_download_of_the_same_part_is_refused(start_site, get, partial):
    put(partial, CONTENT[:1000])
    with partial.open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(UserError, match="another download of this file is running"):
            get(start_site().url)
    assert partial.read_bytes() == CONTENT[:1000]


def test_part_renamed_by_another_download_before_the_lock(get, partial, monkeypatch, dead_url):
    monkeypatch.setattr(fetch_module.fcntl, "flock", lambda *_: partial.rename(f"{partial}.done"))
    with pytest.raises(UserError, match="another download of this file is running"):
        get(dead_url)


def test_file_system_without_locks(start_site, get, output, monkeypatch, caplog):
    def refuse(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fetch_module.fcntl, "flock", refuse)
    get(start_site().url)
    assert output.read_bytes() == CONTENT
    assert "cannot be locked" in caplog.text


def test_program_downloads(start_site, partial, output):
    site = start_site(cuts=[1000])
    done = run_program("--url", site.url, "--md5", MD5, "--partial", partial, "--output", output)
    assert done.returncode == 0, done.stderr
    assert output.read_bytes() == CONTENT
    assert f"md5 expected {MD5}, found {MD5}" in done.stderr


def test_program_reports_a_failed_download_in_one_line(start_site, partial, output):
    site = start_site(content=FLIPPED)
    last = assert_one_error_line(run_program("--url", site.url, "--md5", MD5, "--partial", partial, "--output", output))
    assert MD5 in last
    assert hashlib.md5(FLIPPED).hexdigest() in last
    assert not output.exists()


def test_program_with_an_impossible_folder(start_site, partial, tmp_path):
    (tmp_path / "file").touch()
    output = tmp_path / "file" / "file.bin"
    last = assert_one_error_line(
        run_program("--url", start_site().url, "--md5", MD5, "--partial", partial, "--output", output)
    )
    assert str(tmp_path / "file") in last


def test_full_disk_keeps_the_part(start_site, get, partial, output):
    def limit_file_size():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    site = start_site()
    arguments = ["--url", site.url, "--md5", MD5, "--partial", partial, "--output", output]
    last = assert_one_error_line(run_program(*arguments, preexec_fn=limit_file_size))
    assert str(partial) in last
    assert partial.read_bytes() == CONTENT[:100_000]
    get(site.url)
    assert output.read_bytes() == CONTENT
    assert site.asked == [None, "bytes=100000-"]
