"""What every chart in SVG has: axes with round ticks, a part to draw in, and a legend."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from xml.etree.ElementTree import Element

from mnist_tui.analysis.axes import number
from mnist_tui.report import svg
from mnist_tui.text import cell_width, fitted

CHARACTER = 6.6
"""Width of a character in user units, as far as it can be known without the reader's font."""
LINE = 20.0
"""Height of a line of a legend."""


@dataclass(frozen=True)
class Axes:
    """A rectangle in user units, and the values at its edges."""

    left: float
    top: float
    width: float
    height: float
    low_x: float
    high_x: float
    low_y: float
    high_y: float
    log_x: bool = False
    log_y: bool = False

    def x(self, value: float) -> float:
        """The place of a value, to the right."""
        return self.left + self.width * _share(value, self.low_x, self.high_x, self.log_x)

    def y(self, value: float) -> float:
        """The place of a value, downwards."""
        return self.top + self.height * (1 - _share(value, self.low_y, self.high_y, self.log_y))

    @property
    def bottom(self) -> float:
        """The place of the axis of x."""
        return self.top + self.height


def _share(value: float, low: float, high: float, is_log: bool) -> float:
    """How far a value is from `low` to `high`; NaN where it is not finite, or has no logarithm."""
    if not math.isfinite(value) or (is_log and value <= 0):
        return math.nan
    if is_log:
        value, low, high = math.log10(value), math.log10(low), math.log10(high)
    return (value - low) / (high - low)


def draw_axes(
    parent: Element, axes: Axes, x_ticks: Mapping[float, str], y_ticks: Mapping[float, str], x_name: str, y_name: str
) -> None:
    """Grid lines, ticks with their labels, and the names of the axes: of y above, of x below its right end."""
    right = axes.left + axes.width
    for tick, label in y_ticks.items():
        y = axes.y(tick)
        svg.add(parent, "line", x1=axes.left, x2=right, y1=y, y2=y, class_="f-grid")
        svg.write(parent, axes.left - 8, y + 4, label, "f-muted f-end")
    for tick, label in x_ticks.items():
        svg.add(parent, "line", x1=axes.x(tick), x2=axes.x(tick), y1=axes.bottom, y2=axes.bottom + 4, class_="f-axis")
        svg.write(parent, axes.x(tick), axes.bottom + 18, label, "f-muted f-middle")
    svg.add(parent, "line", x1=axes.left, x2=right, y1=axes.bottom, y2=axes.bottom, class_="f-axis")
    svg.write(parent, right, axes.bottom + 34, x_name, "f-muted f-end")
    svg.write(parent, axes.left, axes.top - 10, y_name, "f-head")


def labelled(ticks: Sequence[float], is_log: bool = False) -> dict[float, str]:
    """Ticks with their labels; on a linear axis all have as many decimals as the longest."""
    texts = [number(tick) for tick in ticks]
    if not is_log and not any("e" in text for text in texts):
        decimals = max((len(text.partition(".")[2]) for text in texts), default=0)
        texts = [f"{tick:,.{decimals}f}" for tick in ticks]
    return dict(zip(ticks, texts, strict=True))


def clipped(parent: Element, axes: Axes) -> Element:
    """A group that shows only what lies inside the axes, in the same coordinates."""
    box = " ".join(map(svg.number_text, (axes.left, axes.top, axes.width, axes.height)))
    return svg.add(parent, "svg", x=axes.left, y=axes.top, width=axes.width, height=axes.height, viewBox=box)


@dataclass(frozen=True)
class LegendEntry:
    """A name in the legend with the sample of its line and marker."""

    text: str
    line: str = ""
    """The class of its line; "" draws none."""
    shape: str = ""
    """The shape of its marker; "" draws none."""
    mark: str = ""
    """The class of its marker."""

    @property
    def width(self) -> float:
        """Width in user units, with the gap to the next entry."""
        return 34 + CHARACTER * cell_width(self.text) + 16


def legend_rows(entries: Sequence[LegendEntry], width: float) -> list[list[LegendEntry]]:
    """The entries in rows of at most `width`; a longer name is cut."""
    most = max(4, int((width - 50) / CHARACTER))
    rows: list[list[LegendEntry]] = []
    for entry in entries:
        if cell_width(entry.text) > most:
            entry = replace(entry, text=fitted(entry.text, most))
        if not rows or sum(each.width for each in rows[-1]) + entry.width > width:
            rows.append([])
        rows[-1].append(entry)
    return rows


def draw_legend(parent: Element, rows: Sequence[Sequence[LegendEntry]], left: float, top: float) -> None:
    """The rows of a legend; `top` is the upper edge of the first."""
    for row, entries in enumerate(rows):
        x, middle = left, top + LINE * (row + 0.5)
        for entry in entries:
            if entry.line:
                svg.add(parent, "line", x1=x, x2=x + 26, y1=middle, y2=middle, class_=entry.line)
            if entry.shape:
                svg.mark(parent, entry.shape, x + 13, middle, entry.mark)
            svg.write(parent, x + 34, middle + 4, entry.text)
            x += entry.width
