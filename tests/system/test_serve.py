"""`mnist-tui --serve` as a whole: real processes, spoken to as the page does (test_browser.py has the page)."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from helpers.served_lab import Server, epochs, servers, session_with, until, visit

Serve = Callable[..., Server]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts servers in a folder of their own."""
    with servers(tmp_path / "work") as start:
        yield start


async def test_a_visitor_trains_leaves_and_comes_back(serve: Serve) -> None:
    """A key trains, the curve moves; the run goes on without the visitor, and is on the screen of the next visit."""
    server = serve(epochs=1000)
    async with visit(server) as visitor:
        await visitor.wait_for("t Train")
        await visitor.press("t")
        await visitor.wait_for("epoch 4/1000")  # All curves are there: that of the test images begins with two epochs.
        first = visitor.screen.curves()
        await visitor.wait(lambda: visitor.screen.curves() != first)
    (folder,) = server.run_folders()
    left_at = epochs(folder)
    await until(lambda: epochs(folder) >= left_at + 3)
    async with visit(server) as visitor:
        await visitor.wait_for("/1000")
        await visitor.press("s")
        await until(lambda: (folder / "end.json").exists())

    assert json.loads((folder / "end.json").read_text())["outcome"] == "stopped"
    await until(lambda: not server.laboratories())


async def test_who_has_no_token_gets_nothing(serve: Serve) -> None:
    """Neither the page nor a laboratory, and no process is started."""
    server = serve()
    async with session_with(None) as session:
        for path in ("", "ws", "static/js/textual.js"):
            async with session.get(server.origin / path, headers={"Origin": str(server.origin)}) as response:
                assert response.status == 401
                assert "textual-terminal" not in await response.text()

    assert server.laboratories() == []


async def test_a_visitor_opens_no_program(serve: Serve, tmp_path: Path) -> None:
    """Neither the editor, which could start a shell, nor the shell of Ctrl-Z: the laboratory says so, and stays."""
    server = serve(EDITOR=f"touch {tmp_path / 'opened'}")
    async with visit(server) as visitor:
        await visitor.wait_for("t Train")
        await visitor.press("e")
        await visitor.wait_for("opens no other program")
    async with visit(server) as visitor:  # Another one, whose screen has not said it yet.
        await visitor.wait_for("t Train")
        await visitor.press("2")
        await visitor.wait_for("no run yet")
        await visitor.press("\x1a")
        await visitor.wait_for("opens no other program")
        await visitor.press("1")
        await visitor.wait_for("t Train")

    assert not (tmp_path / "opened").exists()


async def test_a_run_outlives_the_server(serve: Serve) -> None:
    """Ctrl-C ends the server with one sentence; the run completes."""
    server = serve(epochs=8)
    async with visit(server) as visitor:
        await visitor.wait_for("t Train")
        await visitor.press("t")
        await visitor.wait_for("epoch 2/8")
        code, said = server.interrupt()
        (folder,) = server.run_folders()
        await until(lambda: (folder / "end.json").exists())

    assert code == 0
    assert said.rstrip().endswith("1 run goes on; watch it with: mnist-tui watch")
    assert json.loads((folder / "end.json").read_text())["outcome"] == "completed"


async def test_a_run_that_is_left_running_is_counted(serve: Serve) -> None:
    """`q` and then leaving the run running closes the page; the server knows of the process as long as it trains."""
    server = serve(epochs=1000)
    async with visit(server) as visitor:
        await visitor.wait_for("t Train")
        await visitor.press("t")
        await visitor.wait_for("epoch 2/1000")
        await visitor.press("q")
        await visitor.wait_for("Leave")
        await visitor.press("l")
        await visitor.wait(lambda: visitor.websocket.closed)
    (folder,) = server.run_folders()
    left_at = epochs(folder)
    await until(lambda: epochs(folder) >= left_at + 2)
    laboratories = server.laboratories()
    _, said = server.interrupt()

    assert len(laboratories) == 2  # Of the supervisor and the dashboard.
    assert "1 run goes on" in said
