"""A connection to a Ray cluster: to one that is there, or to one that is started on this machine."""

import logging
import os
import secrets
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock, Timeout

from mnist_tui.errors import ClusterError, UsageError
from mnist_tui.sweep.cluster.options import LOCAL, PerRun
from mnist_tui.sweep.cluster.processes import wait_for_end, with_descendants
from mnist_tui.text import clean_line

PARENT, PREFIX, LOCK = Path("/tmp"), "mnist-tui-ray-", "lock"
"""Where a local Ray has its files. A socket's path may have 107 characters: macOS' $TMPDIR leaves too few to Ray."""
NEW_SECONDS = 60.0
"""A folder without a lock may be one that is just being made."""
CONNECT_SECONDS = 5.0
HTTP2_PREFACE, HTTP2_SETTINGS = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000"), b"\x04"
"""How a client of gRPC begins, and the kind of the frame with which every server of it answers (RFC 9113, 3.4)."""
OBJECT_STORE_BYTES = 128 * 2**20
"""Of a local Ray, in which nothing large is passed around."""

HINT = "write HOST:6379 on one of its nodes, and elsewhere ray://HOST"
ENVIRONMENT = {"RAY_USAGE_STATS_ENABLED": "0"}
"""Variables that Ray reads when it is imported."""
LOCAL_ENVIRONMENT = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # Despite its name, with 0 Ray listens on 127.0.0.1 only, on Linux too.
    "RAY_AUTH_MODE": "token",  # Other users of this machine reach 127.0.0.1, too.
}


class Cluster:
    """A connection to a cluster; `close` ends it, and the cluster where it was started here."""

    def __init__(self, address: str, per_run: PerRun) -> None:
        """Raises `ClusterError`, and `UsageError` where no node has what a run takes."""
        self.address, self._per_run = address, per_run
        self.is_local = address == LOCAL
        self._folder: Path | None = None
        self._started: list[psutil.Process] = []
        """The servers of a local Ray."""
        self._is_open = False
        for name, value in ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        try:
            with _own_signals():
                self._start() if self.is_local else self._connect()
            self._check_fits()
        except BaseException:
            self.close()
            raise

    @property
    def slots(self) -> int:
        """How many runs all nodes train at a time; raises `RayError`."""
        return sum(self._per_run.fits(resources) for resources in self._nodes())

    def close(self) -> None:
        """Disconnects; ends what was started here, and removes its files."""
        if self._is_open:
            import ray

            self._is_open = False
            started = with_descendants(self._started)
            with _own_signals(), suppress(Exception):
                ray.shutdown()
            wait_for_end(started)
        if self._folder is not None:
            for name in (*LOCAL_ENVIRONMENT, "RAY_AUTH_TOKEN"):
                os.environ.pop(name, None)
            shutil.rmtree(self._folder, ignore_errors=True)
            self._lock.release()
            self._folder = None

    def _start(self) -> None:
        _remove_leftovers()
        self._folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=PARENT))
        self._lock = FileLock(self._folder / LOCK)
        self._lock.acquire()
        os.environ |= LOCAL_ENVIRONMENT | {"RAY_AUTH_TOKEN": _token()}
        others = psutil.Process().children()
        self._init(
            LOCAL,
            include_dashboard=False,
            object_store_memory=OBJECT_STORE_BYTES,
            _temp_dir=str(self._folder),
            _node_ip_address="127.0.0.1",
        )
        self._started = [process for process in psutil.Process().children() if process not in others]

    def _connect(self) -> None:
        if _token.cache_info().currsize:  # Ray keeps the variables of the first cluster.
            raise ClusterError("this process has started a local Ray; connect to a cluster from a process of its own")
        if self.address != "auto":
            _check_answers(self.address)
        with _silent_stderr():
            self._init(self.address)

    def _init(self, address: str, **options: Any) -> None:
        import ray

        if ray.is_initialized():
            raise ClusterError("this process is connected to a Ray cluster already; use a process of its own")
        self._is_open = True
        # What Ray would print, of nodes that die even where it is told not to: the terminal may be a dashboard's.
        logging.getLogger("ray").addHandler(logging.NullHandler())
        ray._private.worker.print_to_stdstream = lambda *_, **__: None
        init = partial(
            ray.init, address, log_to_driver=False, logging_level="ERROR", configure_logging=False, **options
        )
        try:
            try:
                init()
            except ConnectionAbortedError:  # The server for clients forks one for this client, which may die of gRPC.
                init()
        except Exception as error:  # Ray raises a dozen kinds: ConnectionError, RuntimeError, ValueError, RpcError, ...
            why = clean_line(str(error), 300)
            if self.is_local:
                raise ClusterError(f"--on ray: Ray does not start on this machine: {why}") from None
            raise ClusterError(f"the Ray cluster {self.address} cannot be used: {why}; {HINT}") from None

    def _check_fits(self) -> None:
        nodes = self._nodes()
        if any(map(self._per_run.fits, nodes)):
            return
        most = ", ".join(f"{max(node.get(kind, 0.0) for node in nodes):g} {kind}s" for kind in ("CPU", "GPU"))
        raise UsageError(f"--per-run {self._per_run}: no node of the cluster has as much; the most are {most}")

    def _nodes(self) -> Sequence[Mapping[str, float]]:
        import ray

        return [node["Resources"] for node in ray.nodes() if node["Alive"]]


@cache
def _token() -> str:
    """The secret of local Rays; Ray reads it once in a process."""
    return secrets.token_hex(32)


def _remove_leftovers() -> None:
    """Removes the files of local Rays whose process was killed."""
    for folder in PARENT.glob(f"{PREFIX}*"):
        with suppress(OSError, Timeout):
            if time.time() - folder.stat().st_mtime > NEW_SECONDS:
                with FileLock(folder / LOCK).acquire(timeout=0):
                    shutil.rmtree(folder, ignore_errors=True)


def _check_answers(address: str) -> None:
    """Raises `ClusterError` where no server of gRPC answers: Ray itself tries for three minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    why = "something else than Ray listens there"
    try:
        with socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS) as connection:
            if os.environ.get("RAY_USE_TLS", "0") != "0":
                return
            connection.sendall(HTTP2_PREFACE)
            if connection.recv(9)[3:4] == HTTP2_SETTINGS:
                return
    except OSError as error:
        why = error.strerror or str(error) or "no answer"
    kind = "a head node takes clients (ray://)" if address.startswith("ray://") else "a head node listens"
    raise ClusterError(f"{host}:{port}: {why}, where {kind}; is the cluster up? It is begun by: ray start --head")


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Sends what is written to stderr nowhere: Ray warns there once a second while it tries to connect."""
    saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keeps the handlers of this process, which Ray replaces, and its processes alive when the terminal is closed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    hang_up, terminate = signal.getsignal(signal.SIGHUP), signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # Inherited by the processes that are started.
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, hang_up)
        signal.signal(signal.SIGTERM, terminate)
