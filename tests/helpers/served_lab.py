"""`mnist-tui --serve` as a process, and a visitor who speaks the page's protocol."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import aiohttp
import psutil
import pyte
from yarl import URL

from helpers.lab_terminal import PRESET
from helpers.python_processes import environment

SIZE = (120, 34)
RUN = ("--preset", "many.toml", "--dataset", "digits", "--device", "cpu", "--threads", "1")


class Server:
    """A server in a folder with the preset many.toml; its address, as it is printed."""

    def __init__(self, folder: Path, *arguments: str, epochs: int = 4, **variables: str) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        (folder / "many.toml").write_text(PRESET.format(epochs=epochs))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mnist_tui", "--serve", "--port", "0", *RUN, *arguments],
            cwd=folder,
            env=environment() | variables,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        self.address = URL(self.process.stdout.readline().strip())
        """With the token."""
        self.origin = self.address.origin()

    def laboratories(self) -> list[psutil.Process]:
        """The processes that it has started and that have not ended."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        return [each for each in children if each.status() != psutil.STATUS_ZOMBIE]

    def run_folders(self) -> list[Path]:
        """The run folders, by name."""
        return sorted(path.parent for path in self.folder.glob("runs/*/run.json"))

    def interrupt(self) -> tuple[int, str]:
        """Ctrl-C: the exit code, and what was printed to stderr."""
        self.process.send_signal(signal.SIGINT)
        said = self.process.communicate(timeout=30)[1]
        return self.process.returncode, said

    def close(self) -> None:
        """Kills it and every laboratory of it."""
        with suppress(psutil.NoSuchProcess):
            for process in self.laboratories():
                process.kill()
        self.process.kill()
        self.process.communicate()
        for process in psutil.process_iter(["cwd"]):  # A laboratory whose server has ended is nobody's child.
            if process.info["cwd"] == str(self.folder) and process.pid != os.getpid():
                with suppress(psutil.NoSuchProcess):
                    process.kill()


@contextmanager
def servers(folder: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers in a folder; all of them are killed at the end."""
    started: list[Server] = []

    def start(*arguments: str, epochs: int = 4, **variables: str) -> Server:
        started.append(Server(folder, *arguments, epochs=epochs, **variables))
        return started[-1]

    try:
        yield start
    finally:
        for server in started:
            server.close()


class Screen:
    """What xterm.js would show, by pyte."""

    def __init__(self, width: int = SIZE[0], height: int = SIZE[1]) -> None:
        self.cells = pyte.Screen(width, height)
        self._stream = pyte.ByteStream(self.cells)

    def feed(self, output: bytes) -> None:
        """Draws output of the process."""
        self._stream.feed(output)

    def text(self) -> str:
        """The characters on the screen."""
        return "\n".join(self.cells.display)

    def curves(self) -> str:
        """The cells of the charts' curves, which are drawn in braille as nothing else is."""
        return "".join(cell for cell in self.text() if "\u2800" <= cell <= "\u28ff")


class Visitor:
    """A connection as the page makes it."""

    def __init__(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        self.websocket = websocket
        self.screen = Screen()

    async def press(self, keys: str) -> None:
        """Sends keys."""
        await self.websocket.send_json(["stdin", keys])

    async def wait(self, is_so: Callable[[], object], seconds: float = 60) -> None:
        """Draws what comes until `is_so` returns something true."""
        end = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < end, f"the condition never became true; on the screen:\n{self.screen.text()}"
            with suppress(TimeoutError):
                message = await self.websocket.receive(timeout=0.2)
                if message.type == aiohttp.WSMsgType.BINARY:
                    self.screen.feed(message.data)

    async def wait_for(self, word: str, seconds: float = 60) -> None:
        """Waits until `word` is on the screen."""
        await self.wait(lambda: word in self.screen.text(), seconds)


@asynccontextmanager
async def session_with(address: URL | None) -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP session, which has sent the token of `address`, if any, and keeps its cookie."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        if address is not None:
            async with session.get(address) as response:
                assert response.status == 200
        yield session


@asynccontextmanager
async def visit(server: Server) -> AsyncIterator[Visitor]:
    """A visitor with the token; the connection is closed at the end, as when the tab is closed."""
    async with session_with(server.address) as session:
        address = (server.origin / "ws").with_query(width=str(SIZE[0]), height=str(SIZE[1]))
        async with session.ws_connect(address, headers={"Origin": str(server.origin)}, max_msg_size=0) as websocket:
            yield Visitor(websocket)


def epochs(folder: Path) -> int:
    """Epochs in the history of a run."""
    path = folder / "history.jsonl"
    return len(path.read_text().splitlines()) if path.exists() else 0


async def until(is_so: Callable[[], object], seconds: float = 60) -> None:
    """Waits until `is_so` returns something true."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "the condition never became true"
        await asyncio.sleep(0.05)
