"""What SECURITY.md says of running processes."""

import subprocess
import sys
from pathlib import Path

from helpers.lab_terminal import PRESET, Lab
from helpers.served_lab import servers

AUDIT = """
import sys
def note(event, arguments):
    if event in ("socket.bind", "socket.connect"):
        address = arguments[1]
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        address = arguments[:2]
    else:
        return
    if not isinstance(address, (str, bytes)):
        with open("sockets.log", "a") as log:
            log.write(f"{event} {address}\\n")
sys.addaudithook(note)
"""
"""Notes what the process binds or connects to, but for sockets of the file system, and each name that it looks up."""
LOOK_UP = """
import socket
socket.getaddrinfo("localhost", "80")
socket.gethostbyname("localhost")
socket.socket(socket.AF_UNIX).bind("a.socket")
"""


def test_the_dashboard_opens_no_connection(tmp_path: Path) -> None:
    """It opens, trains, shows its run in each mode, and has bound and connected to nothing."""
    (tmp_path / "many.toml").write_text(PRESET.format(epochs=2))
    lab = Lab(tmp_path, "--preset", "many.toml", "--dataset", "digits", "--device", "cpu", "--start", before=AUDIT)
    try:
        lab.wait_for("completed")
        for mode, words in (("2", "many"), ("4", "recall"), ("1", "t Train")):
            lab.press(mode)
            lab.wait_for(words)
        lab.press("q")
        code = lab.ended()
    finally:
        lab.close()

    assert code == 0
    assert not (tmp_path / "sockets.log").exists()


def test_a_server_is_noted(tmp_path: Path) -> None:
    """The control: the same hook sees the port of `--serve`."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(AUDIT)
    with servers(tmp_path / "work") as serve:
        server = serve(PYTHONPATH=f"{site}:{Path(__file__).parents[2]}")
        noted = (server.folder / "sockets.log").read_text()

    assert "socket.bind ('127.0.0.1', 0)" in noted


def test_a_name_that_is_looked_up_is_noted(tmp_path: Path) -> None:
    """The control of names; a socket of the file system is none of the network."""
    subprocess.run([sys.executable, "-c", AUDIT + LOOK_UP], cwd=tmp_path, check=True)
    noted = (tmp_path / "sockets.log").read_text().splitlines()

    assert noted == ["socket.getaddrinfo ('localhost', '80')", "socket.gethostbyname ('localhost',)"]
