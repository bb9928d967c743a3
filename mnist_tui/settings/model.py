"""The settings: name, type, default and help of each; and what is wrong with a value, as data."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from mnist_tui.spec.run_options import Choices, DataDir, Dataset, Device, Fuse, MustBe, Options, RunsDir, Threads
from mnist_tui.text import clean_line


def _check_line(text: str) -> str:
    if text.strip() != text or not text or clean_line(text, 4_096) != text:
        raise ValueError
    return text


def _check_column(text: str) -> str:
    if "," in text:
        raise ValueError
    return text


def _check_keys(text: str) -> str:
    if not all(key and not re.search(r"\s", key) for key in text.split(",")):
        raise ValueError
    return text


Name = Annotated[str, AfterValidator(_check_line), MustBe("a name")]
ColumnName = Annotated[Name, AfterValidator(_check_column)]
Keys = Annotated[str, AfterValidator(_check_line), AfterValidator(_check_keys)]
KEYS = MustBe("keys, such as ctrl+t or t,f8")


class Settings(BaseModel):
    """The settings with their defaults. A relative path begins in the folder in which mnist-tui is started."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    preset: Annotated[
        Name, Field(description="Preset that the laboratory opens on the first time: a name, or FILE.toml.")
    ] = "iter5"
    brief: Annotated[
        Name | None,
        Field(
            description="Course brief whose current step the laboratory shows: a name, or FILE.toml.",
            examples=["steps"],
        ),
        MustBe("a name"),
    ] = None
    device: Device = Options.device
    dataset: Dataset = Options.dataset
    threads: Threads = Options.threads
    fuse: Fuse = Options.fuse
    runs_dir: RunsDir = Options.runs_dir
    data_dir: DataDir = Options.data_dir
    on_hangup: Annotated[
        Literal["continue", "stop"],
        Field(description="What a run does when its terminal is closed: continue, or stop and save."),
    ] = "continue"
    theme: Annotated[Literal["dark", "light"], Field(description="Theme for a dark or a light background.")] = "dark"
    ascii: Annotated[
        bool, Field(description="Draw with ASCII only: for terminals without box and braille characters.")
    ] = False
    mouse: Annotated[bool, Field(description="Use the mouse; without it the terminal selects text as usual.")] = True
    pixels: Annotated[
        bool,
        Field(
            description="Draw test images as real pixels in kitty, iTerm2, WezTerm and foot; needs the extra pixels."
        ),
    ] = False
    columns: Annotated[
        tuple[ColumnName, ...],
        BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value),
        Field(min_length=1, description="Columns of the table of runs, in their order."),
        MustBe("a list of columns"),
    ] = (  # In a narrow terminal some of them are left out: see tui/runs/fitting.py.
        *("name", "id", "seed", "state", "parameters", "curve", "best", "last"),
        *("gap", "epochs", "target", "when", "tag", "note"),
    )
    sort: Annotated[
        Name, Field(description="Column that the runs are sorted by; with - in front, the highest first.")
    ] = "-when"
    keymap: Annotated[
        Mapping[Name, Keys],
        Field(description="Other keys for an action, several with commas.", examples=[{"leave": "ctrl+q"}]),
        MustBe('a table of actions and their keys, such as start = "ctrl+t"'),
    ] = Field(default_factory=dict)


DEFAULTS = Settings()


def help_of(key: str) -> str:
    """One sentence on a setting."""
    return Settings.model_fields[key].description or ""


def choices_of(key: str) -> tuple[str, ...]:
    """The values that a setting may have, where it is one of several words; else none."""
    field = Settings.model_fields[key]
    named = next((each.words for each in field.metadata if isinstance(each, Choices)), ())
    return get_args(field.annotation) if get_origin(field.annotation) is Literal else named


def is_flag(key: str) -> bool:
    """Whether a setting is true or false."""
    return Settings.model_fields[key].annotation is bool


def must_be(key: str) -> str:
    """What an error says that the values of a setting must be; `keymap.ACTION` for one action."""
    if key.startswith("keymap."):
        return KEYS.words
    if said := [each.words for each in Settings.model_fields[key].metadata if isinstance(each, MustBe)]:
        return said[0]
    return f"one of {', '.join(('true', 'false') if is_flag(key) else choices_of(key))}"


# --- from text and documents ---


def from_text(key: str, text: str) -> Any:
    """The value that a file would hold for the text of a variable or an argument; else the text, which is refused."""
    annotation = Settings.model_fields[key].annotation if key in Settings.model_fields else str
    if annotation is bool:
        return {"true": True, "false": False}.get(text, text)
    if int in get_args(annotation):
        return int(text) if re.fullmatch("[0-9]{1,4}", text) else text
    if get_origin(annotation) is tuple:
        return [name.strip() for name in text.split(",")]
    if key == "keymap":
        return {action: keys for action, _, keys in (pair.partition("=") for pair in text.split())}
    return text


@dataclass(frozen=True)
class WrongSetting:
    """What is wrong in a document of settings."""

    key: str
    """As written; `keymap.ACTION` for an action of the keymap."""
    value: Any
    is_known: bool
    """False: there is no such setting."""


def validate(document: Mapping[str, Any]) -> Settings | WrongSetting:
    """The settings of a document, with defaults for the others; or the first mistake in it."""
    try:
        return Settings.model_validate(dict(document))
    except ValidationError as error:
        key, *inside = error.errors(include_url=False)[0]["loc"]
    value = document[str(key)]
    if key == "keymap" and inside and isinstance(value, dict):
        return WrongSetting(f"keymap.{inside[0]}", value.get(inside[0]), is_known=True)
    return WrongSetting(str(key), value, is_known=key in Settings.model_fields)
