"""Course briefs: what a course asks for, step by step, found and read as presets are. Format: briefs/README.md."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, StringConstraints, ValidationError, field_validator

from mnist_tui.errors import BriefError, SpecError
from mnist_tui.spec import presets
from mnist_tui.spec.recipe import Frozen, Target
from mnist_tui.spec.toml_files import NamedFiles, natural
from mnist_tui.spec.validation_errors import first_error
from mnist_tui.text import as_name, clean_line, did_you_mean

MAX_STEPS = 100

BRIEFS = NamedFiles("brief", "briefs", BriefError, listed_by="mnist-tui brief")

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class Step(Frozen):
    """One step of a brief: what is asked, and the rules that a run must fulfil to reach it."""

    name: Line
    asked: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000)]
    """What the step asks for, in words; nothing is checked by it."""
    target: Target
    """The rules; at least one."""
    preset: str | None = None
    """The name of the preset that is the published solution."""

    @field_validator("name", "asked")
    @classmethod
    def _clean(cls, value: str) -> str:
        return clean_line(" ".join(value.split()), 2_000)

    @field_validator("target")
    @classmethod
    def _check_target(cls, target: Target) -> Target:
        if target.last_epochs is not None and target.test_accuracy is None:
            raise ValueError("last_epochs needs test_accuracy: which accuracy must they reach?")
        if target.parameters is None and target.test_accuracy is None and target.epochs is None:
            raise ValueError("has no rule; name at least one of test_accuracy, parameters, epochs")
        if target.epochs is not None and target.last_epochs is not None and target.last_epochs > target.epochs:
            raise ValueError(f"no run has {target.last_epochs} last epochs in at most {target.epochs} epochs")
        return target

    @field_validator("preset")
    @classmethod
    def _check_preset(cls, name: str | None) -> str | None:
        known = presets.find()
        if name is not None and as_name(name) not in known:
            near = did_you_mean(name, known) or "; `mnist-tui --list` shows all"
            raise ValueError(f"there is no preset {clean_line(name, 60)!r}{near}")
        return None if name is None else as_name(name)


class Brief(Frozen):
    """What a course asks for."""

    name: str = "unnamed"
    title: Line
    source: Annotated[str, Field(max_length=200)] = ""
    """Whose it is, and where it was published."""
    steps: tuple[Step, ...] = Field(max_length=MAX_STEPS)
    """At least one, in the order in which they are taken."""

    @field_validator("title", "source")
    @classmethod
    def _clean(cls, value: str) -> str:
        return clean_line(value)

    @field_validator("steps", mode="before")
    @classmethod
    def _check_steps(cls, steps: object) -> object:
        if steps == [] or isinstance(steps, dict):
            raise ValueError("a brief needs at least one step, which begins with [[steps]] in double brackets")
        return steps


def builtin_folder() -> Path:
    """The folder of built-in briefs: inside the package in a wheel, beside it in a checkout."""
    return BRIEFS.builtin_folder()


def find(extra: Path | None = None) -> dict[str, Path]:
    """Every brief's file by its name, which is the file's; raises `BriefError` where two that differ share a name."""
    return BRIEFS.find(extra)


@cache
def builtin_names() -> tuple[str, ...]:
    """The names of the built-in briefs, in their order."""
    return tuple(path.stem for path in sorted(builtin_folder().glob("*.toml"), key=natural))


def load(name: str, extra: Path | None = None) -> Brief:
    """The brief called `name`, or the one in the file `name` names; raises `BriefError`."""
    return load_file(BRIEFS.path_of(name, extra))


def load_file(path: Path) -> Brief:
    """The brief in a file; its name is the file's, without the ending. Raises `BriefError`."""
    return BRIEFS.read(path, lambda document: _named(as_name(path.stem), document), _place)


def _named(name: str, document: Mapping[str, Any]) -> Brief:
    if "name" in document:
        raise SpecError("there is no such key: a brief is called as its file is", ("name",), place="name")
    return make_brief({**document, "name": name})


def make_brief(document: Mapping[str, Any]) -> Brief:
    """The brief of a document (a parsed TOML file); raises `SpecError` for its first mistake."""
    try:
        return Brief.model_validate(document)
    except ValidationError as error:
        first = first_error(error, Brief)
        first.place = _in_words(first.where)
        raise first from None


def _in_words(where: tuple[str, ...]) -> str:
    """The path of a key as a person counts: `step 2, target.epochs`."""
    if where[:1] == ("steps",) and len(where) > 1:
        return ", ".join(part for part in (f"step {int(where[1]) + 1}", ".".join(where[2:])) if part)
    return ".".join(where)


def _place(error: SpecError, text: str) -> str:
    """The line of the file that is wrong, as `line 24: `; "" where it cannot be told."""
    lines = _lines_of_keys(text)
    paths = (error.where[:count] for count in range(len(error.where), 0, -1))
    line = next((lines[path] for path in paths if path in lines), None)
    return f"line {line}: " if line else ""


def _lines_of_keys(text: str) -> dict[tuple[str, ...], int]:
    """The line of each key and of the head of each step, by its path: `("steps", "1", "target", "epochs")`."""
    lines: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    step = -1
    for number, line in enumerate(text.splitlines(), start=1):
        if re.match(r"\s*\[\[\s*steps\s*\]\]", line):
            step += 1
            table = ("steps", str(step))
        elif header := re.match(r"\s*\[([\w.]+)\]", line):
            table = tuple(header[1].split("."))
            if table[0] == "steps" and step >= 0:  # TOML's [steps.target] is that of the step above.
                table = ("steps", str(step), *table[1:])
        elif key := re.match(r'\s*"?([\w-]+)"?((?:\.[\w-]+)*)\s*=', line):
            lines[(*table, key[1], *key[2].split(".")[1:])] = number
            continue
        lines.setdefault(table[:1], number)
        lines.setdefault(table, number)
    return lines
