"""One PyTorch call as data: parsed from text, never evaluated, printed back as it was read.

`parse("Conv2d(2*width, 3, padding=1)")` gives a `Call`; `bind` checks its arguments against a signature and fills
in the defaults. What a call may contain: names, numbers, strings, `True`, `False`, `None`, lists, tuples, nested
calls and `+ - * // /` on numbers and knobs. Nothing else is read, so nothing else can be run.
"""

import ast
import inspect
import math
import operator
import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache

from mnist_tui.errors import CallError
from mnist_tui.text import did_you_mean, shorten

MAX_TEXT = 65_536  # Characters of one block of calls; the largest published network has under 1,000.
MAX_DIGITS = 18  # Of one number: keeps arithmetic on typed-in numbers instant.
MAX_NESTING = 50  # Levels of brackets; Python's own parser gives up near 100.
MAX_DEPTH = 100  # Levels of an expression, signs and terms of a sum included: recursive functions walk through it.


@dataclass(frozen=True)
class Name:
    """A name in an argument: a knob, a layer without brackets, or the recipe's `epochs` and `steps_per_epoch`."""

    id: str

    def __str__(self) -> str:
        return self.id


@dataclass(frozen=True)
class Operation:
    """Arithmetic of two values, such as `2*width`."""

    symbol: str
    left: "Value"
    right: "Value"

    def __str__(self) -> str:
        return f"{_operand(self.left)}{self.symbol}{_operand(self.right)}"


@dataclass(frozen=True)
class Call:
    """A call of a PyTorch class: its name, its positional and its keyword arguments."""

    name: str
    args: tuple["Value", ...] = ()
    kwargs: tuple[tuple[str, "Value"], ...] = ()
    line: int = field(default=1, compare=False)
    """The line of its text, from 1."""
    text: str = field(default="", compare=False)
    """The call as it was written; empty when it was made by the program."""

    def __str__(self) -> str:
        arguments = [show(value) for value in self.args]
        arguments += [f"{name}={show(value)}" for name, value in self.kwargs]
        return self.text or f"{self.name}({', '.join(arguments)})"

    def with_argument(self, name: str, value: "Value") -> "Call":
        """The same call with the keyword argument `name` set to `value`."""
        kwargs = dict(self.kwargs) | {name: value}
        return replace(self, kwargs=tuple(kwargs.items()), text="")


Value = bool | int | float | str | None | Name | Operation | Call | tuple["Value", ...]

_OPERATIONS: dict[str, Callable[..., int | float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "//": operator.floordiv,
    "/": operator.truediv,
}
_SYMBOLS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.FloorDiv: "//", ast.Div: "/"}


def parse(text: str) -> Call:
    """The one call written in `text`; raises `CallError` where there is none, or more than one."""
    calls = parse_lines(text)
    if len(calls) != 1:
        raise CallError(f"expected one call, such as Adam(lr=0.002), got {shorten(text)}")
    return calls[0]


def parse_lines(text: str) -> tuple[Call, ...]:
    """The calls of a block of text, one a line; comments and empty lines are passed over.

    A call may extend over several lines while a bracket is open. Raises `CallError` with the line.
    """
    lines = _lines(text)
    statements = _statements(lines, lines)
    source = [line.encode() for line in lines]
    return tuple(_call(_expression(statement), source) for statement in statements)


def parse_arguments(text: str) -> tuple[tuple["Value", ...], dict[str, "Value"]]:
    """The positional and the keyword arguments in `text`, as between the brackets of a call; raises `CallError`."""
    lines = _lines(f"f({text})")
    match _statements(lines, _lines(text)):
        case [ast.Expr(value=ast.Call(func=ast.Name(id="f")) as node)]:
            call = _nested_call(node, "arguments", [line.encode() for line in lines], 0)
            return call.args, dict(call.kwargs)
    raise CallError(f"cannot read {shorten(text)}: expected values with commas between them")


def _lines(text: str) -> list[str]:
    if len(text) > MAX_TEXT:
        raise CallError(f"the text has {len(text):,} characters, at most {MAX_TEXT:,} are read")
    return [line.strip() for line in re.split("\r\n|\r|\n", text)]


def _statements(lines: list[str], typed_lines: list[str]) -> list[ast.stmt]:
    """The statements in lines of Python; an error shows the line as it was typed."""
    text, typed = "\n".join(lines), "\n".join(typed_lines)
    _check_nesting(text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's remarks on odd literals are not for our users.
            return ast.parse(text).body
    except SyntaxError as error:
        line = typed_lines[error.lineno - 1] if error.lineno and error.lineno <= len(typed_lines) else typed
        raise CallError(f"cannot read {shorten(line)}: {_syntax_error(line, typed)}", error.lineno) from None
    except (ValueError, RecursionError, MemoryError):
        raise CallError(f"cannot read {shorten(typed)}: {_EXPECTED}") from None


_EXPECTED = "expected a call such as Conv2d(8, 3, padding=1)"
_NUMBER = re.compile(r"(?<![\w.])\.?\d(?:[\w.]|(?<=[eE])[+-])*")


def _syntax_error(line: str, text: str) -> str:
    """Why a text is no Python, as a reason: the number, bracket, comma or value that is wrong, where one is."""
    # Only the beginning of a long line is searched: the patterns below take time in the square of its length.
    code, whole = (re.sub(r"'[^'\n]*'|\"[^\"\n]*\"|#.*", "''", part) for part in (line[:500], text))
    for number in _NUMBER.findall(code):
        if not is_number(number):
            return f"{shorten(number, 30)} is not a number; enter one such as 0.001"
    if re.search("['\"]", code.replace("''", "")):
        return "a quotation mark is not closed"
    opened, closed = (sum(map(whole.count, signs)) for signs in ("([{", ")]}"))
    if opened != closed:
        return "a bracket is not closed" if opened > closed else "there is a closing bracket too many"
    if re.search(r"=\s*[,)]|[(,]\s*,", code):
        return "a value is missing"
    if re.search(r"[(\[].*[\w)\]'] +[\w(\[']", code):
        return "a comma is missing"
    return _EXPECTED


def is_number(text: str) -> bool:
    """Whether Python reads a text as one number: `0.001`, `1e-3`, `60_000`, but neither `0.0.1` nor `08`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return isinstance(ast.literal_eval(text), int | float)
    except (SyntaxError, ValueError):
        return False


def _check_nesting(text: str) -> None:
    depth = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        if depth > MAX_NESTING:
            raise CallError(f"brackets are nested more than {MAX_NESTING} deep")


def _expression(statement: ast.stmt) -> ast.expr:
    if isinstance(statement, ast.Expr):
        return statement.value
    raise CallError("expected a call such as ReLU(), got a Python statement", statement.lineno)


def _call(node: ast.expr, source: list[bytes]) -> Call:
    """A top-level call; a name without brackets is a call without arguments."""
    if isinstance(node, ast.Name):
        return Call(node.id, line=node.lineno, text=node.id)
    value = _value(node, source)
    if isinstance(value, Call):
        return value
    raise CallError(f"expected a call such as ReLU(), got {shorten(_text(node, source))}", node.lineno)


def _text(node: ast.expr, source: list[bytes]) -> str:
    """The node as it was written; `ast.get_source_segment` would split the whole source at every call."""
    rows = source[node.lineno - 1 : node.end_lineno]
    rows[-1] = rows[-1][: node.end_col_offset]
    rows[0] = rows[0][node.col_offset :]
    return b"\n".join(rows).decode()


def _value(node: ast.expr, source: list[bytes], depth: int = 0) -> Value:
    if depth > MAX_DEPTH:
        raise CallError(f"an expression is more than {MAX_DEPTH} levels deep", node.lineno)
    match node:
        case ast.Call(func=ast.Name(id=name)):
            return _nested_call(node, name, source, depth)
        case ast.Constant(value=bool() | int() | float() | str() | None as constant):
            return _constant(constant, node.lineno)
        case ast.Name(id=name):
            return Name(name)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _negative(_value(operand, source, depth + 1))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _SYMBOLS:
            return Operation(_SYMBOLS[type(op)], _value(left, source, depth + 1), _value(right, source, depth + 1))
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return tuple(_value(item, source, depth + 1) for item in items)
    raise CallError(
        f"{shorten(_text(node, source))} is not allowed: only calls, names, numbers, strings, lists and + - * // /",
        node.lineno,
    )


def _nested_call(node: ast.Call, name: str, source: list[bytes], depth: int) -> Call:
    kwargs: dict[str, Value] = {}
    for keyword in node.keywords:
        if keyword.arg is None:
            raise CallError(f"{name}: ** is not allowed here", node.lineno)
        if keyword.arg in kwargs:
            raise CallError(f"{name}: {keyword.arg} is given twice", node.lineno)
        kwargs[keyword.arg] = _value(keyword.value, source, depth + 1)
    args = tuple(_value(argument, source, depth + 1) for argument in node.args)
    return Call(name, args, tuple(kwargs.items()), node.lineno, _text(node, source))


def _constant(value: bool | int | float | str | None, line: int | None) -> Value:
    if isinstance(value, float) and not math.isfinite(value):
        raise CallError("a number is too large to be read", line)
    if isinstance(value, int) and abs(value) >= 10**MAX_DIGITS:
        raise CallError(f"a whole number has at most {MAX_DIGITS} digits", line)
    return value


def _negative(value: Value) -> Value:
    return -value if isinstance(value, int | float) else Operation("-", 0, value)


def _operand(value: Value) -> str:
    return f"({value})" if isinstance(value, Operation) else show(value)


def show(value: Value) -> str:
    """A value as Python text: strings in double quotes, sequences in round brackets, those of calls in square ones."""
    if isinstance(value, str):
        return '"' + value.encode("unicode_escape").decode("ascii").replace('"', '\\"') + '"'
    if isinstance(value, tuple):
        inside = ", ".join(show(item) for item in value)
        if any(isinstance(item, Call) for item in value):
            return f"[{inside}]"
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    return str(value)


def resolve(value: Value, names: Mapping[str, bool | int | float]) -> Value:
    """`value` with every name replaced by its number and every operation carried out.

    Raises `CallError` for a name that `names` does not have, a division by zero or a result that is not finite.
    """
    match value:
        case Name(id=name):
            if name not in names:
                advice = "; a number must be finite" if name in ("nan", "inf") else _known_names(name, names)
                raise CallError(f"unknown name {name!r}{advice}")
            return names[name]
        case Operation():
            return _calculate(value, names)
        case Call():
            return resolve_call(value, names)
        case tuple():
            return tuple(resolve(item, names) for item in value)
    return value


def _known_names(name: str, names: Iterable[str]) -> str:
    known = list(names)
    return did_you_mean(name, known) or (f"; known names are {', '.join(known)}" if known else "")


def _calculate(operation: Operation, names: Mapping[str, bool | int | float]) -> int | float:
    left, right = resolve(operation.left, names), resolve(operation.right, names)
    if not isinstance(left, int | float) or not isinstance(right, int | float):
        raise CallError(f"{operation}: {operation.symbol} works on numbers")
    try:
        result = _OPERATIONS[operation.symbol](left, right)
        _constant(result, None)
    except ZeroDivisionError:
        raise CallError(f"{operation}: division by zero") from None
    except OverflowError:
        raise CallError(f"{operation}: the result is too large") from None
    return result


def names_in(value: Value) -> set[str]:
    """The names (knobs) that a value uses."""
    match value:
        case Name(id=name):
            return {name}
        case Operation(left=left, right=right):
            return names_in(left) | names_in(right)
        case Call(args=args, kwargs=kwargs):
            return names_in((*args, *(item for _, item in kwargs)))
        case tuple():
            return {name for item in value for name in names_in(item)}
    return set()


def resolve_call(call: Call, names: Mapping[str, bool | int | float]) -> Call:
    """`resolve` for a call: the same call with plain values as arguments."""
    argument = ""
    kwargs: list[tuple[str, Value]] = []
    try:
        args = tuple(resolve(value, names) for value in call.args)
        for argument, value in call.kwargs:
            kwargs.append((argument, resolve(value, names)))
    except CallError as error:
        raise CallError(f"{call.name}: {error}", error.line or call.line, argument) from None
    return replace(call, args=args, kwargs=tuple(kwargs), text="")


@cache
def signature(text: str) -> inspect.Signature:
    """The signature written in `text` as a call: `"StepLR(step_size, gamma=0.1)"` has one required argument."""
    call = parse(text)
    either = inspect.Parameter.POSITIONAL_OR_KEYWORD
    required = [inspect.Parameter(str(name), either) for name in call.args]
    optional = [inspect.Parameter(name, either, default=resolve(default, {})) for name, default in call.kwargs]
    return inspect.Signature([*required, *optional])


def bind(call: Call, expected: inspect.Signature) -> dict[str, Value]:
    """Every argument of `call` by name, defaults filled in; raises `CallError` in the words of `expected`."""
    names = list(expected.parameters)
    for name, _ in call.kwargs:
        if name not in names:
            advice = did_you_mean(name, names) or _takes(names)
            raise CallError(f"{call.name} has no argument {name!r}{advice}", call.line, name)
    try:
        bound = expected.bind(*call.args, **dict(call.kwargs))
    except TypeError as error:
        raise CallError(f"{call.name}: {error}; it takes {signature_text(expected)}", call.line) from None
    bound.apply_defaults()
    return dict(bound.arguments)


def _takes(names: list[str]) -> str:
    return f"; it takes {', '.join(names)}" if names else "; it takes none"


def signature_text(expected: inspect.Signature) -> str:
    """A signature as text, less its annotations."""
    bare = [p.replace(annotation=inspect.Parameter.empty) for p in expected.parameters.values()]
    return str(expected.replace(parameters=bare, return_annotation=inspect.Signature.empty))
