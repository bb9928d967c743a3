"""The visitors of `--serve`: a process for each in a terminal of its own, and what becomes of it when they leave."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from aiohttp import ClientWebSocketResponse, CookieJar, web
from aiohttp.test_utils import TestClient, TestServer
from helpers.served_lab import until

from mnist_tui.serve.access import Access
from mnist_tui.serve.server import make_app
from mnist_tui.serve.visits import Visits, visitor_environment

Client = TestClient[web.Request, web.Application]

TRAINS = """
import os, signal, sys, time
from contextlib import suppress
from mnist_tui.served import is_served, take_terminal
take_terminal()
out = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
os.write(out, f"{os.getpid()}\\n".encode())
for name in ("SIGHUP", "SIGTERM", "SIGWINCH"):
    signal.signal(getattr(signal, name), lambda *got: os.write(out, f"{signal.Signals(got[0]).name}\\n".encode()))
with suppress(OSError):  # Whoever reads this may have closed the terminal before it is all written.
    print("ready", is_served(), *os.get_terminal_size(), flush=True)
end = time.monotonic() + 30  # Nobody else ends it if a test fails.
while "SIGTERM" not in open(sys.argv[1]).read() and time.monotonic() < end:
    time.sleep(0.02)
"""
"""Stands in for a laboratory that trains: it goes on after SIGHUP, and ends after SIGTERM."""
BLOCK = 65_536
WRITES = f"""
import os, sys
with open(sys.argv[1], "ab", buffering=0) as log:
    while True:
        os.write(1, b"x" * {BLOCK})
        log.write(b".")
"""
"""Writes blocks without end, and a dot to a file after each of them."""
MOST_BUFFERED = 20_000_000
"""Bytes that the buffers of a terminal, a connection and its two ends may hold: about 5 MB on Linux."""


@pytest.fixture
def signals(tmp_path: Path) -> Path:
    """The file into which the processes write the signals that they get."""
    return tmp_path / "signals"


def trains(signals: Path, limit: int) -> Visits:
    """Visits whose processes go on when they are hung up."""
    return Visits([sys.executable, "-c", TRAINS, str(signals)], limit)


@asynccontextmanager
async def client_of(visits: Visits) -> AsyncIterator[Client]:
    """A client with the cookie."""
    access = Access("127.0.0.1", 8000)
    async with TestClient(TestServer(make_app(access, visits)), cookie_jar=CookieJar(unsafe=True)) as client:
        await client.get("/", params={"token": access.token})
        yield client


async def connect(client: Client) -> ClientWebSocketResponse:
    """The WebSocket of the page."""
    origin = str(client.make_url("/").origin())
    return await client.ws_connect("/ws?width=100&height=30", headers={"Origin": origin})


async def output_of(websocket: ClientWebSocketResponse, words: bytes) -> bytes:
    """What the process has written, once `words` are among it."""
    output = b""
    while words not in output:
        output += await websocket.receive_bytes(timeout=20)
    return output


async def test_keys_and_output() -> None:
    """Keys reach the process, what it writes comes back; messages that are none change nothing."""
    async with client_of(Visits(["cat"], 1)) as client:
        websocket = await connect(client)
        for junk in ("", "[", "{}", "[]", '["stdin"]', '["stdin", 5]', '["resize", {"width": "x"}]', "[" * 99_999):
            await websocket.send_str(junk)
        await websocket.send_bytes(b"\x00")
        await websocket.send_json(["resize", {"width": 10**30, "height": -5}])
        await websocket.send_json(["stdin", "g\u00fcn\ud800\n"])
        await output_of(websocket, b"g\xc3\xbcn?\r\n" * 2)  # Echoed by the terminal, and written by cat.
        await websocket.send_json(["ping", "7"])

        assert await websocket.receive_json(timeout=20) == ["pong", "7"]
        await websocket.close()


async def test_the_terminal_of_the_process(signals: Path) -> None:
    """It has the page's size, before the process begins and after each change; the process knows that it is served."""
    async with client_of(trains(signals, 1)) as client:
        websocket = await connect(client)
        await output_of(websocket, b"ready True 100 30")
        await websocket.send_json(["resize", {"width": 90, "height": 20}])
        await until(lambda: "SIGWINCH" in signals.read_text())
        await websocket.close()


async def test_who_leaves_hangs_up(signals: Path) -> None:
    """The process gets SIGHUP, as after a lost SSH connection, and goes on; the place is free again."""
    visits = trains(signals, 1)
    async with client_of(visits) as client:
        websocket = await connect(client)
        await output_of(websocket, b"ready")
        await websocket.close()
        await until(lambda: "SIGHUP" in signals.read_text())

        assert visits.left_running == 1
        assert not visits.is_full
    assert "SIGTERM" not in signals.read_text()
    visits._left[0].terminate()
    await until(lambda: visits.left_running == 0)


async def test_as_many_go_on_as_there_are_visitors(signals: Path) -> None:
    """A further run is asked to save and to end."""
    visits = trains(signals, 1)
    async with client_of(visits) as client:
        for _ in range(2):
            websocket = await connect(client)
            await output_of(websocket, b"ready")
            await websocket.close()
            await until(lambda: not visits.is_full)
        await until(lambda: "SIGTERM" in signals.read_text())
        await until(lambda: visits.left_running == 0)  # Both read one file.

    assert len([line for line in signals.read_text().split() if line.isdecimal()]) == 2


async def test_the_limit(signals: Path) -> None:
    """One visitor more gets a sentence and no process, on the page and on its WebSocket; later there is room."""
    visits = Visits(["cat"], 2)
    async with client_of(visits) as client:
        first, second = [await connect(client) for _ in range(2)]
        origin = str(client.make_url("/").origin())
        for route in ("/", "/ws"):
            response = await client.get(route, headers={"Origin": origin})
            assert response.status == 503
            assert "2 visitors are here already" in await response.text()
        assert len(visits._here) == 2
        await first.close()
        await until(lambda: not visits.is_full)

        assert (await client.get("/")).status == 200
        await second.close()


async def test_a_process_that_ends(signals: Path) -> None:
    """The connection is closed, and the place is free."""
    visits = Visits(["sh", "-c", "echo good-bye"], 1)
    async with client_of(visits) as client:
        websocket = await connect(client)
        await output_of(websocket, b"good-bye")
        with suppress(TypeError):  # The message that closes it holds no bytes.
            while True:
                await websocket.receive_bytes(timeout=20)
        await until(lambda: not visits.is_full)

        assert websocket.closed


async def test_a_process_that_cannot_be_started() -> None:
    """The page gets a sentence."""
    async with client_of(Visits(["/no/such/program"], 1)) as client:
        origin = str(client.make_url("/").origin())
        headers = {"Origin": origin, "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
        response = await client.get("/ws", headers={**headers, "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="})

        assert response.status == 503
        assert "no laboratory can be started: No such file or directory" in await response.text()


async def test_who_reads_nothing_is_sent_nothing(signals: Path) -> None:
    """A process that writes without end waits: the server keeps no more than the buffers of the connection."""
    visits = Visits([sys.executable, "-c", WRITES, str(signals)], 1)
    async with client_of(visits) as client:
        websocket = await connect(client)
        reader = websocket._conn
        assert reader is not None
        assert reader.transport is not None
        reader.transport.pause_reading()
        await until(lambda: signals.exists() and signals.stat().st_size)
        written = 0
        while written != (written := BLOCK * signals.stat().st_size):
            assert written < MOST_BUFFERED
            await asyncio.sleep(1)
        process = visits._here[0].process

        assert process.poll() is None
        process.kill()
        reader.transport.resume_reading()


def test_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """That of the server, but for its terminal: colours and UTF-8 are those of xterm.js."""
    given = {"HOME": "/home/me", "TERM": "dumb", "COLUMNS": "40", "TEXTUAL_DRIVER": "x:Y"}
    monkeypatch.setattr("mnist_tui.serve.visits.locale.getencoding", lambda: "ANSI_X3.4-1968")
    environment = visitor_environment(given)

    assert environment == {
        "HOME": "/home/me",
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "MNIST_TUI_SERVED": "1",
        "LC_ALL": "C.UTF-8",
    }
