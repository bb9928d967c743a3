"""Downloads from a server that cuts, stalls, lies and garbles: the folder holds the verified file or none (X5)."""

import gzip
import random
import socket
import threading
import time
import urllib.request
from contextlib import suppress
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any
from unittest import mock

from mnist_tui.datasets.record import DataFile
from mnist_tui.errors import DownloadError
from mnist_tui.training import download
from stress_parts.frame import Case, Part, Trial

CONTENT = random.Random(0).randbytes(40_000)
FILE = DataFile("one", len(CONTENT), sha256(CONTENT).hexdigest())
SECONDS = 1.0
"""The time limit of a download."""


class Server:
    """A server on this machine that gives one answer, in pieces with pauses, to whoever connects."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.pieces: list[tuple[bytes, float]] = []
        """Bytes, and the seconds to wait before them."""
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def _serve(self) -> None:
        with suppress(OSError):  # It was closed.
            while True:
                connection, _ = self._socket.accept()
                threading.Thread(target=self._answer, args=(connection, self.pieces), daemon=True).start()

    def _answer(self, connection: socket.socket, pieces: list[tuple[bytes, float]]) -> None:
        with connection, suppress(OSError):
            connection.recv(4_096)
            for piece, seconds in pieces:
                time.sleep(seconds)
                connection.sendall(piece)

    def close(self) -> None:
        """Ends it."""
        self._socket.close()


def cases(trial: Trial) -> list[Case]:
    """Answers, each of them changed at random in one or several ways."""
    server = Server()
    trial.exits.callback(server.close)
    trial.exits.enter_context(mock.patch.dict("os.environ", {"no_proxy": "*"}))
    if trial.sabotage:
        trial.exits.enter_context(mock.patch.object(download, "find_damage", trial.sabotage))
    counts = {"verified": 0, "refused": 0}
    return [
        Case(f"answer {index}", partial(_fetch, server, trial.folder / str(index), f"{trial.seed}-{index}", counts))
        for index in range(trial.size)
    ]


def _fetch(server: Server, folder: Path, seed: str, counts: dict[str, int]) -> str:
    server.pieces = _pieces(random.Random(seed))
    began = time.monotonic()
    try:
        for _ in download.downloading(folder, [FILE], [server.url], _open_plain, SECONDS):
            pass
        counts["verified"] += 1
    except DownloadError as error:
        counts["refused"] += 1
        said = str(error)
        assert len(said.splitlines()) == 1, said
    assert time.monotonic() - began < SECONDS + 2, "the download did not end in its time"
    found = {path.name: path.read_bytes() for path in folder.glob("*")} if folder.exists() else {}
    assert found in ({}, {"one": CONTENT}), f"in the folder: { {name: len(each) for name, each in found.items()} }"
    return f"{counts['verified']} downloads verified, {counts['refused']} refused"


def _open_plain(url: str) -> Any:
    return urllib.request.urlopen(url, timeout=SECONDS)


def _pieces(chance: random.Random) -> list[tuple[bytes, float]]:
    """An answer as the server sends it."""
    body = bytearray(gzip.compress(CONTENT, 1))
    for _ in range(chance.choice([0, 0, 1, 2])):
        _damage(body, chance)
    length = len(body) if chance.random() < 0.9 else chance.choice([0, 1, len(body) * 2, 10**18, -1])
    status = chance.choices(["200 OK", "206 Partial Content", "404 Not Found", "503 Wait", "x"], [30, 1, 1, 1, 1])[0]
    head = bytearray(f"HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n", "ascii")
    if chance.random() < 0.1:
        _damage(head, chance)
    answer = bytes(head + body)
    cuts = sorted(chance.randrange(len(answer)) for _ in range(chance.randrange(4)))
    pieces = [answer[start:end] for start, end in zip([0, *cuts], [*cuts, len(answer)], strict=True)]
    if chance.random() < 0.1:
        pieces = pieces[:-1]  # It hangs up.
    return [(piece, chance.choices([0, 0.01, 0.1, 1.5], [20, 2, 2, 1])[0]) for piece in pieces]


def _damage(content: bytearray, chance: random.Random) -> None:
    """Changes, cuts out, doubles or replaces a part."""
    at, size = chance.randrange(len(content)), chance.randrange(1, 200)
    match chance.randrange(5):
        case 0:
            content[at] ^= 1 << chance.randrange(8)
        case 1:
            del content[at : at + size]
        case 2:
            content[at:at] = content[at : at + size]
        case 3:
            content[at : at + size] = chance.randbytes(size)
        case _:
            content[:] = b"<html>Please log in</html>" if chance.random() < 0.5 else gzip.compress(bytes(10**7))


PART = Part(cases, full=1_000, quick=60, controls={"without the digest": lambda content, file: ""})
