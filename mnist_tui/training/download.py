"""Download of data sets: https only, limited in size and time, verified, written whole or not at all."""

import http.client
import threading
import time
import urllib.request
import zlib
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from mnist_tui.datasets.record import DataFile, find_damage
from mnist_tui.errors import DownloadError
from mnist_tui.files import write_atomically
from mnist_tui.runs.events import Downloading
from mnist_tui.text import clean_line

SECONDS = 300.0
"""Time limit for the four files of MNIST, 11 MB compressed, and what every download may take."""
SLOWEST = 300_000
"""Bytes a second that a download of a larger data set must have on average."""
CONNECT_SECONDS = 10.0
REPORT_SECONDS = 0.2
"""Time between two reports of how far a download is."""
MAX_COMPRESSED = 20_000_000
"""Size limit in bytes of a compressed file that is unpacked as it arrives; MNIST's largest has 9,912,422."""


class _HttpsOnly(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        _check_https(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _check_https(url: str) -> None:
    if urlsplit(url).scheme != "https":
        raise DownloadError(f"refused {url[:100]}: only https is followed")


def open_https(url: str) -> Any:
    """The response of a https URL; redirects to other schemes raise `DownloadError`."""
    _check_https(url)
    return urllib.request.build_opener(_HttpsOnly).open(url, timeout=CONNECT_SECONDS)


def downloading(
    folder: Path,
    files: Sequence[DataFile],
    urls: Sequence[str],
    open_url: Callable[[str], Any] = open_https,
    seconds: float = SECONDS,
) -> Generator[Downloading, None, None]:
    """Downloads `files` from any of the folders `urls` into `folder`; existing files are kept. Yields how far it is.

    Each is written once it is verified: unpacked where its SHA-256 is known, else as it is published. Nothing more is
    written once the iteration has ended, for whatever reason.

    Raises `DownloadError`, after `seconds` at the latest, even if the server stalls: the download runs in a daemon
    thread, which is then abandoned.
    """
    failure: list[BaseException] = []
    transfer = _Transfer(seconds)

    def fetch() -> None:
        try:
            for file in files:
                _fetch_from_any(file, folder, urls, open_url, transfer)
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=fetch, name="download", daemon=True)
    thread.start()
    try:
        while thread.is_alive() and time.monotonic() <= transfer.deadline + 1:
            thread.join(REPORT_SECONDS)
            if (reached := transfer.reached) is not None:
                yield reached
    finally:
        transfer.give_up()
    if thread.is_alive():
        raise DownloadError(f"the download took longer than {seconds:g} s")
    if failure:
        raise failure[0]


class _Transfer:
    """What the thread of a download and its caller share."""

    def __init__(self, seconds: float) -> None:
        self.deadline = time.monotonic() + seconds
        self.reached: Downloading | None = None
        """How far the file is that arrives now."""
        self._is_given_up = False
        self._lock = threading.Lock()

    @property
    def is_over(self) -> bool:
        """Whether nothing may be written any more."""
        return self._is_given_up or time.monotonic() > self.deadline

    def give_up(self) -> None:
        """Lets no file be written any more; one that is being written is completed."""
        with self._lock:
            self._is_given_up = True

    def write(self, path: Path, content: bytes) -> None:
        """Writes a file, whole; raises `DownloadError` where the download is over."""
        with self._lock:
            if self.is_over:
                raise DownloadError("the download took too long")
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, content)


def _fetch_from_any(
    file: DataFile, folder: Path, urls: Sequence[str], open_url: Callable[[str], Any], transfer: _Transfer
) -> None:
    if (folder / file.name).exists():
        return
    reasons = []
    transfer.reached = Downloading(file.source_name, 0, None)
    for url in urls:
        try:
            content = _fetch(f"{url.rstrip('/')}/{file.source_name}", file, open_url, transfer)
        except (OSError, ValueError, http.client.HTTPException, zlib.error) as error:
            reasons.append(f"{urlsplit(url).hostname}: {clean_line(str(error), 200)}")
            continue
        transfer.write(folder / file.name, content)
        return
    raise DownloadError(f"cannot fetch {file.name}: " + ("; ".join(reasons) or "no https address is known"))


def _fetch(url: str, file: DataFile, open_url: Callable[[str], Any], transfer: _Transfer) -> bytes:
    """The verified content of a URL, unpacked where the file is kept so."""
    unpacker = zlib.decompressobj(wbits=31) if file.is_kept_unpacked else None  # 31: gzip, with its checksum.
    most = MAX_COMPRESSED if unpacker else file.size
    content = bytearray()
    received = 0
    with open_url(url) as response:
        size = response.length  # By the Content-Length of the answer; None without one.
        while piece := response.read1(65_536):
            received += len(piece)
            transfer.reached = Downloading(file.source_name, received, size)
            if received > most or transfer.is_over:
                raise DownloadError("too large" if received > most else "too slow")
            content += unpacker.decompress(piece, file.size + 1 - len(content)) if unpacker else piece
            if len(content) > file.size or (unpacker and unpacker.unconsumed_tail):
                raise DownloadError(f"unpacks to more than {file.size:,} bytes")
    verified = bytes(content)
    if wrong := find_damage(verified, file):
        raise DownloadError(wrong)
    return verified
