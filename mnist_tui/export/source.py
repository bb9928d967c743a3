"""Python expressions as source text in the layout of ruff and Black: on one line where it fits, else an item a line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mnist_tui.spec.calls import Name, Operation, Value, names_in, resolve, show

WIDTH = 88
"""Characters of a line, as ruff and Black take them without a configuration."""

Names = Mapping[str, bool | int | float | str]
"""What a name in a call stands for: a number, or, as a string, the name of a variable of the script."""


@dataclass(frozen=True)
class Source:
    """An expression: a text that stays on one line, or items between brackets."""

    text: str
    """The whole of it, or all up to the opening bracket: `nn.ReLU()`, `nn.Sequential(`, `padding=1`, `[`."""
    items: tuple["Source", ...] = ()
    end: str = ""
    """The closing bracket, where there are items."""
    comment: str = ""
    """A comment behind the expression, without the `#`."""
    above: tuple[str, ...] = ()
    """Comments on lines of their own before the expression, without the `#`."""

    def named(self, name: str) -> "Source":
        """The same expression as the keyword argument `name`."""
        return replace(self, text=f"{name}={self.text}")


def brackets(text: str, items: Sequence[Source], end: str = ")") -> Source:
    """`text`, which ends in an opening bracket, the items, and the closing bracket."""
    return Source(text, tuple(items), end) if items else Source(text + end)


def layout(source: Source, indent: int = 0, before: str = "", after: str = "") -> list[str]:
    """The lines of an expression, indented by so many spaces, with a text before and one behind it.

    A trailing comma is put behind the last item of an expression that is broken over lines, so that ruff and Black
    leave the lines as they are.
    """
    margin = " " * indent
    above = [f"{margin}# {comment}" for comment in source.above]
    line = _with_comment(f"{margin}{before}{_one_line(source)}{after}", source.comment)
    if not source.items or (len(line) <= WIDTH and not _has_comment(source)):
        return [*above, line]
    items = [line for item in source.items for line in layout(item, indent + 4, after=",")]
    return [
        *above,
        f"{margin}{before}{source.text}",
        *items,
        _with_comment(f"{margin}{source.end}{after}", source.comment),
    ]


def _one_line(source: Source) -> str:
    return source.text + ", ".join(map(_one_line, source.items)) + source.end


def _with_comment(line: str, comment: str) -> str:
    return f"{line}  # {comment}" if comment else line


def _has_comment(source: Source) -> bool:
    """Whether an expression inside the brackets has a comment."""
    return any(item.comment or item.above or _has_comment(item) for item in source.items)


def value_text(value: Value, names: Names) -> str:
    """A value without calls as Python text; names become numbers or, where `names` has a string, variables."""
    if isinstance(value, tuple):
        inside = ", ".join(value_text(item, names) for item in value)
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    variables = {name: text for name, text in names.items() if isinstance(text, str)}
    if isinstance(value, Name) and value.id in variables:
        return variables[value.id]
    if isinstance(value, Operation) and names_in(value) & set(variables):
        return f"{_operand(value.left, names)} {value.symbol} {_operand(value.right, names)}"
    return show(resolve(value, {name: number for name, number in names.items() if not isinstance(number, str)}))


def _operand(value: Value, names: Names) -> str:
    text = value_text(value, names)
    return f"({text})" if isinstance(value, Operation) and " " in text else text
