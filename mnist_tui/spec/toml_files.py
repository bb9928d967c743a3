"""TOML files that have a name: the built-in ones, the user's own, those of the working folder. Presets and briefs."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import platformdirs

from mnist_tui.errors import FileError, InputError, SpecError
from mnist_tui.files import parse_toml, read_bytes, read_text
from mnist_tui.spec.typed_settings import example, unreadable
from mnist_tui.text import as_name, clean_line, did_you_mean

T = TypeVar("T")

MAX_BYTES = 65_536
"""The largest file that is parsed: larger ones can cost Python's TOML parser gigabytes (CPython gh-149231)."""

MAX_LINE = 200
"""Characters of a line in which a wrong number is looked for: a pattern may take the square of its length."""


@dataclass(frozen=True)
class NamedFiles:
    """One kind of file: where it is looked for, and how its errors are worded. A file's name is its key."""

    noun: str
    """What one is called, such as `preset`."""
    folder: str
    """The name of the folders that hold them, such as `models`."""
    error: type[InputError]
    """Raised for every file that cannot be used."""
    listed_by: str
    """The command that lists them."""
    sections: tuple[str, ...] = ()
    """Folders inside the built-in one whose files are listed after its own."""

    def builtin_folder(self) -> Path:
        """The folder of the built-in files: inside the package in a wheel, beside it in a checkout."""
        package = Path(__file__).parents[1]
        return next(path for path in (package / self.folder, package.parent / self.folder) if path.is_dir())

    def user_folder(self) -> Path:
        """The folder of the user's own files."""
        return platformdirs.user_config_path("mnist-tui") / self.folder

    def folders(self, extra: Path | None = None) -> list[Path]:
        """The folders that are there: built in, the user's, that of the working folder, and `extra`."""
        if extra is not None and not extra.is_dir():
            raise self.error(f"{extra}: there is no such folder of {self.noun}s")
        builtin = self.builtin_folder()
        sections = [builtin / section for section in self.sections]
        candidates = [builtin, *sections, self.user_folder(), Path(self.folder), extra]
        unique: dict[Path, Path] = {}
        for folder in candidates:
            if folder is not None and folder.is_dir():
                unique.setdefault(folder.resolve(), folder)
        return list(unique.values())

    def find(self, extra: Path | None = None) -> dict[str, Path]:
        """Every file by its name; raises `error` where two that differ share a name."""
        paths: dict[str, Path] = {}
        for folder in self.folders(extra):
            for path in sorted(folder.glob("*.toml"), key=natural):
                first = paths.setdefault(as_name(path.stem), path)
                if first is not path and not _same_content(first, path):
                    name = as_name(path.stem)
                    raise self.error(f"two {self.noun}s are called {name}: {first} and {path}; rename one")
        return paths

    def path_of(self, name: str, extra: Path | None = None) -> Path:
        """The file called `name`, or the one whose path `name` is; raises `error` for an unknown name."""
        self.folders(extra)  # Raises where `extra` is no folder, also where `name` is a file.
        if name.endswith(".toml") or "/" in name:
            return Path(name)
        known, name = self.find(extra), as_name(name)
        if name not in known:
            near = did_you_mean(name, known) or f"; `{self.listed_by}` shows all"
            raise self.error(f"there is no {self.noun} {clean_line(name, 60)!r}{near}")
        return known[name]

    def read(self, path: Path, make: Callable[[Mapping[str, Any]], T], place: Callable[[SpecError, str], str]) -> T:
        """What `make` returns for the document in a file; raises `error`, a line that begins with the path.

        `place` gets an error of `make` and the file's text, and says where it is, such as `line 24: `.
        """
        file = clean_line(str(path), 200)
        try:
            text = read_text(path, MAX_BYTES)
            return make(parse_toml(text))
        except FileError as error:
            raise self.error(f"{file}: {clean_line(error.why)}") from None
        except SpecError as error:
            raise self.error(f"{file}, {place(error, text)}{error}") from None
        except (ValueError, RecursionError) as error:
            raise self.error(f"{file}{_number_error(str(error), text) or f': {clean_line(str(error), 300)}'}") from None


def _same_content(first: Path, second: Path) -> bool:
    """Whether two files are equal, as the built-in files of a checkout and of an installed package are."""
    try:
        return read_bytes(first, MAX_BYTES) == read_bytes(second, MAX_BYTES)
    except FileError:
        return False


def natural(path: Path) -> list[tuple[int, str]]:
    """A key that sorts `step2` before `step10`."""
    return [(int(number or 0), word) for number, word in re.findall(r"(\d+)|(\D+)", path.stem)]


def _number_error(error: str, text: str) -> str | None:
    """Where TOML is wrong because of a number: `, line 9: epochs: cannot read '1e'; enter a number such as 20`."""
    line_number = re.search(r"\(at line (\d+),", error)  # tomllib has it in its message alone.
    lines = ["", *text.split("\n")]
    line = lines[int(line_number[1])] if line_number is not None and int(line_number[1]) < len(lines) else ""
    if line_number is None or len(line) > MAX_LINE:
        return None
    setting = re.fullmatch(r'\s*"?([\w.-]+)"?\s*=\s*(|[-+.,\d][^#]*?)\s*(#.*)?', line)
    return setting and f", line {line_number[1]}: {setting[1]}: {unreadable(setting[2], example(setting[1]))}"
