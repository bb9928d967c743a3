"""Text for people: text from outside made safe to show, names, widths, numbers, durations, the nearest known word."""

import difflib
import re
import unicodedata
from collections.abc import Iterable

_UNSAFE = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
# C0 (but newline), DEL and C1 drive a terminal; the others reorder or hide text (Trojan Source, CVE-2021-42574).


def clean(text: str, width: int = 10_000) -> str:
    """`text` with every control, bidirectional and surrogate character shown as U+FFFD, cut to `width` characters."""
    return _UNSAFE.sub("\ufffd", text)[:width]


def clean_line(text: str, width: int = 1_000) -> str:
    """`clean`, on one line."""
    return clean(text.replace("\n", " "), width)


_INVISIBLE = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
# Letters and marks that are not drawn (Unicode's default ignorable code points).
_JOINER = "\u200d"
"""The zero-width joiner, which makes one emoji of what is before and after it."""
MAX_NAME_BYTES = 200
"""The longest name in UTF-8: file systems take 255, and endings and temporary files add to it."""


def as_name(text: str) -> str:
    """`text` in Unicode's normal form C, in which names are stored and compared."""
    return unicodedata.normalize("NFC", text)


def is_name(text: str, length: int) -> bool:
    """Whether a text in normal form C may name a preset or be a tag, and so be a part of a file's name.

    It may have at most `length` letters, digits and combining marks of any script, `-`, `_` and `.`, and must not begin
    with `-`, `.` or a mark. So it has no separator, no control or bidirectional character and no invisible one.
    """
    categories = [unicodedata.category(character)[0] for character in text]
    is_allowed = all(one in "LMN" or character in "-_." for one, character in zip(categories, text, strict=True))
    has_first_letter = bool(text) and (categories[0] in "LN" or text[0] == "_")
    is_short = len(text) <= length and len(text.encode(errors="replace")) <= MAX_NAME_BYTES
    return is_allowed and has_first_letter and is_short and not _INVISIBLE.search(text)


def cell_width(text: str) -> int:
    """The width of a text in terminal cells: two for a wide character and for an emoji of several, none for a mark."""
    if text.isascii():
        return len(text)
    from wcwidth import wcswidth, wcwidth  # 10 ms.

    width: int = wcswidth(text)
    return width if width >= 0 else sum(max(0, wcwidth(character)) for character in text)  # With a control character.


def fitted(text: str, width: int, is_right: bool = False) -> str:
    """`text` in exactly `width` cells: cut, with an ellipsis, or padded with spaces."""
    if cell_width(text) > width:
        text = text[:width]
        while cell_width(text) > width - 1 or text.endswith(_JOINER):
            text = text[:-1]
        text += "…"
    room = " " * (width - cell_width(text))
    return room + text if is_right else text + room


def start_of_end(text: str, width: int) -> int:
    """Where the end of a text begins that takes at most `width` cells and does not begin within a sign."""
    start = len(text)
    for place in reversed(range(len(text))):
        if cell_width(text[place:]) > width:
            break
        if cell_width(text[place]) and text[place - 1 : place] != _JOINER:
            start = place
    return start


_SIGNS = {"±": "+", "×": "x", "→": ">", "…": "~", "–": "-", "−": "-", "°": " ", "²": "2", "✓": "+", "✗": "!"}
_ASCII = str.maketrans(_SIGNS | dict(zip("▁▂▃▄▅▆▇█┌┐└┘─│┤┬├┴┼┃", ".:-=+*#@++++-||+|++I", strict=True)))


def in_ascii(text: str) -> str:
    """`text` with the symbols that this program itself writes replaced by ASCII, one character for one."""
    return text.translate(_ASCII)


def duration(seconds: float) -> str:
    """Seconds in words of at most two units."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def parse_count(text: str) -> int | None:
    """The number that a text of ASCII digits is, at most 18 of them; None for any other text."""
    return int(text) if re.fullmatch("[0-9]{1,18}", text) else None


def did_you_mean(word: str, known: Iterable[str], prefix: str = "") -> str:
    """`; did you mean 'padding'?` where a known word is similar; else "". All words are shown behind `prefix`."""
    lower = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower()[:100], lower, n=1, cutoff=0.6)
    return f"; did you mean {prefix + lower[near[0]]!r}?" if near else ""


def shorten(text: str, width: int = 60) -> str:
    """The first line of a text from outside, cut to `width` characters and quoted."""
    line = text.strip().split("\n", 1)[0]
    return repr(line if len(line) <= width else line[: width - 1] + "…")
