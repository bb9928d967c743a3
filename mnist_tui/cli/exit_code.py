"""What a command raises, as one line on stderr and an exit code."""

import errno
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

from mnist_tui.crash_log import keep_traceback
from mnist_tui.errors import ExitCode, MnistTuiError
from mnist_tui.text import clean_line, did_you_mean

UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
"""Why the file, or the terminal, that the output goes to takes no more of it."""


def exit_code_of(run: Callable[[], int | None]) -> int:
    """The exit code of `run`; an exception becomes one line on stderr."""
    try:
        code = _run(run)
        print(end="", flush=True)  # Not at exit, where an error could not be reported any more.
        return code
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except MnistTuiError as error:
        print_error(str(error))
        return error.exit_code
    except typer.TyperException as error:
        print_error(_usage_error(error))
        return ExitCode.USAGE
    except BrokenPipeError:
        _drop_output()
        return ExitCode.OK
    except Exception as error:
        if isinstance(error, OSError) and _is_of_output(error):
            _drop_output()
            print_error(f"cannot write the output: {error.strerror}")
            return ExitCode.ENVIRONMENT
        if isinstance(error, PermissionError) and error.filename is not None:
            print_error(f"{error.filename}: {error.strerror}")
            return ExitCode.ENVIRONMENT
        return _report_crash(error)


def _run(run: Callable[[], int | None]) -> int:
    try:
        return run() or ExitCode.OK
    except typer.Exit as ended:  # After --help.
        return ended.exit_code


def _is_of_output(error: OSError) -> bool:
    """Whether printing failed. Its error names no file, and nobody prints but the commands and typer."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    module = f"{frame.f_globals.get('__name__')}."
    return error.errno in UNWRITABLE and error.filename is None and module.startswith(("mnist_tui.cli.", "typer."))


def _drop_output() -> None:
    """What is left to flush at exit goes nowhere."""
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115  # open for the rest of the process


def print_error(message: str) -> None:
    """Prints a message as one line on stderr."""
    print(f"mnist-tui: {clean_line(message, 10_000)}", file=sys.stderr)


def _usage_error(error: typer.TyperException) -> str:
    """What is wrong with the command line, and which help explains it.

    typer's own errors are told apart by the attributes that they have: it exports none of their classes.
    """
    context, parameter = getattr(error, "ctx", None), getattr(error, "param", None)
    if hasattr(error, "possibilities") and context is not None:
        options = [name for each in context.command.get_params(context) for name in (*each.opts, *each.secondary_opts)]
        name = str(getattr(error, "option_name", ""))
        message = f"there is no option {clean_line(name, 60)}{did_you_mean(name, options)}"
    elif parameter is not None and not error.message:
        message = f"{parameter.metavar or parameter.opts[0]} is missing"
    elif parameter is not None:
        message = f"{parameter.opts[0]}: {error.message}"
    else:
        message = error.format_message().rstrip(".")
        message = message[:1].lower() + message[1:300]
    return f"{message}; see {context.command_path if context is not None else 'mnist-tui'} --help"


def _report_crash(error: Exception) -> int:
    """Prints a defect of this program as one line, writes its traceback to a file, and returns the exit code."""
    where = keep_traceback(traceback.format_exc())
    what = f"{type(error).__name__}: {clean_line(str(error), 200)}"
    print_error(f"internal error: {what}; {where}")
    return ExitCode.FAILED


@contextmanager
def interruptible_import() -> Iterator[None]:
    """While PyTorch is loaded in the block, Ctrl-C ends the process at once; nothing has begun by then.

    Raised inside its C++ libraries, Python's KeyboardInterrupt can abort the process.
    """
    previous_handler = signal.signal(signal.SIGINT, lambda *_: os._exit(ExitCode.INTERRUPTED))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous_handler)
