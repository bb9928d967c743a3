"""The bar of a download: on a terminal's stderr, gone when the run begins, and none where nobody looks."""

import io
import sys
import time
from collections.abc import Iterator

import pytest
from helpers.reliability import small_spec

from mnist_tui.cli.headless import FollowedRun
from mnist_tui.cli.output import Output
from mnist_tui.cli.progress_table import progress_table, show_downloads
from mnist_tui.runs.events import Downloading, Event, Notice, Progress

REPORTS = [Downloading("images.gz", received, 26_400_000) for received in (0, 6_600_000, 13_200_000)]


class Terminal(io.StringIO):
    """A stderr that is a terminal."""

    def isatty(self) -> bool:
        return True


def use_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A new stderr; not as a fixture, since pytest sets its own after them."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    return terminal


def test_a_bar_while_files_arrive(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file, how much of it, and what is left; whatever comes next finds the terminal as it was."""
    terminal = use_terminal(monkeypatch)
    before = []

    def events() -> Iterator[Event]:
        for report in REPORTS:
            yield report
            time.sleep(0.3)  # The bar is drawn four times a second.
        yield Notice("read")
        before.append(terminal.getvalue())

    assert list(show_downloads(events(), Output(as_json=False, quiet=False))) == [Notice("read")]
    assert "images.gz" in before[0]
    assert "13.2/26.4 MB" in before[0]
    assert before[0].count("\x1b[?25l") == before[0].count("\x1b[?25h") == 1


def test_a_run_that_is_followed_has_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever follows a run need not ask for it."""
    terminal = use_terminal(monkeypatch)
    FollowedRun(small_spec()).follow(iter([*REPORTS, Notice("read")]), Output(as_json=False, quiet=False))

    assert "images.gz" in terminal.getvalue()


def test_the_terminal_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Ctrl-C, or an error, gives the cursor back."""
    terminal = use_terminal(monkeypatch)

    def events() -> Iterator[Event]:
        yield from REPORTS
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(show_downloads(events(), Output(as_json=False, quiet=False)))

    assert terminal.getvalue().count("\x1b[?25h") == 1


@pytest.mark.parametrize(("as_json", "quiet"), [(True, False), (False, True)])
def test_no_bar(as_json: bool, quiet: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --json and with --quiet nothing of a download is printed."""
    terminal = use_terminal(monkeypatch)
    assert list(show_downloads(REPORTS, Output(as_json, quiet))) == []
    assert "images.gz" not in terminal.getvalue()


def test_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """A pipe gets no bar, and no event is printed as JSON."""
    for as_json in (False, True):
        output = Output(as_json, quiet=False)
        FollowedRun(small_spec()).follow(iter(REPORTS), output)

        assert list(show_downloads(REPORTS, output)) == []

    assert capsys.readouterr() == ("", "")


def test_beside_several_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where runs have a table, a download is one of its lines, until a run begins."""
    terminal = use_terminal(monkeypatch)
    with progress_table(Output(as_json=False, quiet=False)) as table:
        for report in (*REPORTS, Downloading("labels.gz", 1_000, 28_000)):
            table.show(0, "run s0", 1, report)
            time.sleep(0.3)  # The bar is drawn four times a second.
        shown = terminal.getvalue()
        table.show(0, "run s0", 1, Progress(1, 1, 2, 2.3, 0.1, 100.0))

    assert "13.2/26.4 MB" in shown
    assert "labels.gz" in shown
    assert "run s0" in terminal.getvalue().split("\n")[-2]
    assert ".gz" not in terminal.getvalue().split("\r")[-1]
