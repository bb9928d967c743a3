"""Calls as data: what is read, what is refused, and that nothing is ever run."""

import keyword
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_tui.errors import CallError
from mnist_tui.spec.calls import (
    MAX_NESTING,
    Call,
    Name,
    Operation,
    Value,
    bind,
    is_number,
    names_in,
    parse,
    parse_arguments,
    parse_lines,
    resolve,
    resolve_call,
    signature,
)
from mnist_tui.text import did_you_mean, shorten

# --- reading and printing --------------------------------------------------------------------------------------------

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True).filter(lambda name: not keyword.iskeyword(name))
NUMBERS = st.integers(-(10**17), 10**17) | st.floats(allow_nan=False, allow_infinity=False)
LEAVES = st.none() | st.booleans() | NUMBERS | st.text(max_size=8) | NAMES.map(Name)


def extended(values: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    """One level of brackets or arithmetic around `values`."""
    operations = st.builds(Operation, st.sampled_from(["+", "-", "*", "//", "/"]), values, values)
    return operations | calls_of(values) | st.lists(values, max_size=3).map(tuple)


def calls_of(values: st.SearchStrategy[Value]) -> st.SearchStrategy[Call]:
    """Calls whose arguments are `values`."""
    kwargs = st.dictionaries(NAMES, values, max_size=3).map(lambda given: tuple(given.items()))
    return st.builds(Call, NAMES, st.lists(values, max_size=3).map(tuple), kwargs)


CALLS = calls_of(st.recursive(LEAVES, extended, max_leaves=8))


@given(CALLS)
def test_a_printed_call_is_read_back_equal(call: Call) -> None:
    """Printing and parsing are each other's inverse, whatever a call holds."""
    assert parse(str(call)) == call


@given(CALLS)
def test_a_call_is_printed_as_it_was_written(call: Call) -> None:
    """A parsed call keeps its text, and so does one that was parsed from that."""
    text = str(call)

    assert str(parse(text)) == text


@given(st.text(alphabet="aR(),=1.*-+/[]\"'#:\n\\ {}@", max_size=40) | st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text raises anything but `CallError`, and what is read is calls."""
    try:
        calls = parse_lines(text)
    except CallError:
        return

    assert all(type(call) is Call for call in calls)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-1", -1),
        ("1_000", 1000),
        ("1e-3", 0.001),
        ("True", True),
        ("None", None),
        ("'same'", "same"),
        ("[1, 2]", (1, 2)),
        ("(1,)", (1,)),
        ("()", ()),
        ("width", Name("width")),
        ("2*width", Operation("*", 2, Name("width"))),
        ("-width", Operation("-", 0, Name("width"))),
        ("(a + 1) // 2", Operation("//", Operation("+", Name("a"), 1), 2)),
        ("[CenterCrop(22)]", (Call("CenterCrop", (22,)),)),
    ],
)
def test_values_are_read(text: str, value: Value) -> None:
    """Arguments of every type are read as data."""
    call = parse(f"f({text}, key={text})")

    assert call.args == (value,)
    assert type(call.args[0]) is type(value)
    assert call.kwargs == (("key", value),)


def test_a_block_of_text_is_one_call_a_line() -> None:
    """Comments, empty lines and indents are passed over; an open bracket continues the call; a bare name is a call."""
    text = """
        # the first block
        Conv2d(8, 3)  # 26x26

        BatchNorm2d
        Residual(
            Conv2d(8, 3, padding=1),  # keeps the size
            ReLU,
        )
        Flatten()"""
    calls = parse_lines(text)

    assert [call.name for call in calls] == ["Conv2d", "BatchNorm2d", "Residual", "Flatten"]
    assert [call.line for call in calls] == [3, 5, 6, 10]
    assert calls[1] == Call("BatchNorm2d")
    assert calls[2] == Call("Residual", (Call("Conv2d", (8, 3), (("padding", 1),)), Name("ReLU")))
    assert "# keeps the size" in str(calls[2])
    assert parse(str(calls[2])) == calls[2]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_every_line_ending_counts_as_one(ending: str) -> None:
    """Files from other systems have the same lines."""
    assert [call.line for call in parse_lines(ending.join(["ReLU", "", "Tanh()", ""]))] == [1, 3]


@pytest.mark.parametrize("character", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\x1e"])
def test_only_a_line_ending_ends_a_comment(character: str) -> None:
    """No odd character makes a layer of a comment's rest, unseen by who reads the file."""
    assert [call.name for call in parse_lines(f"# a remark{character}Dropout(0.9)\nReLU()")] == ["ReLU"]


# --- refused ---------------------------------------------------------------------------------------------------------

REFUSED = {
    "attribute": "torch.load('x')",
    "attribute of a call": "__import__('os').system('x')",
    "attribute as argument": "f(os.name)",
    "call of a call": "f()()",
    "subscript": "f(a[0])",
    "lambda": "f(lambda: 0)",
    "comprehension": "f([x for x in y])",
    "generator": "f(x for x in y)",
    "f-string": "f(f'{a}')",
    "starred": "f(*a)",
    "starred in a list": "f([*a])",
    "two stars": "f(**a)",
    "power": "f(9**9)",
    "modulo": "f(5 % a)",
    "matrix product": "f(a @ b)",
    "shift": "f(1 << 60)",
    "comparison": "f(1 < 2)",
    "boolean operation": "f(a or b)",
    "not": "f(not a)",
    "condition": "f(1 if a else 2)",
    "walrus": "f(a := 1)",
    "dictionary": "f({1: 2})",
    "set": "f({1})",
    "bytes": "f(b'a')",
    "complex number": "f(1j)",
    "ellipsis": "f(...)",
    "19 digits": f"f({10**18})",
    "5,000 digits": f"f({'9' * 5000})",
    "hexadecimal": f"f(0x{'f' * 60_000})",
    "infinite": "f(1e400)",
    "minus infinite": "f(-1e400)",
    "one argument twice": "f(a=1, a=2)",
    "positional after named": "f(a=1, 2)",
    "assignment": "x = f()",
    "import": "import os",
    "definition": "def f(): pass",
    "yield": "(yield)",
    "await": "await f()",
    "number": "3",
    "string": "'ReLU()'",
    "list of calls": "[ReLU(), ReLU()]",
    "unclosed": "f(1, 2",
    "unopened": "f)",
    "NUL": "f(\0)",
    "lone surrogate": "f('\ud800')",
    "deep brackets": "[" * 10_000,
    "deep calls": "f(" * 10_000 + ")" * 10_000,
    "deep calls behind closing brackets": "#" + ")" * 10_000 + "\n" + "f(" * 10_000 + ")" * 10_000,
    "1 MB": "ReLU()\n" * 150_000,
    "1 MB on one line": "f(" + "a, " * 350_000 + ")",
    **{f"sum of {n:,}": f"f({'+'.join(['a'] * n)})" for n in (900, 5_000, 30_000)},
    **{f"{n:,} signs": f"f({'-' * n}a)" for n in (900, 5_000, 60_000)},
    **{f"{n:,} attributes": f"f(a{'.b' * n})" for n in (900, 30_000)},
    **{f"{n:,} calls of calls": f"f{'()' * n}" for n in (900, 30_000)},
    **{f"{n:,} times not": f"f({'not ' * n}a)" for n in (450, 15_000)},
    **{f"{n:,} conditions": f"f({'a if b else ' * n}c)" for n in (450, 5_000)},
    **{f"{n:,} lambdas": f"f({'lambda:' * n}a)" for n in (450, 9_000)},
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_everything_else_is_refused_at_once(text: str) -> None:
    """What is no plain call raises `CallError`, whatever it would cost Python to read or to show."""
    started = time.process_time()

    with pytest.raises(CallError) as caught:
        parse(text)
    assert time.process_time() - started < 10  # Of a busy machine; what is read after all takes minutes.
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("text", ["{}", "f({})"], ids=["lines", "arguments"])
def test_long_texts_are_read_at_once(text: str) -> None:
    """Reading takes time in proportion to the text: a form parses at every key.

    Eight times the text takes 64 times as long where every call costs a walk over the whole.
    """
    separator = "\n" if text == "{}" else ", "
    short, long = (text.format(f"ReLU(){separator}" * count) for count in (500, 4_000))

    assert _seconds_to_read(long) < 24 * _seconds_to_read(short)


def _seconds_to_read(text: str) -> float:
    """Processor time, the least of three: a collection of garbage in a large process takes a second."""
    seconds = []
    for _ in range(3):
        started = time.process_time()
        parse_lines(text)
        seconds.append(time.process_time() - started)
    return min(seconds)


def test_nesting_up_to_the_limit_is_read() -> None:
    """As many brackets as the limit allows are no burden."""
    deep = "f(" * MAX_NESTING + ")" * MAX_NESTING

    assert str(parse(deep)) == deep


def test_nothing_is_run(tmp_path: Path) -> None:
    """Text that would create a file when it is evaluated creates none, while Python's own `eval` does."""
    canary = tmp_path / "canary"
    text = f"open({str(canary)!r}, 'w')"
    call = parse(text)
    resolve(call, {})
    after_parsing = canary.exists()
    eval(text).close()  # The control: the text does what it says.

    assert not after_parsing
    assert canary.exists()


@pytest.mark.parametrize(
    ("text", "line"),
    [("\n\nf(a.b)", 3), ("f(\n1,\na.b)", 3), ("ReLU()\nf(", 2), ("ReLU\n\nx = 1", 3), ("a()\nf(**b)", 2)],
)
def test_errors_carry_the_line(text: str, line: int) -> None:
    """The line of an error counts from 1 and is the one where the wrong thing stands."""
    with pytest.raises(CallError) as caught:
        parse_lines(text)
    assert caught.value.line == line


@pytest.mark.parametrize("text", ["", "# nothing", "ReLU()\nReLU()"])
def test_one_call_is_expected_where_there_is_none_or_two(text: str) -> None:
    """`parse` reads exactly one call."""
    with pytest.raises(CallError, match="expected one call"):
        parse(text)


# --- knobs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("2*width", 16),
        ("width + 1", 9),
        ("width - 10", -2),
        ("width // 3", 2),
        ("width / 16", 0.5),
        ("-width", -8),
        ("(width + 1) * (width - 1)", 63),
        ("width - 1 - 1", 6),
        ("width - (1 - 1)", 8),
        ("2 + width * 3", 26),
        ("flag", True),
        ("[width, (width, 1)]", (8, (8, 1))),
    ],
)
def test_arithmetic_follows_python(text: str, result: Value) -> None:
    """Knobs become numbers by Python's own rules, also after the call was printed and read again."""
    knobs = {"width": 8, "flag": True}
    call = parse(f"f({text})")
    reprinted = parse(str(Call(call.name, call.args)))

    assert resolve_call(call, knobs).args == (result,)
    assert resolve_call(reprinted, knobs).args == (result,)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("widht", "unknown name 'widht'; did you mean 'width'?"),
        ("high", "unknown name 'high'; known names are width, zero"),
        ("nan", "unknown name 'nan'; a number must be finite"),
        ("1 / zero", "division by zero"),
        ("1 // 0.0", "divi"),
        ("width * 'a'", "works on numbers"),
        ("width * None", "works on numbers"),
        ("[1] * width", "works on numbers"),
        ("f() * 2", "works on numbers"),
        ("1e308 * 10", "too large"),
        ("999999999999999999 * 10", "at most 18 digits"),
        ("999999999999999999 * 1e300 * 1e300", "too large"),
    ],
)
def test_arithmetic_without_a_result_is_refused(text: str, words: str) -> None:
    """An unknown name and a result that is no finite number name the call and its line."""
    call = parse(f"\nDropout({text})")

    with pytest.raises(CallError) as caught:
        resolve_call(call, {"width": 8, "zero": 0})
    assert str(caught.value).startswith("Dropout: ")
    assert words in str(caught.value)
    assert caught.value.line == 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Dropout(0.0.1)", "'0.0.1' is not a number; enter one such as 0.001"),
        ("Dropout(1e)", "'1e' is not a number"),
        ("Linear(08)", "'08' is not a number"),
        ("Linear(3x)", "'3x' is not a number"),
        ("Conv2d(8, 3, padding=)", "a value is missing"),
        ("Conv2d(8,, 3)", "a value is missing"),
        ("Conv2d(8 3)", "a comma is missing"),
        ("Conv2d(8, 3", "a bracket is not closed"),
        ("Conv2d(8, 3))", "there is a closing bracket too many"),
        ("Conv2d(8, 3, padding='same)", "a quotation mark is not closed"),
        ("ReLU'", "a quotation mark is not closed"),
        ("Conv2d[8 := 3", "a bracket is not closed"),
        ("for x in y", "expected a call such as Conv2d(8, 3, padding=1)"),
        ("9" * 5_000, "expected a call such as Conv2d(8, 3, padding=1)"),
        ("ReLU\0", "expected a call such as Conv2d(8, 3, padding=1)"),
    ],
)
def test_what_cannot_be_read_is_explained_in_our_words(text: str, reason: str) -> None:
    """Not in those of Python's parser, which speaks of literals, tokens and assignments."""
    with pytest.raises(CallError) as caught:
        parse(f"ReLU()\n{text}" if len(text) < 1_000 else text)

    assert str(caught.value).startswith("cannot read ")
    assert reason in str(caught.value)


@pytest.mark.parametrize("text", ["0", "0.001", "1e-3", ".5", "5.", "60_000", "0x10", "1E+3"])
def test_numbers(text: str) -> None:
    """Numbers are read as Python writes them."""
    assert is_number(text)


@pytest.mark.parametrize("text", ["", "0.0.1", "1e", "08", "3x", "1j", "'1'", "1 2", "9" * 5_000, "(1,)", "nan"])
def test_no_numbers(text: str) -> None:
    """Numbers that Python refuses, and other values, are refused."""
    assert not is_number(text)


def test_a_resolved_call_prints_its_numbers() -> None:
    """A resolved call prints numbers in place of knobs, in nested calls too."""
    call = resolve_call(parse("f(2*width, [g(width)], key=width)"), {"width": 8})

    assert str(call) == "f(16, [g(8)], key=8)"


def test_names_in_finds_every_name() -> None:
    """Knobs are found in arithmetic, lists, nested calls and named arguments; calls' own names are none."""
    call = parse("f(a, 2*b, [c, (d,)], g(e, key=-f), 'x', key=h // 2)")

    assert names_in(call) == {"a", "b", "c", "d", "e", "f", "h"}


# --- arguments -------------------------------------------------------------------------------------------------------


def test_with_argument_sets_and_replaces() -> None:
    """The order of the arguments stays, a new one comes last, and the call it was made from is as before."""
    call = parse("SGD(lr=0.1,   momentum=0.9)")
    changed = call.with_argument("lr", 0.01).with_argument("nesterov", True)

    assert str(changed) == "SGD(lr=0.01, momentum=0.9, nesterov=True)"
    assert parse(str(changed)) == changed
    assert str(call) == "SGD(lr=0.1,   momentum=0.9)"


@pytest.mark.parametrize("text", ["a\nb", 'a"b', "a\\b", "a\\nb", "\r", "\x00", "\u2028", "\ud800", "'", "é"])
def test_a_string_argument_survives_printing(text: str) -> None:
    """Quotes, backslashes and line breaks are written so that they are read back."""
    call = Call("f").with_argument("key", text)

    assert parse(str(call)) == call


STEP = signature("StepLR(step_size, gamma=1/2, last=[1, -1])")


def test_bind_fills_in_defaults() -> None:
    """Every argument is there, in the signature's order; operations and lists in defaults are values."""
    assert bind(parse("StepLR(gamma=0.5, step_size=3)"), STEP) == {"step_size": 3, "gamma": 0.5, "last": (1, -1)}
    assert bind(parse("StepLR(3, 0.1)"), STEP) == {"step_size": 3, "gamma": 0.1, "last": (1, -1)}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("StepLR()", "missing a required argument: 'step_size'; it takes (step_size, gamma=0.5, last=(1, -1))"),
        ("StepLR(1, 2, 3, 4)", "too many positional arguments"),
        ("StepLR(1, step_size=2)", "multiple values for argument 'step_size'"),
        ("StepLR(1, gama=2)", "StepLR has no argument 'gama'; did you mean 'gamma'?"),
        ("StepLR(1, zzz=2)", "it takes step_size, gamma, last"),
    ],
)
def test_errors_of_wrong_arguments_have_the_signature(text: str, words: str) -> None:
    """The error says what is wrong and what the call takes, with its line."""
    call = parse(f"\n{text}")

    with pytest.raises(CallError) as caught:
        bind(call, STEP)
    assert words in str(caught.value)
    assert caught.value.line == 2


def test_a_call_without_arguments_says_so() -> None:
    """The error of an unknown argument does not list arguments where there are none."""
    with pytest.raises(CallError, match="f has no argument 'a'; it takes none"):
        bind(parse("f(a=1)"), signature("f()"))


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("conv2D", "Conv2d"),
        ("Conv3d", "Conv2d"),
        ("rellu", "ReLU"),
        ("zzz", None),
        ("", None),
        ("Conv2d" * 10_000, None),
    ],
)
def test_did_you_mean_finds_the_nearest(word: str, near: str | None) -> None:
    """A near word is offered as it is written, whatever its case; a far one is not."""
    assert did_you_mean(word, ["Conv2d", "ReLU"]) == (f"; did you mean {near!r}?" if near else "")


def test_shorten_keeps_a_text_from_outside_harmless() -> None:
    """The text is one line, quoted, cut, with control characters as escapes."""
    assert shorten("  a\nb") == "'a'"
    assert len(shorten("a" * 10_000)) <= 62
    assert "\x1b" not in shorten("\x1b[31m")


# --- the arguments of a call -----------------------------------------------------------------------------------------


def test_arguments_are_read_without_a_call() -> None:
    """Positional and keyword arguments, over several lines too."""
    assert parse_arguments("1, [2, x],\n  p=0.5") == ((1, (2, Name("x"))), {"p": 0.5})
    assert parse_arguments("") == ((), {})


@pytest.mark.parametrize("text", ["1) + f(2", "1)(2", "1)\nf(2", "1), f(2", "1).a(2", "\ud800", "08"])
def test_what_is_more_than_arguments_is_refused(text: str) -> None:
    """A bracket of its own does not end the call that the arguments are read in; the message shows what was typed."""
    with pytest.raises(CallError) as caught:
        parse_arguments(text)

    assert str(caught.value).startswith(f"cannot read {shorten(text)}")
