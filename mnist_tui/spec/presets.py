"""Finds and reads presets: the built-in ones, the user's own, those of the working folder, and any FILE.toml."""

import re
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

from mnist_tui.errors import PresetError, SpecError
from mnist_tui.files import write_atomically
from mnist_tui.spec.data_spec import ON_MNIST
from mnist_tui.spec.run_spec import RunSpec, make_spec
from mnist_tui.spec.toml_files import NamedFiles, natural
from mnist_tui.text import as_name, clean_line, is_name

MAX_NAME = 60
"""Characters of a new preset's name."""

HOUSE = "house"
"""The folder of the house models: our own designs, chosen on validation images and measured with ten seeds."""

PRESETS = NamedFiles("preset", "models", PresetError, listed_by="mnist-tui --list", sections=(HOUSE,))


def builtin_folder() -> Path:
    """The folder of built-in presets: inside the package in a wheel, beside it in a checkout."""
    return PRESETS.builtin_folder()


def user_folder() -> Path:
    """The folder of the user's own presets."""
    return PRESETS.user_folder()


def find(extra: Path | None = None) -> dict[str, Path]:
    """Every preset's file by its name, which is the file's; raises `PresetError` where two that differ share a name."""
    return PRESETS.find(extra)


def load(name: str, extra: Path | None = None) -> RunSpec:
    """The preset called `name`, or the one in the file `name` names; raises `PresetError`."""
    return load_file(PRESETS.path_of(name, extra))


def base_of(spec: RunSpec, extra: Path | None = None) -> RunSpec:
    """The preset that the spec of a run was made from, by its name; the spec itself where there is none to load."""
    with suppress(PresetError):
        path = find(extra).get(spec.name)
        return load_file(path) if path else spec
    return spec


def load_file(path: Path) -> RunSpec:
    """The preset in a file; its name is the file's, without the ending. Raises `PresetError`."""
    return PRESETS.read(path, lambda document: make_spec({**document, "name": as_name(path.stem)}), _place)


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


def house_folder() -> Path:
    """The folder of the house models, inside that of the built-in presets."""
    return builtin_folder() / HOUSE


@cache
def builtin_names() -> tuple[str, ...]:
    """The names of the built-in presets, in their order: published models, then house models."""
    return (*published_names(), *house_names())


def published_names() -> tuple[str, ...]:
    """The names of the published models."""
    return _names_in(builtin_folder())


def house_names() -> tuple[str, ...]:
    """The names of the house models."""
    return _names_in(house_folder())


def _names_in(folder: Path) -> tuple[str, ...]:
    return tuple(path.stem for path in sorted(folder.glob("*.toml"), key=natural))


def load_builtin() -> Iterator[RunSpec]:
    """Every built-in preset, in their order; raises `PresetError`."""
    paths = find()
    for name in builtin_names():
        yield load_file(paths[name])


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
    if spec.data != ON_MNIST:  # Else its mean and standard deviation would be those of the data set.
        values.setdefault("train", {})["normalize"] = list(spec.train.normalize)
    for key in ("knobs", "data", "train", "target", "reported"):
        if values.get(key):
            document.add(tomlkit.nl())
            document.add(key, tomlkit.item(values[key]))
    # TOML drops a line break right behind the quotes, so the layers may begin on a line of their own.
    return tomlkit.dumps(document).replace('layers = """', 'layers = """\n', 1)
