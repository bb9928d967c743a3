"""Figures as SVG: a document that describes itself, lines, text and markers. Text stays text; no font is loaded.

A figure has its own ground, light or, where the reader prefers that, dark, so that it can be read on any page. It is
valid XML on its own, and can be pasted into HTML: its classes begin with `f-`.
"""

import math
import zlib
from collections.abc import Iterable, Sequence
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from mnist_tui.analysis.palette import COLOURS
from mnist_tui.text import clean

SHAPES = ("circle", "square", "triangle", "diamond", "cross", "plus")
"""Markers, by color index."""

_PLAIN = """\
.f-figure { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
.f-figure path, .f-figure line { fill: none; stroke-width: 1; }
.f-figure .f-curve { stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
.f-figure .f-thin { stroke-width: 1.2; }
.f-figure .f-dashed { stroke-dasharray: 6 4; stroke-linecap: butt; }
.f-figure .f-dotted { stroke-dasharray: 1.5 3.5; }
.f-figure .f-interval { stroke-width: 1.5; }
.f-figure .f-band { stroke: none; fill-opacity: 0.18; }
.f-figure .f-ring { fill: none; stroke-width: 1.5; }
.f-figure .f-head { font-weight: 600; }
.f-figure .f-name { font-weight: 600; paint-order: stroke; stroke-width: 4; stroke-linejoin: round; }
.f-figure .f-end { text-anchor: end; }
.f-figure .f-middle { text-anchor: middle; }
.f-figure text { font-variant-numeric: tabular-nums; }
"""


def _colours(is_dark: bool) -> str:
    """The rules of one ground."""
    ground, ink, muted, grid = (
        ("#16181d", "#e6e6e6", "#a3a8b0", "#33373f") if is_dark else ("#ffffff", "#1f2328", "#59636e", "#dfe3e8")
    )
    rules = [
        f".f-ground {{ fill: {ground}; }}",
        f"text {{ fill: {ink}; stroke: none; }}",
        f"text.f-muted {{ fill: {muted}; }}",
        f"text.f-name {{ stroke: {ground}; }}",
        f".f-grid {{ stroke: {grid}; }}",
        f".f-axis {{ stroke: {muted}; }}",
        f".f-target {{ stroke: {ink}; }}",
        f"text.f-inverse {{ fill: {ground}; }}",
        f".f-empty {{ fill: {grid}; fill-opacity: 0.35; }}",
        f".f-right {{ fill: none; stroke: {muted}; }}",
    ]
    for index, pair in enumerate(COLOURS):
        shade = pair[0 if is_dark else 1]
        rules.append(f".f-stroke{index} {{ stroke: {shade}; }} .f-figure .f-fill{index} {{ fill: {shade}; }}")
        rules.append(f".f-hollow{index} {{ stroke: {shade}; fill: {ground}; }}")
    return "\n".join(f".f-figure {rule}" for rule in rules)


def style() -> str:
    """The rules of every figure: light, dark where the reader prefers it, and light in print."""
    return f"{_PLAIN}{_colours(False)}\n@media screen and (prefers-color-scheme: dark) {{\n{_colours(True)}\n}}\n"


def figure(title: str, description: str, width: float, height: float) -> Element:
    """An empty figure with its ground, for people and for screen readers described by title and description."""
    key = f"{zlib.crc32(f'{title}{description}'.encode(errors='replace')):08x}"
    root = Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {width:g} {height:g}",
            "width": f"{width:g}",
            "height": f"{height:g}",
            "class": "f-figure",
            "role": "img",
            "aria-labelledby": f"title-{key} text-{key}",
            "style": "max-width: 100%; height: auto",
        },
    )
    add(root, "title", id=f"title-{key}").text = printable(title)
    add(root, "desc", id=f"text-{key}").text = printable(description)
    add(root, "style").text = style()
    add(root, "rect", width=width, height=height, rx=6, class_="f-ground")
    return root


def as_text(root: Element) -> str:
    """A figure as the content of an .svg file, with a line end."""
    ElementTree.indent(root, " ")
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def add(parent: Element, tag: str, **attributes: str | float) -> Element:
    """A new child; numbers are rounded to hundredths, and `class_` stands for `class`."""
    values = {name.rstrip("_").replace("_", "-"): number_text(value) for name, value in attributes.items()}
    return ElementTree.SubElement(parent, tag, values)


def number_text(value: str | float) -> str:
    """A number in user units, rounded to hundredths; a text as it is."""
    return value if isinstance(value, str) else f"{round(value, 2):g}"


def printable(text: str) -> str:
    """A text without the characters that XML, or a reader, cannot take."""
    return clean(text).translate({0xFFFE: 0xFFFD, 0xFFFF: 0xFFFD})


def write(parent: Element, x: float, y: float, text: str, class_: str = "") -> None:
    """A line of text whose baseline begins at a point, or ends there or has its middle there, as the class says."""
    add(parent, "text", x=x, y=y, **({"class_": class_} if class_ else {})).text = printable(text)


def draw(parent: Element, points: Iterable[tuple[float, float]], class_: str) -> None:
    """A line through points in user units; one that is not finite interrupts it."""
    parts, is_open = [], False
    for x, y in points:
        if math.isfinite(x) and math.isfinite(y):
            parts.append(f"{'L' if is_open else 'M'}{number_text(x)} {number_text(y)}")
            is_open = True
        else:
            is_open = False
    if parts:
        add(parent, "path", d="".join(parts), class_=class_)


def mark(parent: Element, shape: str, x: float, y: float, class_: str, radius: float = 3.5) -> None:
    """A marker around a point."""
    if shape == "circle":
        add(parent, "circle", cx=x, cy=y, r=radius, class_=class_)
        return
    corners = [f"{number_text(x + radius * dx)} {number_text(y + radius * dy)}" for dx, dy in _OUTLINES[shape]]
    add(parent, "path", d=f"M{'L'.join(corners)}Z", class_=class_)


_OUTLINES: dict[str, Sequence[tuple[float, float]]] = {
    "square": ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
    "triangle": ((0, -1.2), (1.1, 0.8), (-1.1, 0.8)),
    "below": ((-1.2, -0.8), (1.2, -0.8), (0, 1.0)),
    "diamond": ((0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)),
    "cross": (
        *((-1.2, -0.7), (-0.7, -1.2), (0, -0.5), (0.7, -1.2), (1.2, -0.7), (0.5, 0)),
        *((1.2, 0.7), (0.7, 1.2), (0, 0.5), (-0.7, 1.2), (-1.2, 0.7), (-0.5, 0)),
    ),
    "plus": (
        *((-0.4, -1.3), (0.4, -1.3), (0.4, -0.4), (1.3, -0.4), (1.3, 0.4), (0.4, 0.4)),
        *((0.4, 1.3), (-0.4, 1.3), (-0.4, 0.4), (-1.3, 0.4), (-1.3, -0.4), (-0.4, -0.4)),
    ),
}
"""Corners of each marker, in radii from its middle."""
