"""Colours and markers of runs that are drawn over each other: the same on the screen, in text and in reports."""

COLOURS = (
    ("#e69f00", "#b06000"),
    ("#56b4e9", "#0072b2"),
    ("#cc79a7", "#9c3f76"),
    ("#2fbf8f", "#00735a"),
    ("#ff7f50", "#c23b00"),
    ("#b3b3b3", "#5c5c5c"),
    ("#d6cf3a", "#7a7400"),
)
"""Okabe and Ito's palette, for a dark ground and darkened for a light one."""
MARKERS = ("●", "■", "▲", "◆", "✕", "○", "□", "△", "◇", "+", "★")
ASCII_MARKERS = ("o", "x", "+", "#", "%", "@", "=", "&", "$", "~", "^")


def colour(color: int, is_dark: bool) -> str:
    """The colour of a color index, as `#rrggbb`."""
    return COLOURS[color % len(COLOURS)][0 if is_dark else 1]


def marker(color: int, ascii_only: bool) -> str:
    """The marker of a color index, so that no line is identified by its colour alone."""
    return (ASCII_MARKERS if ascii_only else MARKERS)[color % len(MARKERS)]
