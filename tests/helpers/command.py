"""`mnist-tui` in the process of a test."""

import sys
from collections.abc import Callable

import pytest

from mnist_tui.cli import main as cli

Command = Callable[..., tuple[int, str, str]]
"""Arguments to exit code, stdout and stderr."""


def in_process(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """`mnist-tui`, called with the arguments of a command line."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mnist-tui", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        shown = capsys.readouterr()
        return int(ended.value.code or 0), shown.out, shown.err

    return run
