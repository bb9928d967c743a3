"""The server: its routes, and the WebSocket between the terminal of the page (xterm.js) and a visitor's process."""

import asyncio
import json
import logging
import socket
import sys
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from weakref import WeakSet

from aiohttp import WSCloseCode, WSMsgType, web

from mnist_tui.serve.access import HEADERS, MAX_BODY, PAGES, SOCKET_PATH, Access
from mnist_tui.serve.pseudo_terminal import TerminalProcess
from mnist_tui.serve.visits import Visits
from mnist_tui.text import clean_line

HEARTBEAT_SECONDS = 15
"""Between two pings: who does not answer one has left."""
MAX_MESSAGE = 2**20
"""Bytes of a message of the page, such as a text that is pasted."""
SHUTDOWN_SECONDS = 2.0


def run(listener: socket.socket, access: Access, visits: Visits) -> None:
    """Answers requests at `listener` until SIGINT or SIGTERM; the visitors' terminals are then closed."""
    log = logging.getLogger("aiohttp")
    log.addHandler(_OneLine())
    log.propagate = False
    app = make_app(access, visits)
    web.run_app(app, sock=listener, print=None, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)


def make_app(access: Access, visits: Visits) -> web.Application:
    """The web application: the page, its files, and a WebSocket that starts the process of a visitor."""
    server = _Server(visits)
    app = web.Application(middlewares=[access.check], client_max_size=MAX_BODY)
    app.on_response_prepare.append(_add_headers)
    app.on_shutdown.append(server.close)
    app.add_routes(
        [
            web.get("/", server.index),
            web.get(SOCKET_PATH, server.visit),
            web.static("/page", PAGES),
            web.static("/static", Path(str(files("textual_serve"))) / "static"),
        ]
    )
    return app


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)


class _OneLine(logging.Handler):
    """Prints what aiohttp logs, such as a malformed request, as one line without a traceback."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        what = f"{record.getMessage()}: {type(error).__name__}: {error}" if error else record.getMessage()
        print(f"mnist-tui: {clean_line(what, 200)}", file=sys.stderr)


class _Server:
    def __init__(self, visits: Visits) -> None:
        self._visits = visits
        self._sockets: WeakSet[web.WebSocketResponse] = WeakSet()

    async def index(self, _: web.Request) -> web.StreamResponse:
        """The page with the terminal."""
        self._refuse_if_full()
        return web.FileResponse(PAGES / "index.html")

    async def visit(self, request: web.Request) -> web.StreamResponse:
        """Starts a laboratory and connects it with the page, until one of the two is closed."""
        self._refuse_if_full()
        websocket = web.WebSocketResponse(heartbeat=HEARTBEAT_SECONDS, max_msg_size=MAX_MESSAGE)
        if not websocket.can_prepare(request):
            raise web.HTTPBadRequest(text="400: this address is for the page's WebSocket")
        try:
            terminal = self._visits.begin(_cells(request, "width", 80), _cells(request, "height", 24))
        except OSError as error:
            raise web.HTTPServiceUnavailable(text=f"503: no laboratory can be started: {error.strerror}") from None
        try:
            await websocket.prepare(request)
            self._sockets.add(websocket)
            output = asyncio.create_task(_send_output(terminal, websocket))
            try:
                await _receive(websocket, terminal)
            finally:
                output.cancel()  # And to its end, before the terminal is closed.
                await asyncio.gather(output, return_exceptions=True)
        finally:
            self._visits.end(terminal)
        return websocket

    async def close(self, _: web.Application) -> None:
        """Closes every connection: the server ends."""
        for websocket in set(self._sockets):
            await websocket.close(code=WSCloseCode.GOING_AWAY)

    def _refuse_if_full(self) -> None:
        if self._visits.is_full:
            limit = self._visits.limit
            raise web.HTTPServiceUnavailable(
                text=f"503: {limit} visitor{'s are' if limit > 1 else ' is'} here already; load this page again later"
            )


def _cells(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 6 else default


async def _send_output(terminal: TerminalProcess, websocket: web.WebSocketResponse) -> None:
    """Sends what the process writes to its terminal; closes the connection when the process has ended."""
    with suppress(ConnectionError):
        while output := await terminal.read():
            await websocket.send_bytes(output)
        await websocket.close()


async def _receive(websocket: web.WebSocketResponse, terminal: TerminalProcess) -> None:
    """Carries out the messages of the page, JSON lists as textual-serve's script sends them; others are ignored."""
    async for message in websocket:
        if message.type != WSMsgType.TEXT:
            continue
        match _as_json(message.data):
            case ["stdin", str(keys)]:
                await terminal.write(keys.encode(errors="replace"))
            case ["resize", {"width": int(width), "height": int(height)}]:
                terminal.resize(width, height)
            case ["ping", str(sent)]:
                await websocket.send_json(["pong", sent])


def _as_json(text: str) -> object:
    with suppress(ValueError, RecursionError):
        return json.loads(text)
    return None
