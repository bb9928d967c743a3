"""`mnist-tui` in the process of a test."""

import io
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING
from unittest import mock

from mnist_tui.cli import main as cli

if TYPE_CHECKING:
    import pytest

Command = Callable[..., tuple[int, str, str]]
"""Arguments to exit code, stdout and stderr."""


def in_process(monkeypatch: "pytest.MonkeyPatch", capsys: "pytest.CaptureFixture[str]") -> Command:
    """`mnist-tui`, called with the arguments of a command line."""
    import pytest

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mnist-tui", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        shown = capsys.readouterr()
        return int(ended.value.code or 0), shown.out, shown.err

    return run


def call(*arguments: str) -> tuple[int, str, str]:
    """`mnist-tui` with these arguments, without pytest: the exit code, stdout and stderr."""
    printed, said = io.BytesIO(), io.BytesIO()
    out, err = (io.TextIOWrapper(each, encoding="utf-8", write_through=True) for each in (printed, said))
    code: object = 0
    with (
        mock.patch.object(sys, "argv", ["mnist-tui", *arguments]),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code
    return int(str(code or 0)), printed.getvalue().decode(), said.getvalue().decode()
