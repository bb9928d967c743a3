"""The two themes: colours that stay apart for colour-blind eyes (Okabe and Ito, "Color Universal Design", 2008)."""

from textual.theme import Theme

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
)
