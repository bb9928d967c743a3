"""`mnist-tui --serve` before anybody is let in: what is refused, and what is printed."""

import socket
from pathlib import Path

import pytest
from helpers.command import Command

from mnist_tui.cli import serve
from mnist_tui.serve import server


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written into the checkout, and no server is left running."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(server, "run", lambda listener, *_: listener.close())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--host", "0.0.0.0"), "--host goes with --serve"),
        (("--port", "80"), "--port goes with --serve"),
        (("--visitors", "2"), "--visitors goes with --serve"),
        (("--serve", "--list"), "--serve opens the laboratory; it is not allowed with --list or --batch"),
        (("--serve", "--batch", "iter5"), "--serve opens the laboratory; it is not allowed with --list or --batch"),
        (("--serve", "--plain"), "--plain and --start are not allowed with --serve"),
        (("--serve", "--start"), "--plain and --start are not allowed with --serve"),
        (("--serve", "--port", "x"), "--port x: must be a whole number between 0 and 65,535"),
        (("--serve", "--port", "65536"), "--port 65536: must be a whole number between 0 and 65,535"),
        (("--serve", "--visitors", "0"), "--visitors 0: must be a whole number between 1 and 64"),
        (("--serve", "--host", ""), "--host is empty; leave it out to listen at 127.0.0.1"),
        (
            ("--serve", "--host", "no.such.host.invalid"),
            "--host no.such.host.invalid, --port 8000: cannot listen there",
        ),
        (("--serve", "--host", "\ud800"), "cannot listen there: is no name of a machine"),
        (("--serve", "--port", "0", "--preset", "iter55"), "'iter55' is no preset, and no run in runs has that name"),
        (("--serve", "--port", "0", "--device", "gpu"), "--device gpu"),
    ],
)
def test_refused(arguments: tuple[str, ...], said: str, command: Command) -> None:
    """In one sentence, before the server begins."""
    code, out, err = command(*arguments)

    assert (code, out) == (2, "")
    assert said in err


def test_a_port_that_is_taken(command: Command) -> None:
    """The sentence names it."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, _, err = command("--serve", "--port", str(port))

    assert code == 2
    assert f"--port {port}: cannot listen there: Address already in use; name another" in err


def test_without_the_extra(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence says how to install it."""
    monkeypatch.setattr(serve, "find_spec", lambda _: None)
    code, _, err = command("--serve")

    assert code == 2
    assert err == "mnist-tui: a browser needs textual-serve: pip install textual-serve (or 'mnist-tui[web]')\n"


def test_the_address_and_the_warning(command: Command, tmp_path: Path) -> None:
    """The address with its token alone on stdout; what a visitor can do on stderr, with the folder of the runs."""
    code, out, err = command("--serve", "--port", "0", "--runs-dir", "kept", "--visitors", "2")

    assert code == 0
    assert out.startswith("http://127.0.0.1:")
    assert len(out.strip().partition("?token=")[2]) == 32
    assert f"the runs in {tmp_path / 'kept'}" in err
    assert "At most 2 visitors" in err
    assert "can be reached from other machines" not in err


@pytest.mark.parametrize(("host", "shown"), [("0.0.0.0", socket.gethostname()), ("localhost", "localhost")])
def test_other_machines(host: str, shown: str, command: Command) -> None:
    """Only an address that others reach has the second warning, with a safer way."""
    _, out, err = command("--serve", "--port", "0", "--host", host)

    assert out.startswith(f"http://{shown}:")
    assert ("0.0.0.0 can be reached from other machines, and nothing is encrypted" in err) is (host == "0.0.0.0")
    assert ("ssh -L" in err) is (host == "0.0.0.0")
