"""The grammar of filters: words joined by `or`, `and`, `not`, `-` and brackets, read into a tree.

    filter = all { "or" all }
    all    = part { ["and"] part }
    part   = ("-" | "not") part | "(" filter ")" | WORD

So `-` and `not` bind closest, then `and`, which may be left out, then `or`. Quotes hold a word together, and make a
plain word of an operator or a bracket. A pair of brackets inside a word belongs to it, as in `name:(a)`.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from mnist_tui.errors import FilterError
from mnist_tui.text import clean_line

MAX_LENGTH = 2_000
"""Characters of a filter; a longer one was pasted by mistake, and would take more than an instant."""
MAX_DEPTH = 50
"""Brackets and negations inside each other: each takes some of Python's stack."""
OPERATORS = ("or", "and", "not", "-")


@dataclass(frozen=True)
class Word:
    """A condition: a part of a name, or a column with its value."""

    text: str
    """Without its quotes."""
    is_quoted: bool = False
    """Whether quotes or backslashes protected any part of it."""


@dataclass(frozen=True)
class Not:
    """Holds where its part does not."""

    part: "Tree"


@dataclass(frozen=True)
class And:
    """Holds where every part does; without parts, always."""

    parts: tuple["Tree", ...]


@dataclass(frozen=True)
class Or:
    """Holds where any part does."""

    parts: tuple["Tree", ...]


Tree = Word | Not | And | Or


def parse(text: str) -> Tree:
    """The tree of a filter; raises `FilterError`, which names the word that is wrong and what to do."""
    if len(text) > MAX_LENGTH:
        raise FilterError(f"a filter has at most {MAX_LENGTH:,} characters; this one has {len(text):,}")
    parser = _Parser(list(_tokens(text)))
    return parser.whole() if parser.tokens else And(())


_SPACES = " \t\r\n"
_PIECES = re.compile(r"""[ \t\r\n]+|[()]|"(?:\\.|[^"\\])*"|'[^']*'|\\.|[^ \t\r\n"'\\()]+|.""", re.DOTALL)
"""Spaces, a bracket, a quoted text, an escaped character, plain text; or one of \\ ' " that is not finished."""
_UNFINISHED = {
    '"': "a quotation mark is not closed",
    "'": "a quotation mark is not closed",
    "\\": "nothing comes after the backslash; it makes a plain character of the next one",
}
IN_WORD = "brackets stand around whole conditions, as in: (tag:x or tag:y) acc>99; quotes hold a bracket in a word"
NOT_OPEN = "there is no ( that this ) closes; quotes hold a bracket in a word"


def _tokens(text: str) -> Iterator[str]:
    """The words, with their quotes, the minus signs before them, and the brackets around them."""
    word, depth = "", 0  # `depth` counts the brackets that are open inside the word.
    for piece in [*_PIECES.findall(text), " "]:
        if piece in _UNFINISHED:
            raise FilterError(f"{_short(text)}: {_UNFINISHED[piece]}")
        is_bracket = (piece == ")" and not depth) or (piece == "(" and word.lower() in ("", *OPERATORS))
        if is_bracket or piece[0] in _SPACES:
            if depth:
                raise FilterError(f"{_short(word)}: {IN_WORD}")
            yield from filter(None, (word, piece.strip()))
            word = ""
        else:
            if not word and piece[0] == "-":
                yield "-"
                piece = piece[1:]
            word += piece
            depth += (piece == "(") - (piece == ")")


class _Parser:
    """Reads the tokens from left to right."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self._at = 0
        self._depth = 0

    def whole(self) -> Tree:
        """The tree of all tokens."""
        tree = self._any()
        if self._next:
            raise FilterError(f"{_short(self.tokens[self._at - 1])}): {NOT_OPEN}")
        return tree

    @property
    def _next(self) -> str:
        """The next token, an operator in lower case; "" at the end."""
        token = self.tokens[self._at] if self._at < len(self.tokens) else ""
        return token.lower() if token.lower() in OPERATORS else token

    def _take(self, *tokens: str) -> str:
        """The next token where it is one of these, and passes it; else ""."""
        token = self._next
        self._at += token in tokens
        return token if token in tokens else ""

    def _any(self) -> Tree:
        parts = [self._all()]
        while self._take("or"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _all(self) -> Tree:
        parts = [self._part()]
        while self._take("and") or self._next not in ("", ")", "or"):
            parts.append(self._part())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _part(self) -> Tree:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise FilterError(f"brackets and 'not' are nested more than {MAX_DEPTH} deep; write it flatter")
        start = self._at
        tree: Tree
        if self._take("-", "not"):
            tree = Not(self._part())
        elif self._take("("):
            tree = self._any()
            if not self._take(")"):
                raise FilterError(f"{_short('(' + ' '.join(self.tokens[start + 1 :]))}: the bracket is not closed")
        else:
            tree = self._word()
        self._depth -= 1
        return tree

    def _word(self) -> Word:
        token = self._next
        if token in ("", ")", "or", "and"):
            raise FilterError(self._what_is_missing(token))
        self._at += 1
        (text,) = shlex.split(token)
        return Word(text, is_quoted=text != token)

    def _what_is_missing(self, token: str) -> str:
        """Why there is no condition before `token`."""
        before = self.tokens[self._at - 1].lower() if self._at else ""
        if before in OPERATORS:
            return f"{before}: which condition comes after it? write one, as in: {_EXAMPLES[before]}"
        if token == ")":
            return "(): there is no condition in the brackets" if before else f"): {NOT_OPEN}"
        if token == "":
            return "(: the bracket is not closed"
        return f"{token}: which condition comes before it? write one, as in: {_EXAMPLES[token]}"


_EXAMPLES = {"or": "iter4 or iter5", "and": "iter5 and acc>99.4", "not": "not state:failed", "-": "-state:failed"}


def _short(text: str) -> str:
    return clean_line(text, 60)
