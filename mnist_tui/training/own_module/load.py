"""Runs a user's file and makes the module that they name; whatever fails in it becomes one line with its place."""

import importlib.util
import inspect
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from mnist_tui.errors import ModuleError
from mnist_tui.text import clean_line, did_you_mean

PACKAGE = Path(__file__).resolve().parents[2]


def load_module(file: Path, name: str) -> nn.Module:
    """The module called `name` in a file: an instance, or what the class or function of that name returns.

    Raises `ModuleError`, with the line of the file where something in it failed.
    """
    value = _named(_run(file), file, name)
    if not isinstance(value, nn.Module):
        _check_arguments(value, file, name)
        with failures_of(file):
            value = value()
    if not isinstance(value, nn.Module):
        raise ModuleError(f"{file}: {name} gives {type(value).__name__}, which is no torch.nn.Module")
    return value.cpu().eval()


@contextmanager
def failures_of(file: Path) -> Iterator[None]:
    """Raises whatever a user's code raises as `ModuleError`, with the last line of it that was reached."""
    try:
        yield
    except KeyboardInterrupt:
        raise
    except SyntaxError as error:
        place = f", line {error.lineno}" if error.lineno else ""
        raise ModuleError(f"{_named_file(error.filename, file)}{place}: {error.msg}") from None
    except BaseException as error:  # SystemExit, too: a script may call sys.exit().
        raise ModuleError(f"{place_of(error, file)}: {_words(error)}") from None


def place_of(error: BaseException, file: Path) -> str:
    """The file and line that an error came from, the last in the user's folder: `model.py, line 12`."""
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_own(Path(frame.filename), file)]
    if not own:
        return str(file)
    return f"{_named_file(own[-1].filename, file)}, line {own[-1].lineno}"


def _named_file(filename: str | None, file: Path) -> str:
    """A file as the user named it, where it is that one."""
    is_file = filename is None or Path(filename).resolve() == file.resolve()
    return str(file if is_file else filename)


def _is_own(path: Path, file: Path) -> bool:
    """Whether a file lies in the user's folder, and belongs neither to an installed package nor to this one."""
    path = path.resolve()
    is_package = "site-packages" in path.parts or path.is_relative_to(PACKAGE)
    return path.is_relative_to(file.parent.resolve()) and not is_package


def _words(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return "the file ends the process, by sys.exit() or the like"
    first_line = clean_line(str(error).strip().partition("\n")[0], 300)
    return f"{type(error).__name__}: {first_line}" if first_line else type(error).__name__


def _run(file: Path) -> ModuleType:
    """The file as a Python module; `if __name__ == "__main__":` is not true in it."""
    sys.path.insert(0, str(file.parent.resolve()))  # As `python file.py` does, so that it finds what lies beside it.
    spec = importlib.util.spec_from_file_location("own_module", file)
    if spec is None or spec.loader is None:
        raise ModuleError(f"{file}: is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules["own_module"] = module
    with failures_of(file):
        spec.loader.exec_module(module)
    return module


def _named(module: ModuleType, file: Path, name: str) -> Any:
    """The class, function or instance of a name; raises `ModuleError`, which names those that there are."""
    if name in vars(module):
        value = vars(module)[name]
        if isinstance(value, nn.Module) or callable(value):
            return value
        raise ModuleError(f"{file}: {name} is {type(value).__name__}, not a class of torch.nn.Module")
    known = [each for each, value in vars(module).items() if _is_own_module(value, module)]
    near = did_you_mean(name, known) or f"; it has {', '.join(known[:10]) or 'no class of torch.nn.Module'}"
    raise ModuleError(f"{file}: there is no {clean_line(name, 60)!r} in it{near}")


def _is_own_module(value: Any, module: ModuleType) -> bool:
    is_class = isinstance(value, type) and issubclass(value, nn.Module) and value.__module__ == module.__name__
    return is_class or isinstance(value, nn.Module)


def _check_arguments(value: Any, file: Path, name: str) -> None:
    """Raises `ModuleError` for a constructor that cannot be called without arguments."""
    try:
        parameters = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    needed = [one.name for one in parameters if one.default is one.empty and one.kind not in variadic]
    if needed:
        raise ModuleError(
            f"{file}: {name} needs arguments that have no default: {', '.join(needed)}; give them one, "
            f"or write a function without arguments that returns {name}(...), and name that"
        )
