"""Hosts that cut, drip and hang at any byte, and archives that unpack to more than there is room for."""

import gzip
import hashlib
import io
import random
import resource
import socket
import tarfile
import threading
from contextlib import contextmanager, suppress

import pytest
from programs import error_line, run_forked

import download
import prepare_mnist
import prepare_stl10
from fixtures_kmeans import command_line
from fixtures_stl10 import pack, stl10_members

CONTENT = random.Random(1).randbytes(400_000)
MD5 = hashlib.md5(CONTENT).hexdigest()
MIB = 2**20
ROOM = 256 * MIB  # that a program may take beside its libraries
BOMB = 2 * ROOM


@contextmanager
def host(answer):
    """A host whose connections are each answered by `answer(number, connection, start)`; yields address and requests.

    start: the byte that the client asks to begin with.
    """
    asked = []

    def serve(server):
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                request = connection.recv(65536).decode()
                start = int(request.partition("bytes=")[2].partition("-")[0] or 0)
                asked.append(start)
                with suppress(OSError):  # the client may have given up
                    answer(len(asked), connection, start)

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, args=[server], daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/file", asked
        server.shutdown(socket.SHUT_RDWR)


def head(start):
    """Return the beginning of an answer that has the file's bytes from `start`."""
    last = len(CONTENT) - 1
    line, ranged = "206 Partial Content", f"Content-Range: bytes {start}-{last}/{last + 1}\r\n"
    if not start:
        line, ranged = "200 OK", ""
    return f"HTTP/1.1 {line}\r\nContent-Length: {len(CONTENT) - start}\r\n{ranged}\r\n".encode()


@pytest.fixture
def get(tmp_path, monkeypatch):
    """Run the program on an address; return its exit code and what it said."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    def run(url, **settings):
        options = {"md5": MD5, "partial": tmp_path / "part", "output": tmp_path / "file", "backoff": 0.001}
        options |= {"timeout": 0.5, "attempts": 2} | settings
        return run_forked(tmp_path, download.main, command_line(url=url, **options))

    return run


@pytest.mark.parametrize("seed", range(10))
def test_cut_at_random_bytes(seed, get, tmp_path, fault):
    """Even within the header of an answer; no byte comes twice."""
    rng = random.Random(seed)
    sent = []

    def cut(number, connection, start):
        whole = head(start) + CONTENT[start:]
        end = rng.randrange(len(whole)) if number <= 5 else len(whole)
        sent.append(max(0, end - len(head(start))))
        connection.sendall(whole[:end])

    with host(cut) as (url, asked), fault("download cut at a random byte") as counts:
        code, said = get(url, attempts=7)
        assert code == 0, said
        assert (tmp_path / "file").read_bytes() == CONTENT
        assert not (tmp_path / "part").exists()
        counts["bytes lost"] += sum(sent) - len(CONTENT)
        assert sum(sent) == len(CONTENT)
        assert asked == sorted(asked)


def test_host_that_hangs_in_the_middle(get, tmp_path, fault):
    """Once it goes on from there; if it never does, what has come stays for the next run."""
    released = threading.Event()

    def hang(number, connection, start):
        connection.sendall(head(start) + CONTENT[start : start + 100_000])
        released.wait(10)

    with host(hang) as (url, asked), fault("host that hangs in the middle"):
        threading.Timer(30, released.set).start()
        code, said = get(url, attempts=1)
        assert error_line(code, said)
    assert "timed out" in said
    part = (tmp_path / "part").read_bytes()
    assert len(part) >= 100_000
    assert CONTENT.startswith(part)
    with host(lambda _, connection, start: connection.sendall(head(start) + CONTENT[start:])) as (url, asked):
        assert get(url)[0] == 0
    assert asked == [len(part)]
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_flipped_byte_on_the_way(get, tmp_path, fault):
    """It is found by the sum, and the second try gets the file."""
    damaged = bytearray(CONTENT)
    damaged[123_456] ^= 1

    def flip(number, connection, start):
        content = damaged if number == 1 else CONTENT
        connection.sendall(head(start) + content[start : start + 200_000 if number == 1 else None])

    with host(flip) as (url, asked), fault("byte flipped on the way"):
        code, said = get(url)
        assert code == 0, said
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert asked == [0, 200_000, 0]


def zeros(size):
    """A gzip stream of so many zeros: a thousandth of that."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as file:
        for _ in range(size // MIB):
            file.write(bytes(MIB))
    return packed.getvalue()


def limited(main, arguments):
    """Run a program that may use little more memory than its libraries have taken before."""
    with open("/proc/self/statm") as file:  # noqa: PTH123
        size = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + ROOM, size + ROOM))
    main(arguments)


def test_bomb_in_place_of_digits(tmp_path, fault):
    """Half a gigabyte of zeros where 47 megabytes of images should be."""
    bomb = tmp_path / "train-images-idx3-ubyte.gz"
    bomb.write_bytes(zeros(BOMB))
    assert bomb.stat().st_size < 1_000_000
    names = prepare_mnist.MEMBERS
    files = ("train_images_file", "train_labels_file", "test_images_file", "test_labels_file")
    members = [f"{name}={'0' * 32}" for name in names]
    sizes = {"train_images": 10, "validation_images": 10, "unlabeled_images": 10, "test_images": 10}
    outputs = {"images": tmp_path / "images.h5", "test_labels": tmp_path / "test_labels.h5"}
    arguments = command_line(**dict.fromkeys(files, bomb), member_md5=members, **sizes, **outputs)
    with fault("decompression bomb"):
        line = error_line(*run_forked(tmp_path, limited, prepare_mnist.main, arguments))
        assert "unpacks to fewer than 16 or more than 47040016 bytes" in line
        assert not outputs["images"].exists()


def archive_of(tmp_path, header, size):
    """Write an archive that begins with a member of this header and so many zeros; return the program's arguments."""
    archive = tmp_path / "stl10_binary.tar.gz"
    members = stl10_members()
    checksums = pack(archive, members)
    with gzip.open(archive) as file:
        sound = file.read()
    archive.write_bytes(
        gzip.compress(header.tobuf(), mtime=0) + zeros(min(size, BOMB)) + gzip.compress(sound, 1, mtime=0)
    )
    assert archive.stat().st_size < 20_000_000
    outputs = {"images": tmp_path / "images.h5", "test_labels": tmp_path / "test_labels.h5"}
    member_md5 = [f"{name}={md5}" for name, md5 in checksums.items()]
    sizes = {"train_images": 40, "validation_images": 10}
    return command_line(archive=archive, member_md5=member_md5, **sizes, **outputs)


@pytest.mark.parametrize(
    ("kind", "name", "size", "message"),
    [
        (tarfile.REGTYPE, "stl10_binary/class_names.txt", BOMB, f"has {BOMB} bytes, more than 1000"),
        (tarfile.REGTYPE, "stl10_binary/other", 3000 * MIB, f"has {3000 * MIB} bytes, more than"),
        (tarfile.GNUTYPE_LONGNAME, "././@LongLink", BOMB, f"has a header of {BOMB} bytes"),
        (tarfile.GNUTYPE_LONGLINK, "././@LongLink", BOMB, f"has a header of {BOMB} bytes"),
        (tarfile.XHDTYPE, "./PaxHeaders", BOMB, f"has a header of {BOMB} bytes"),
        (tarfile.XGLTYPE, "./PaxHeaders", BOMB, f"has a header of {BOMB} bytes"),
    ],
    ids=["small member", "other member", "long name", "long link", "header", "global header"],
)
def test_bomb_in_place_of_photographs(kind, name, size, message, tmp_path, fault):
    """Whatever the archive says of itself, it takes no memory: also in the headers that tarfile reads by itself."""
    header = tarfile.TarInfo(name)
    header.type, header.size = kind, size
    arguments = archive_of(tmp_path, header, size)
    with fault("decompression bomb"):
        line = error_line(*run_forked(tmp_path, limited, prepare_stl10.main, arguments))
        assert message in line
        assert "do not use this archive" in line
        assert not list(tmp_path.glob("*images.h5*"))
