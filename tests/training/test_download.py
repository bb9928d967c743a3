"""Downloads: whatever a server does and whenever the program dies, the folder holds verified files or none."""

import gc
import gzip
import http.client
import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import tracemalloc
import urllib.request
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from hashlib import md5, sha256
from pathlib import Path
from typing import Any

import pytest

from mnist_tui.datasets.published import PUBLISHED
from mnist_tui.datasets.record import DataFile
from mnist_tui.errors import DownloadError
from mnist_tui.runs.events import Downloading
from mnist_tui.training import download as module
from mnist_tui.training.download import downloading, open_https

CONTENT = bytes(range(256)) * 40
FILE = DataFile("one", len(CONTENT), sha256(CONTENT).hexdigest())
PACKED = gzip.compress(CONTENT)

LARGE = {name: os.urandom(100_000) for name in ("one", "two", "three")}
"""Random, so that they stay large when packed and arrive in several pieces."""


def packed_zeros(megabytes: int) -> bytes:
    """Gzip that unpacks to so many megabytes of zeros: about 1 kB for each."""
    packer = zlib.compressobj(9, wbits=31)
    first, *others = (packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    return first + others[0] * (megabytes - 1)


BOMB = packed_zeros(1024)


class Server(http.server.ThreadingHTTPServer):
    """A server on this machine; the first part of a path says how it behaves."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[str] = []
        """The paths that were asked for."""
        self.released = threading.Event()
        """Until it is set, slow behaviours hold their answer back."""

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def url(self, behaviour: str) -> str:
        """A mirror that behaves so."""
        return f"http://127.0.0.1:{self.port}/{behaviour}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are what is tested here."""


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers as the path asks for."""

    server: Server

    def do_GET(self) -> None:
        self.server.requests.append(self.path)
        _, behaviour, name = self.path.split("/")
        BEHAVIOURS[behaviour](self, name.removesuffix(".gz"))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the name is the base class's
        """Nothing is printed."""

    def answer(self, body: bytes, length: int | None = None, kind: str = "application/gzip") -> None:
        """A complete answer, or the beginning of one of `length` bytes."""
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()


def stall(handler: Handler, name: str) -> None:
    """Sends half, and the rest once the test releases it."""
    handler.answer(PACKED[:20], len(PACKED))
    handler.server.released.wait(30)
    handler.wfile.write(PACKED[20:])


def dribble(handler: Handler, name: str) -> None:
    """Sends a byte at a time, never slow enough for a time limit of the connection."""
    handler.answer(b"", len(PACKED))
    for byte in PACKED:
        if handler.server.released.wait(0.02):
            return
        handler.wfile.write(bytes([byte]))
        handler.wfile.flush()


def redirect(handler: Handler, scheme: str) -> None:
    """Sends to the good file, over another scheme."""
    handler.send_response(302)
    handler.send_header("Location", f"{scheme}://127.0.0.1:{handler.server.port}/good/one.gz")
    handler.end_headers()


BEHAVIOURS: dict[str, Callable[[Handler, str], None]] = {
    "good": lambda handler, name: handler.answer(PACKED),
    "large": lambda handler, name: handler.answer(gzip.compress(LARGE[name], 1)),
    "cut": lambda handler, name: handler.answer(PACKED[:-20], len(PACKED)),
    "half": lambda handler, name: handler.answer(PACKED[: len(PACKED) // 2]),
    "empty": lambda handler, name: handler.answer(b""),
    "lies": lambda handler, name: handler.answer(gzip.compress(bytes(len(CONTENT)))),
    "short": lambda handler, name: handler.answer(gzip.compress(CONTENT[:-1])),
    "long": lambda handler, name: handler.answer(gzip.compress(CONTENT + b"!")),
    "html": lambda handler, name: handler.answer(b"<html>Please log in to this Wi-Fi</html>", kind="text/html"),
    "not-packed": lambda handler, name: handler.answer(CONTENT),
    "bomb": lambda handler, name: handler.answer(BOMB),
    "endless": lambda handler, name: handler.answer(os.urandom(1) * (module.MAX_COMPRESSED + 65_536)),
    "missing": lambda handler, name: handler.send_error(404),
    "hangs-up": lambda handler, name: handler.connection.close(),
    "stalls": stall,
    "dribbles": dribble,
    "redirects": redirect,
}

NOT_THE_FILE = [name for name in BEHAVIOURS if name not in ("good", "large", "stalls", "dribbles", "redirects")]
"""Behaviours that end by themselves, without the file."""


@pytest.fixture
def server() -> Iterator[Server]:
    """A running server; whatever it still holds back is let go at the end."""
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.released.set()
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's proxy is not asked for an address of this machine."""
    monkeypatch.setenv("no_proxy", "*")


def download(*arguments: Any, **options: Any) -> None:
    """Downloads to the end."""
    deque(downloading(*arguments, **options), maxlen=0)


def open_plain(url: str) -> Any:
    """The response of a http address, where the product would only take https."""
    return urllib.request.urlopen(url, timeout=10)


def fetch(folder: Path, *urls: str, seconds: float = 30) -> None:
    """Downloads `FILE` from the first of `urls` that has it."""
    download(folder, [FILE], urls, open_plain, seconds)


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a folder, hidden ones too."""
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


def wait_for_downloads() -> None:
    """Returns once no thread of a download is left."""
    for thread in threading.enumerate():
        if thread.name == "download":
            thread.join(10)
            assert not thread.is_alive()


# --- what servers do -------------------------------------------------------------------------------------------------


def test_a_good_server(server: Server, tmp_path: Path) -> None:
    """The file arrives unpacked, and nothing else lies beside it; missing folders are made."""
    fetch(tmp_path / "MNIST" / "raw", server.url("good"))

    assert contents(tmp_path / "MNIST" / "raw") == {"one": CONTENT}
    assert server.requests == ["/good/one.gz"]


@pytest.mark.parametrize("behaviour", NOT_THE_FILE)
def test_a_server_without_the_file(behaviour: str, server: Server, tmp_path: Path) -> None:
    """One error that names file and server, and nothing of it in the folder."""
    with pytest.raises(DownloadError, match=r"cannot fetch one: 127\.0\.0\.1: .+"):
        fetch(tmp_path / "raw", server.url(behaviour))

    assert contents(tmp_path / "raw") == {}


@pytest.mark.parametrize("behaviour", ["lies", "cut", "half", "empty", "short"])
def test_without_verification_damage_arrives(
    behaviour: str, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: it is the comparison with the pinned digest and size that keeps such files out."""
    monkeypatch.setattr(module, "find_damage", lambda content, file: "")
    fetch(tmp_path, server.url(behaviour))

    assert contents(tmp_path)["one"] != CONTENT


@pytest.mark.parametrize("is_bounded", [True, False])
def test_a_bomb_is_not_unpacked(
    is_bounded: bool, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1 MB that unpacks to 1 GB needs neither time nor memory; negative control: without the limit it does."""
    if not is_bounded:
        monkeypatch.setattr(zlib, "decompressobj", Unbounded)
    started = time.perf_counter()
    tracemalloc.start()
    with pytest.raises(DownloadError, match="unpacks to more than 10,240 bytes"):
        fetch(tmp_path / "raw", server.url("bomb"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert 900_000 < len(BOMB) < 1_200_000
    assert contents(tmp_path / "raw") == {}
    assert (peak < 2_000_000) == is_bounded
    assert time.perf_counter() - started < 10


class Unbounded:
    """An unpacker that does not listen to its limit."""

    unconsumed_tail = b""

    def __init__(self, wbits: int, make: Callable[..., Any] = zlib.decompressobj) -> None:
        self.unpacker = make(wbits=wbits)

    def decompress(self, piece: bytes, limit: int) -> bytes:
        unpacked: bytes = self.unpacker.decompress(piece)
        return unpacked


def packed_file(content: bytes = PACKED) -> DataFile:
    """The file as it is known by the MD5 sum of what is published, and kept packed."""
    return DataFile("one.gz", len(PACKED) + 100, md5=md5(content, usedforsecurity=False).hexdigest())


def test_a_packed_file_is_kept_packed(server: Server, tmp_path: Path) -> None:
    """Of most data sets only the MD5 sum of the published file is known: that file is kept."""
    download(tmp_path / "raw", [packed_file()], [server.url("good")], open_plain, 30)

    assert contents(tmp_path / "raw") == {"one.gz": PACKED}


@pytest.mark.parametrize("behaviour", [name for name in NOT_THE_FILE if name != "long"])
def test_a_server_without_the_packed_file(behaviour: str, server: Server, tmp_path: Path) -> None:
    """One error, and a folder without a trace of it, whatever the server does."""
    with pytest.raises(DownloadError, match=r"cannot fetch one\.gz: 127\.0\.0\.1: .+"):
        download(tmp_path / "raw", [packed_file()], [server.url(behaviour)], open_plain, 30)

    assert contents(tmp_path / "raw") == {}


def test_a_packed_file_that_is_too_large(server: Server, tmp_path: Path) -> None:
    """A file is not taken in beyond the most that it may have."""
    file = DataFile("one.gz", 20, md5=packed_file().md5)
    with pytest.raises(DownloadError, match="too large"):
        download(tmp_path / "raw", [file], [server.url("good")], open_plain, 30)


# --- time ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("behaviour", ["stalls", "dribbles"])
def test_a_slow_server(behaviour: str, server: Server, tmp_path: Path) -> None:
    """A server that stalls or dribbles holds the program no longer than it is allowed to, and a second."""
    started = time.monotonic()
    with pytest.raises(DownloadError, match=r"longer than|too slow|too long"):
        fetch(tmp_path / "raw", server.url(behaviour), seconds=0.3)

    assert time.monotonic() - started < 3
    assert contents(tmp_path / "raw") == {}


@pytest.mark.parametrize("is_limited", [True, False])
def test_a_file_that_comes_too_late(
    is_limited: bool, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the error nothing appears any more; negative control: it does where nobody looks whether it is over."""
    if not is_limited:
        monkeypatch.setattr(module._Transfer, "is_over", False)
    with pytest.raises(DownloadError):
        fetch(tmp_path / "raw", server.url("stalls"), seconds=0.1)
    server.released.set()
    wait_for_downloads()

    assert contents(tmp_path / "raw") == ({} if is_limited else {"one": CONTENT})


# --- how far it is ---------------------------------------------------------------------------------------------------


def test_what_is_reported(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file by the name that it is published under, with the bytes of the wire, up to all of them."""
    monkeypatch.setattr(module, "REPORT_SECONDS", 0.001)
    files = [DataFile(name, len(content), sha256(content).hexdigest()) for name, content in LARGE.items()]
    reports = list(downloading(tmp_path, files, [server.url("large")], open_plain))
    last = {report.file: report for report in reports}
    size = len(gzip.compress(LARGE["three"], 1))

    assert set(last) <= {f"{name}.gz" for name in LARGE}
    assert last["three.gz"] == Downloading("three.gz", size, size)
    assert [report.received for report in reports if report.file == "three.gz"] == sorted(
        report.received for report in reports if report.file == "three.gz"
    )


@pytest.mark.parametrize("is_given_up", [True, False])
def test_who_stops_listening(
    is_given_up: bool, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Ctrl-C in the middle of a file ends the download: nothing appears later; negative control: it would."""
    if not is_given_up:
        monkeypatch.setattr(module._Transfer, "give_up", lambda transfer: None)
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012  # It comes while the reports are listened to.
        for report in downloading(tmp_path / "raw", [FILE], [server.url("stalls")], open_plain):
            if report.received:
                assert report == Downloading("one.gz", 20, len(PACKED))
                raise KeyboardInterrupt
    gc.collect()
    server.released.set()
    wait_for_downloads()

    assert contents(tmp_path / "raw") == ({} if is_given_up else {"one": CONTENT})


# --- mirrors and files that are there --------------------------------------------------------------------------------


@pytest.mark.parametrize("first", NOT_THE_FILE)
def test_the_second_mirror(first: str, server: Server, tmp_path: Path) -> None:
    """Whatever the first mirror does, the second one is asked."""
    fetch(tmp_path / "raw", server.url(first), server.url("good") + "/")

    assert contents(tmp_path / "raw") == {"one": CONTENT}
    assert server.requests == [f"/{first}/one.gz", "/good/one.gz"]


def test_all_mirrors_fail(tmp_path: Path, server: Server) -> None:
    """The error tells what each of them did; one cannot be reached at all."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        with pytest.raises(DownloadError) as error:
            fetch(tmp_path / "raw", server.url("missing"), nobody, server.url("lies"))

    assert "404" in str(error.value)
    assert "refused" in str(error.value)
    assert "SHA-256" in str(error.value)


def test_no_mirror_is_known(tmp_path: Path) -> None:
    """An empty list of mirrors is an error too."""
    with pytest.raises(DownloadError, match="no https address is known"):
        fetch(tmp_path / "raw")

    assert contents(tmp_path / "raw") == {}


def test_files_that_are_there_are_kept(server: Server, tmp_path: Path) -> None:
    """Nothing is fetched for them, whatever they hold: the loader judges them."""
    (tmp_path / "one").write_bytes(b"mine")
    fetch(tmp_path, server.url("good"))

    assert contents(tmp_path) == {"one": b"mine"}
    assert server.requests == []


def test_only_what_is_missing_is_fetched(server: Server, tmp_path: Path) -> None:
    """A download that was cut off continues with the next file."""
    two = DataFile("two", FILE.size, FILE.sha256)
    (tmp_path / "one").write_bytes(CONTENT)
    download(tmp_path, [FILE, two], [server.url("good")], open_plain, 30)

    assert contents(tmp_path) == {"one": CONTENT, "two": CONTENT}
    assert server.requests == ["/good/two.gz"]


def test_the_folder_cannot_be_made(server: Server, tmp_path: Path) -> None:
    """A file in the folder's place is an error that callers of downloads expect."""
    (tmp_path / "raw").write_bytes(b"")
    with pytest.raises(FileExistsError):
        fetch(tmp_path / "raw", server.url("good"))

    assert contents(tmp_path) == {"raw": b""}


def test_mirrors_are_reached_over_tls() -> None:
    """Every data set that is downloaded has sources, with addresses that `open_https` opens."""
    sources = {data.name: data.sources for data in PUBLISHED.values() if data.files}

    assert all(sources.values())
    assert all(url.startswith("https://") for urls in sources.values() for url in urls)


# --- https only ------------------------------------------------------------------------------------------------------


@pytest.fixture
def tls_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Serves https addresses from the plain server, so that no certificate is needed."""
    monkeypatch.setattr(
        urllib.request.HTTPSHandler,
        "https_open",
        lambda handler, request: handler.do_open(http.client.HTTPConnection, request),
    )


@pytest.mark.parametrize("scheme", ["http", "ftp", "file", "HTTP", ""])
def test_an_address_without_tls_is_refused(scheme: str, server: Server) -> None:
    """Only https is opened; nobody is asked for anything else."""
    with pytest.raises(DownloadError, match="only https"):
        open_https(f"{scheme}://127.0.0.1:{server.port}/good/one.gz")

    assert server.requests == []


@pytest.mark.usefixtures("tls_taken_away")
@pytest.mark.parametrize("scheme", ["http", "ftp"])
def test_a_redirect_away_from_tls_is_refused(scheme: str, server: Server, tmp_path: Path) -> None:
    """A https address that sends to another scheme is not followed."""
    file = DataFile(scheme, FILE.size, FILE.sha256)
    with pytest.raises(DownloadError, match="only https"):
        download(tmp_path / "raw", [file], [f"https://127.0.0.1:{server.port}/redirects"])

    assert server.requests == [f"/redirects/{scheme}.gz"]
    assert contents(tmp_path / "raw") == {}


@pytest.mark.usefixtures("tls_taken_away")
@pytest.mark.parametrize(("scheme", "is_checked"), [("https", True), ("http", False)])
def test_a_redirect_is_followed(
    scheme: str, is_checked: bool, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within https a redirect is fine; negative control: urllib's own handler follows it away from https too."""
    if not is_checked:
        monkeypatch.setattr(module, "_HttpsOnly", urllib.request.HTTPRedirectHandler)
    file = DataFile(scheme, FILE.size, FILE.sha256)
    download(tmp_path, [file], [f"https://127.0.0.1:{server.port}/redirects"])

    assert contents(tmp_path) == {scheme: CONTENT}


# --- the program dies ------------------------------------------------------------------------------------------------


def in_place(path: Path, content: bytes) -> None:
    """What `write_atomically` must not be: a writer straight into the file."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
    os.write(descriptor, content[: len(content) // 2])
    os.write(descriptor, content[len(content) // 2 :])
    os.fsync(descriptor)
    os.close(descriptor)


class Death:
    """Ends this process by SIGKILL at its `instant`-th call of the file system or the network, half of it done."""

    def __init__(self, instant: int) -> None:
        self.instant = instant

    def count(self) -> None:
        """One more call; does not come back from the last one."""
        self.instant -= 1
        if self.instant < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def after_half_of(self, write: Callable[[int, bytes], int]) -> Callable[[int, bytes], int]:
        """`write`, in which a death leaves half of the bytes."""

        def half_or_all(descriptor: int, content: bytes) -> int:
            if self.instant == 0:
                write(descriptor, content[: len(content) // 2])
            self.count()
            return write(descriptor, content)

        return half_or_all

    def before(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function`, counted."""

        def counted(*args: Any, **kwargs: Any) -> Any:
            self.count()
            return function(*args, **kwargs)

        return counted

    def at_the_end_of(self, read: Callable[..., bytes]) -> Callable[..., bytes]:
        """`read`, counted where an answer ends: how many pieces it comes in differs from time to time."""

        def counted(*args: Any) -> bytes:
            piece = read(*args)
            if not piece:
                self.count()
            return piece

        return counted


def die_at_every_instant(folder: Path, url: str, files: list[DataFile]) -> None:
    """Downloads into `folder/0`, `folder/1`… in processes that die one call later each, until one lives on."""
    for instant in range(200):
        child = os.fork()
        if child == 0:
            death = Death(instant)
            for name in ("open", "fsync", "replace", "mkdir"):
                setattr(os, name, death.before(getattr(os, name)))
            os.write = death.after_half_of(os.write)  # type: ignore[assignment]
            response = http.client.HTTPResponse
            response.read1 = death.at_the_end_of(response.read1)  # type: ignore[method-assign]
            download(folder / str(instant), files, [url], death.before(open_plain))
            os._exit(0)
        if os.waitpid(child, 0)[1] == 0:
            return


def deaths(tmp_path: Path, server: Server, *, is_atomic: bool) -> tuple[int, list[str]]:
    """The number of killed downloads of `LARGE`, and the files, by name, that one of them left damaged."""
    files = [[name, len(content), sha256(content).hexdigest()] for name, content in LARGE.items()]
    arguments = json.dumps({"folder": str(tmp_path / "killed"), "url": server.url("large"), "files": files})
    (tmp_path / "killed").mkdir()
    command = [sys.executable, __file__, arguments, "atomic" if is_atomic else "in place"]
    subprocess.run(command, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}, timeout=60, check=True)
    folders = list((tmp_path / "killed").iterdir())
    states = [(name, content) for folder in folders for name, content in contents(folder).items()]
    damaged = [name for name, content in states if not name.startswith(".") and content != LARGE[name]]
    return len(folders), damaged


@pytest.mark.slow
def test_killed_at_every_instant(server: Server, tmp_path: Path) -> None:
    """However a download dies, each file is whole or absent, and the next download completes the folder."""
    count, damaged = deaths(tmp_path, server, is_atomic=True)
    raw_files = [DataFile(name, len(content), sha256(content).hexdigest()) for name, content in LARGE.items()]
    left = []
    for folder in (tmp_path / "killed").iterdir():
        left.append(frozenset(name for name in contents(folder) if name in LARGE))
        download(folder, raw_files, [server.url("large")], open_plain)
    completed = [contents(folder) for folder in (tmp_path / "killed").iterdir()]

    assert count > 20
    assert damaged == []
    assert set(left) == {frozenset(), frozenset({"one"}), frozenset({"one", "two"}), frozenset(LARGE)}
    assert all(LARGE.items() <= content.items() for content in completed)


@pytest.mark.slow
def test_killed_while_writing_in_place(server: Server, tmp_path: Path) -> None:
    """Negative control: a writer that writes in place leaves half a file under the real name."""
    _, damaged = deaths(tmp_path, server, is_atomic=False)

    assert set(damaged) == set(LARGE)


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    if sys.argv[2] == "in place":
        module.write_atomically = in_place  # type: ignore[attr-defined]
    die_at_every_instant(Path(given["folder"]), given["url"], [DataFile(*file) for file in given["files"]])
