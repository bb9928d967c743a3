"""Text from outside, made safe to show: names, notes, error messages, file contents; and times in words."""

import re

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


_ASCII = str.maketrans({"±": "+", "×": "x", "→": ">", "…": "~", "–": "-", "−": "-", "°": " ", "²": "2"})


def in_ascii(text: str) -> str:
    """`text` with the signs of this program's own sentences, a character each, in ASCII."""
    return text.translate(_ASCII)


def duration(seconds: float) -> str:
    """Seconds in words of at most two units."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"
