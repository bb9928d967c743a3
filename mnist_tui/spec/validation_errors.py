"""pydantic's errors in plain words: what is wrong with a field of a preset file, a brief or a saved run."""

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from mnist_tui.errors import CallError, LayerError, SpecError
from mnist_tui.text import clean_line, did_you_mean


def first_error(error: ValidationError, model: type[BaseModel]) -> SpecError:
    """The first error of a document of `model`, with the path of its field; a key that is missing comes last.

    So a required key that is misspelt is named as it was written, with its right spelling.
    """
    details = min(error.errors(), key=lambda each: each["type"] == "missing")
    where = tuple(clean_line(str(part), 60) for part in details["loc"] if part not in ("bool", "int", "float"))
    cause = details.get("ctx", {}).get("error")
    if isinstance(cause, LayerError) or (isinstance(cause, CallError) and not where):
        return SpecError(str(cause), ("layers",), cause.line)
    if isinstance(cause, SpecError):
        cause.place = ".".join(cause.where)
        return cause
    return SpecError(_reason(details, where, model), where, place=".".join(where))


_PLAIN_WORDS = {
    "Input should be": "should be",
    "String should": "should",
    "Tuple should": "should",
    " after validation": "",
    "a valid integer": "a whole number",
    "a valid number": "a number",
    "a valid string": "a text in quotes",
    "a valid tuple": "a list",
    "a valid dictionary": "a table",
}


def _reason(details: ErrorDetails, where: tuple[str, ...], model: type[BaseModel]) -> str:
    if details["type"] == "extra_forbidden":
        return "there is no such key" + did_you_mean(where[-1], _fields_at(where[:-1], model))
    if details["type"] == "missing":
        return "is missing"
    if where[:1] == ("knobs",) and details["type"] != "value_error":
        return f"must be a finite number, got {clean_line(repr(details['input']), 60)}"
    if details["type"] == "value_error":
        return str(details["ctx"]["error"])
    message = details["msg"].partition(" or instance of ")[0]
    for pydantic_words, plain_words in _PLAIN_WORDS.items():
        message = message.replace(pydantic_words, plain_words)
    value = details.get("input")
    got = f", got {clean_line(repr(value), 60)}" if isinstance(value, str | int | float) else ""
    is_percent = details["type"] == "less_than_equal" and isinstance(value, int | float) and value <= 100
    is_percent &= details.get("ctx", {}).get("le") == 1
    return message + got + (f"; {value} % is {value / 100:g}" if is_percent else "")


def _fields_at(where: tuple[str, ...], model: type[BaseModel]) -> list[str]:
    """The names of the fields of the model at a path."""
    for part in where:
        if part.isdigit():  # The index of a list.
            continue
        annotation = model.model_fields[part].annotation
        candidates = (annotation, *getattr(annotation, "__args__", ()))
        model = next(one for one in candidates if isinstance(one, type) and issubclass(one, BaseModel))
    return list(model.model_fields)
