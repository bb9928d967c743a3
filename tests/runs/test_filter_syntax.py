"""The grammar of filters: what a text is read as, held against a printer, a naive evaluator, and noise."""

import time
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mnist_tui.errors import FilterError
from mnist_tui.runs import filters
from mnist_tui.runs.columns import ALL, OTHER_NAMES
from mnist_tui.runs.filter_syntax import MAX_DEPTH, MAX_LENGTH, OPERATORS, And, Not, Or, Tree, Word, parse
from mnist_tui.runs.record import Run
from mnist_tui.text import clean_line

A, B, C = Word("a"), Word("b"), Word("c")


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("", And(())),
        (" \n ", And(())),
        ("a", A),
        ("a b", And((A, B))),
        ("a AND b", And((A, B))),
        ("a or b", Or((A, B))),
        ("a b or c", Or((And((A, B)), C))),
        ("a or b c", Or((A, And((B, C))))),
        ("(a or b) c", And((Or((A, B)), C))),
        ("a(b)", Word("a(b)")),
        ("-a b", And((Not(A), B))),
        ("not a b", And((Not(A), B))),
        ("not a or b", Or((Not(A), B))),
        ("not not a", Not(Not(A))),
        ("-(a b)", Not(And((A, B)))),
        ("not(a)or(b)", Or((Not(A), B))),
        ("a-b", Word("a-b")),
        ("--a", Not(Word("-a"))),
        ("'a b' c\\ d", And((Word("a b", True), Word("c d", True)))),
        ("note:'a b'", Word("note:a b", True)),
        ("-'a b'", Not(Word("a b", True))),
        ("(x:(a))", Word("x:(a)")),
        ("'or' \"and\" '('", And((Word("or", True), Word("and", True), Word("(", True)))),
    ],
)
def test_what_a_text_is_read_as(text: str, tree: Tree) -> None:
    """Precedence, brackets and quotes; an operator is one in any case."""
    assert parse(text) == tree


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a or", "or: which condition comes after it? write one, as in: iter4 or iter5"),
        ("or a", "or: which condition comes before it?"),
        ("a or and b", "or: which condition comes after it?"),
        ("a OR or b", "or: which condition comes after it?"),
        ("and", "and: which condition comes before it? write one, as in: iter5 and acc>99.4"),
        ("a not", "not: which condition comes after it? write one, as in: not state:failed"),
        ("a -", "-: which condition comes after it? write one, as in: -state:failed"),
        ("-not", "not: which condition comes after it?"),
        ("(a or)", "or: which condition comes after it?"),
        ("(a or b", "(a or b: the bracket is not closed"),
        ("c (a or (b", "(b: the bracket is not closed"),
        ("a (", "(: the bracket is not closed"),
        ("a ()", "(): there is no condition in the brackets"),
        (")", "): there is no ( that this ) closes"),
        ("a or b) c", "b): there is no ( that this ) closes"),
        ('a "b', 'a "b: a quotation mark is not closed'),
        ("a 'b", "a 'b: a quotation mark is not closed"),
        ("a\\", "a\\: nothing comes after the backslash"),
        ("(" * (MAX_DEPTH + 1) + "a", f"nested more than {MAX_DEPTH} deep"),
        ("not " * 400 + "a", f"nested more than {MAX_DEPTH} deep"),
        ("a " * MAX_LENGTH, "a filter has at most 2,000 characters; this one has 4,000"),
    ],
)
def test_what_cannot_be_read(text: str, message: str) -> None:
    """The error names the word, in one line, and what to write; so it helps while a filter is being typed."""
    with pytest.raises(FilterError) as caught:
        parse(text)

    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


PLAIN = st.text("abc5*?.<>=:_-", min_size=1, max_size=8).filter(lambda text: not text.startswith("-"))
WORDS = PLAIN.map(Word) | st.text(max_size=8).map(lambda text: Word(text, is_quoted=True))


def trees(words: st.SearchStrategy[Word]) -> st.SearchStrategy[Tree]:
    """Trees of up to twelve words."""

    def joined(parts: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
        several = st.lists(parts, min_size=2, max_size=4).map(tuple)
        return parts.map(Not) | several.map(And) | several.map(Or)

    return st.recursive(words, joined, max_leaves=12)


def written(tree: Tree, minus: str, joint: str) -> str:
    """A tree as text, with no more brackets than it needs."""

    def part(tree: Tree, *bare: type[Tree]) -> str:
        text = written(tree, minus, joint)
        return text if isinstance(tree, bare) else f"({text})"

    match tree:
        case Word(text, is_quoted):
            return "'" + text.replace("'", "'\"'\"'") + "'" if is_quoted else text
        case Not(inner):
            return minus + (part(inner, Word) if minus == "-" else part(inner, Word, Not))
        case And(parts):
            return joint.join(part(each, Word, Not) for each in parts)
        case Or(parts):
            return " or ".join(part(each, Word, Not, And) for each in parts)


@given(trees(WORDS), st.sampled_from(["-", "not ", "NOT "]), st.sampled_from([" ", " and ", "\t"]))
def test_what_is_written_is_read_back(tree: Tree, minus: str, joint: str) -> None:
    """A tree that is printed with the fewest brackets is read as the same tree: precedence is as documented."""
    assert parse(written(tree, minus, joint)) == tree


NAMES = ("a", "b", "c", "ab", "bc", "abc", "d")
RUNS = [Run(Path(name), "completed", record={"name": name}) for name in NAMES]


def named(tree: Tree) -> set[str]:
    """The names that a tree of words chooses, as sets."""
    match tree:
        case Word(text):
            return {name for name in NAMES if text in name}
        case Not(part):
            return set(NAMES) - named(part)
        case And(parts):
            return set(NAMES).intersection(*map(named, parts))
        case Or(parts):
            return set().union(*map(named, parts))


@given(trees(st.sampled_from("abcd").map(Word)))
def test_a_filter_chooses_what_sets_say(tree: Tree) -> None:
    """`and` is the intersection, `or` the union, `not` the complement; the order of the runs is kept."""
    chosen = [run.name for run in filters.choose(RUNS, written(tree, "-", " "))]

    assert chosen == [name for name in NAMES if name in named(tree)]


KEYS = [*(column.key for column in ALL), *OTHER_NAMES, "nokey"]
NOISE = st.lists(
    st.sampled_from([*OPERATORS, *"()'\"\\-*?[]<>=:|&% \n\t\x1b", "99.4", "acc>", "1e999", "nan", *KEYS])
    | st.text(max_size=5),
    max_size=30,
)


@given(st.one_of(NOISE.map("".join), NOISE.map(" ".join), st.text(max_size=200)))
@example("(" * MAX_LENGTH)
@example("not " * (MAX_LENGTH // 4))
@example("-(" * (MAX_LENGTH // 2))
@example("a " * (MAX_LENGTH // 2))
@example("acc>99 or " * (MAX_LENGTH // 10) + "x")
@example("'" * (MAX_LENGTH - 1))
@example('\\"' * (MAX_LENGTH // 2))
@example('"' + "\\" * (MAX_LENGTH - 1))
@example("x" * (MAX_LENGTH - 2) + "<3")
@example("name:" + "*a" * 120)
@example("name:" + "[" * 1_900)
@example("a" * 10_000_000)
def test_any_text_is_a_filter_or_a_mistake_in_one_line(text: str) -> None:
    """Whatever is typed or pasted: an answer within 50 ms of the processor's time, and no other exception."""
    seconds, message = [], ""
    for _ in range(3):  # Another thread of the suite may take one of them.
        started = time.process_time()
        try:
            filters.choose(RUNS, text)
        except FilterError as error:
            message = str(error)
        seconds.append(time.process_time() - started)
        if seconds[-1] < 0.05:
            break

    assert min(seconds) < 0.05
    assert message == clean_line(message, 500)
