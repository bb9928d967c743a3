"""`mnist-tui --serve`: the laboratory in a browser, and what is printed before anybody is let in."""

import os
import socket
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlencode

from mnist_tui.cli.arguments import run_options, whole_number
from mnist_tui.cli.lab import Opening, lab_request
from mnist_tui.errors import UsageError
from mnist_tui.text import clean_line

LOOPBACK = "127.0.0.1"
PORT = 8000
VISITORS = 4
MAX_VISITORS = 64

WARNING = """\
Whoever has this address can, as you:
  - train, stop, change, and move to the trash the runs in {runs_dir}; nobody limits how long, or how full the disk gets
  - save presets, columns and the last design in your settings
  - write exports, reports and pictures of digits as new files into any folder that you can write to; a report replaces
    a report
  They open no editor and no shell, and run no code of their own: `show FILE.py:CLASS` is a command, not a key.
At most {limit} visitors at a time. When one leaves, a run that is trained goes on, and is shown to whoever comes next.
"""
NETWORK = """\
{host} can be reached from other machines, and nothing is encrypted: who can read the network reads the token as well.
Safer is to leave --host out, and on the other machine: ssh -L {port}:localhost:{port} {name}
"""


@dataclass(frozen=True)
class Endpoint:
    """Where the server listens, and how many visitors it has at a time."""

    host: str
    port: int
    """0 takes one that is free."""
    limit: int


def serve_lab(opening: Opening, plain: bool, host: str | None, port: str | None, visitors: str | None) -> int:
    """Serves the laboratory until Ctrl-C; every visitor's process gets this process's own command line.

    Raises `UsageError` for a wrong option, and where textual-serve is missing.
    """
    if plain or opening.starts:
        raise UsageError("--plain and --start are not allowed with --serve: every visitor opens a laboratory")
    endpoint = _endpoint(host, port, visitors)
    if find_spec("textual_serve") is None:
        raise UsageError("a browser needs textual-serve: pip install textual-serve (or 'mnist-tui[web]')")
    lab_request(opening)  # What is wrong with the command line is said here, not in every browser.
    from mnist_tui.serve import server
    from mnist_tui.serve.access import Access
    from mnist_tui.serve.visits import Visits

    listener = _listen(endpoint.host, endpoint.port)
    port_used = listener.getsockname()[1]
    access = Access(endpoint.host, port_used)
    visits = Visits([sys.executable, *sys.orig_argv[1:]], endpoint.limit)
    _print_address(endpoint, port_used, access.token, run_options(opening.given).runs_dir)
    server.run(listener, access, visits)
    if count := visits.left_running:
        which, what = ("s go", "one") if count > 1 else (" goes", "it")
        print(f"{count} run{which} on; watch {what} with: mnist-tui watch", file=sys.stderr)
    return 0


def _endpoint(host: str | None, port: str | None, visitors: str | None) -> Endpoint:
    if host == "":
        raise UsageError(f"--host is empty; leave it out to listen at {LOOPBACK}")
    return Endpoint(
        host or LOOPBACK,
        PORT if port is None else whole_number("--port", port, 0, 65_535),
        VISITORS if visitors is None else whole_number("--visitors", visitors, 1, MAX_VISITORS),
    )


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens there; raises `UsageError`."""
    try:
        (family, *_, address), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return socket.create_server(address[:2], family=family)
    except (OSError, UnicodeError) as error:
        where = f"--host {clean_line(host, 100)}, --port {port}"
        raise UsageError(f"{where}: cannot listen there: {_reason(error)}; name another") from None


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno and error.errno > 0:
        return os.strerror(error.errno)  # `strerror` of a socket's error repeats the address.
    return (isinstance(error, socket.gaierror) and error.strerror) or "is no name of a machine"


def _print_address(endpoint: Endpoint, port: int, token: str, runs_dir: Path) -> None:
    from mnist_tui.serve.access import is_loopback

    name = socket.gethostname()
    host = name if endpoint.host in ("0.0.0.0", "::") else endpoint.host
    host = f"[{host}]" if ":" in host else host
    print(f"http://{host}:{port}/?{urlencode({'token': token})}", flush=True)
    warning = WARNING.format(runs_dir=clean_line(str(runs_dir.absolute()), 300), limit=endpoint.limit)
    network = (
        "" if is_loopback(endpoint.host) else NETWORK.format(host=clean_line(endpoint.host, 100), port=port, name=name)
    )
    print(f"{warning}{network}Ctrl-C ends the server.", file=sys.stderr, flush=True)
