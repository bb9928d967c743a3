"""Finds and reads presets: the built-in ones, the user's own, those of the working folder, and any FILE.toml."""

import re
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

import platformdirs

from mnist_tui.errors import FileError, PresetError, SpecError
from mnist_tui.files import read_bytes, read_text, write_atomically
from mnist_tui.spec.run_spec import RunSpec, make_spec
from mnist_tui.spec.typed_settings import example, unreadable
from mnist_tui.text import as_name, clean_line, did_you_mean, is_name

MAX_BYTES = 65_536
"""The largest preset that is parsed: larger files can cost Python's TOML parser gigabytes (CPython gh-149231)."""

MAX_LINE = 200
"""Characters of a line in which a wrong number is looked for: a pattern may take the square of its length."""

MAX_NAME = 60
"""Characters of a new preset's name."""
MAX_DOTS = 1_000
"""Dotted keys cost the parser the square of their parts; presets need none, numbers few."""


def builtin_folder() -> Path:
    """The folder of built-in presets: inside the package in a wheel, beside it in a checkout."""
    package = Path(__file__).parents[1]
    return next(folder for folder in (package / "models", package.parent / "models") if folder.is_dir())


def user_folder() -> Path:
    """The folder of the user's own presets."""
    return platformdirs.user_config_path("mnist-tui") / "models"


def folders(extra: Path | None = None) -> list[Path]:
    """Where presets are looked for: built in, the user's configuration folder, `./models`, and `extra`."""
    if extra is not None and not extra.is_dir():
        raise PresetError(f"{extra}: there is no such folder of presets")
    candidates = [builtin_folder(), user_folder(), Path("models")]
    existing = [folder for folder in [*candidates, extra] if folder is not None and folder.is_dir()]
    unique: dict[Path, Path] = {}
    for folder in existing:
        unique.setdefault(folder.resolve(), folder)
    return list(unique.values())


def find(extra: Path | None = None) -> dict[str, Path]:
    """Every preset's file by its name, which is the file's; raises `PresetError` where two that differ share a name."""
    paths: dict[str, Path] = {}
    for folder in folders(extra):
        for path in sorted(folder.glob("*.toml"), key=_natural):
            first = paths.setdefault(as_name(path.stem), path)
            if first is not path and not _same_content(first, path):
                raise PresetError(f"two presets are called {as_name(path.stem)}: {first} and {path}; rename one")
    return paths


def _same_content(first: Path, second: Path) -> bool:
    """Whether two files are equal, as the built-in presets of a checkout and of an installed package are."""
    try:
        return read_bytes(first, MAX_BYTES) == read_bytes(second, MAX_BYTES)
    except FileError:
        return False


def _natural(path: Path) -> list[tuple[int, str]]:
    """A key that sorts `step2` before `step10`."""
    return [(int(number or 0), word) for number, word in re.findall(r"(\d+)|(\D+)", path.stem)]


def load(name: str, extra: Path | None = None) -> RunSpec:
    """The preset called `name`, or the one in the file `name` names; raises `PresetError`."""
    folders(extra)  # Raises where `extra` is no folder, also where `name` is a file.
    if name.endswith(".toml") or "/" in name:
        return load_file(Path(name))
    known, name = find(extra), as_name(name)
    if name not in known:
        near = did_you_mean(name, known) or "; `mnist-tui --list` shows all"
        raise PresetError(f"there is no preset {clean_line(name, 60)!r}{near}")
    return load_file(known[name])


def base_of(spec: RunSpec, extra: Path | None = None) -> RunSpec:
    """The preset that the spec of a run was made from, by its name; the spec itself where there is none to load."""
    with suppress(PresetError):
        path = find(extra).get(spec.name)
        return load_file(path) if path else spec
    return spec


def load_file(path: Path) -> RunSpec:
    """The preset in a file; its name is the file's, without the ending. Raises `PresetError`."""
    file = clean_line(str(path), 200)
    try:
        text = read_text(path, MAX_BYTES)
        document = parse_toml(text)
        return make_spec({**document, "name": as_name(path.stem)})
    except FileError as error:
        raise PresetError(f"{file}: {clean_line(error.why)}") from None
    except SpecError as error:
        raise PresetError(f"{file}, {_place(error, text)}{error}") from None
    except (ValueError, RecursionError) as error:
        raise PresetError(f"{file}{_number_error(str(error), text) or f': {clean_line(str(error), 300)}'}") from None


def parse_toml(text: str) -> dict[str, object]:
    """The document of a TOML text of at most `MAX_BYTES`; raises `ValueError` for any other text."""
    longest = max((line.count(".") for line in text.splitlines()), default=0)
    if longest > MAX_DOTS:
        raise ValueError(f"a line has {longest:,} dots, at most {MAX_DOTS:,} are read")
    return tomllib.loads(text)


def _number_error(error: str, text: str) -> str | None:
    """Where TOML is wrong because of a number: `, line 9: epochs: cannot read '1e'; enter a number such as 20`."""
    line_number = re.search(r"\(at line (\d+),", error)  # tomllib has it in its message alone.
    lines = ["", *text.split("\n")]
    line = lines[int(line_number[1])] if line_number is not None and int(line_number[1]) < len(lines) else ""
    if line_number is None or len(line) > MAX_LINE:
        return None
    setting = re.fullmatch(r'\s*"?([\w.-]+)"?\s*=\s*(|[-+.,\d][^#]*?)\s*(#.*)?', line)
    return setting and f", line {line_number[1]}: {setting[1]}: {unreadable(setting[2], example(setting[1]))}"


def _place(error: SpecError, text: str) -> str:
    """The line of the file that is wrong, as `line 24: `; "" where it cannot be told."""
    if error.where == ("layers",) and error.line is not None:
        return f"line {_layers_start(text) + error.line}: "
    line = _line_of(error.where, text) or _line_of(error.where[:-1], text)
    return f"line {line}: " if line else ""


def _layers_start(text: str) -> int:
    """The number of lines before the first line of the value of `layers`."""
    # TOML drops a line break right behind the opening quotes.
    opening = re.search(r"""(?m)^[ \t]*layers[ \t]*=[ \t]*(?:(?:\"{3}|'{3})\r?\n)?""", text)
    return text.count("\n", 0, opening.end()) if opening else 0


def _line_of(where: tuple[str, ...], text: str) -> int | None:
    """The line of a key, inside its table where it has one."""
    table, key = where[:-1], where[-1] if where else ""
    current: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*\[([\w.\"-]+)\]", line):
            current = tuple(header[1].split("."))
        if current == table and re.match(rf'\s*"?{re.escape(key)}"?\s*=', line):
            return number
    return None


@cache
def builtin_names() -> tuple[str, ...]:
    """The names of the built-in presets, in their order."""
    return tuple(path.stem for path in sorted(builtin_folder().glob("*.toml"), key=_natural))


def load_all(extra: Path | None = None) -> Iterator[RunSpec]:
    """Every preset that can be found, in the order of the folders and names."""
    for path in find(extra).values():
        yield load_file(path)


def with_knob(name: str, extra: Path | None = None) -> Iterator[str]:
    """The names of the presets that have a knob; files that cannot be used are skipped."""
    for path in find(extra).values():
        with suppress(PresetError):
            spec = load_file(path)
            if name in spec.knobs:
                yield spec.name


def check_new_name(name: str) -> str:
    """The name of a new preset, in normal form; raises `PresetError` for one that it cannot have, or that is taken."""
    name = as_name(name)
    if not is_name(name, MAX_NAME) or name.endswith(".toml"):
        raise PresetError(
            f"{clean_line(name, 60)!r}: a name has 1 to {MAX_NAME} letters and digits of any script, - _ and ., "
            "does not begin with - or ., and goes without .toml"
        )
    if (taken := find().get(name)) is not None:
        raise PresetError(f"there is a preset {name} already: {taken}")
    return name


def save(spec: RunSpec, name: str, base: RunSpec) -> Path:
    """Writes a spec as a new preset of the user's and returns its file; raises `PresetError`, or `OSError`.

    The numbers that the author of `base` reported are saved only where network and recipe are unchanged.
    """
    name = check_new_name(name)
    if (spec.layers, spec.knobs, spec.train) != (base.layers, base.knobs, base.train):
        spec = spec.model_copy(update={"reported": None, "title": f"{base.name}, changed", "source": base.source})
    folder = user_folder()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.toml"
    write_atomically(path, as_toml(spec).encode())
    return path


def as_toml(spec: RunSpec) -> str:
    """A spec as the text of a preset file, without values that are the default."""
    import tomlkit  # Slow to import, and used only to save.

    document = tomlkit.document()
    for key in ("title", "source"):
        if getattr(spec, key):
            document.add(key, tomlkit.string(getattr(spec, key)))
    layers = spec.layers if spec.layers.endswith("\n") else f"{spec.layers}\n"
    document.add("layers", tomlkit.string(layers, multiline=True))
    values = spec.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    for key in ("knobs", "train", "target", "reported"):
        if values.get(key):
            document.add(tomlkit.nl())
            document.add(key, tomlkit.item(values[key]))
    # TOML drops a line break right behind the quotes, so the layers may begin on a line of their own.
    return tomlkit.dumps(document).replace('layers = """', 'layers = """\n', 1)
