"""The two themes: colours that stay apart for colour-blind eyes (Okabe and Ito, "Color Universal Design", 2008)."""

from collections.abc import Mapping
from functools import lru_cache

from rich.color import Color as RichColor
from rich.style import Style
from textual.color import Color
from textual.theme import Theme


def _scrollbar(bar: str, held: str, background: str) -> dict[str, str]:
    """Quiet colours for what says little; as variables of the theme, since a rule is looked at for every widget."""
    ends = ("", "-hover", "-active")
    backgrounds = {f"scrollbar-background{end}": background for end in ends} | {"scrollbar-corner-color": background}
    return {"scrollbar": bar, "scrollbar-hover": held, "scrollbar-active": held, **backgrounds}


DARK = Theme(
    name="lab-dark",
    primary="#56b4e9",
    secondary="#e69f00",
    accent="#cc79a7",
    success="#56b4e9",
    warning="#e69f00",
    error="#ff7f50",
    foreground="#e6e6e6",
    background="#11151a",
    surface="#161b22",
    panel="#21262d",
    dark=True,
    variables=_scrollbar("#4b5157", "#6c7278", "#11151a")
    | {"frame": "#636c76", "chart-seed": "#a67a1e", "chart-band": "#1d3a4d", "chart-judged": "#1f262e"},
)

LIGHT = Theme(
    name="lab-light",
    primary="#0072b2",
    secondary="#b06000",
    accent="#9c3f76",
    success="#0072b2",
    warning="#b06000",
    error="#c23b00",
    foreground="#1f2328",
    background="#ffffff",
    surface="#f6f8fa",
    panel="#e7ebef",
    dark=False,
    variables=_scrollbar("#c3c8cd", "#a0a6ac", "#ffffff")
    | {"frame": "#768390", "chart-seed": "#a87b2d", "chart-band": "#cfe3f0", "chart-judged": "#eceff3"},
)


def rgb(variables: Mapping[str, str], name: str) -> tuple[int, int, int]:
    """The colour that a theme variable has on the theme's background; grey for what is no colour, such as `auto`."""
    text = variables.get(name, "").split(" ")[0]
    if not text.startswith("#"):
        return (128, 128, 128)
    colour = Color.parse(text)
    return Color.parse(variables.get("background", "#000000")).blend(colour.with_alpha(1), colour.a).rgb


def style_of(name: str, variables: Mapping[str, str]) -> Style:
    """The style of texts in a theme variable's colour; without a name, of texts as they are."""
    return _style(variables[name], variables["background"]) if name else Style()


@lru_cache(maxsize=100)
def _style(colour: str, background: str) -> Style:
    return Style(color=RichColor.from_rgb(*rgb({"colour": colour, "background": background}, "colour")))
