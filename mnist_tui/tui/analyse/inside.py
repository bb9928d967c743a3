"""What a network does with one image: probabilities, class maps, filters, and the output of every layer as pictures."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.color import Color
from rich.style import Style
from rich.text import Text

from mnist_tui.analysis.images import RAMP, SIDE, pixels
from mnist_tui.tui.lab.digits import half_blocks, ramp

if TYPE_CHECKING:
    from mnist_tui.training.activations import Floats, Inside, LayerOutput

GAP = 1
"""Cells between two pictures of a strip."""
LEVELS = " ▁▂▃▄▅▆▇█"
HEAT = (230, 120, 0)
"""The colour of what speaks for a class."""
BAR_CELLS = 30


def inside_lines(inside: "Inside", image: bytes, label: int | None, width: int, ascii_only: bool) -> Text:
    """Everything about one image, top to bottom, in at most `width` cells."""
    text = Text(no_wrap=True)
    text.append_text(_top(inside, image, label, ascii_only)).append("\n\n")
    if inside.filters is not None:
        count, _, rows, columns = inside.filters.shape
        text.append(f"filters of the first convolution  {count} of {rows}x{columns}\n", "bold")
        planes = [plane for planes in inside.filters for plane in planes]
        text.append_text(_strip(planes, width, ascii_only)).append("\n\n")
    for output in inside.layers:
        text.append_text(_layer(output, width, ascii_only)).append("\n")
    return text


def _top(inside: "Inside", image: bytes, label: int | None, ascii_only: bool) -> Text:
    """The image beside the probabilities, and below them its class maps and occlusion maps."""
    draw = ramp if ascii_only else half_blocks
    first = _beside(draw(pixels(image, 1)), _probabilities(inside, label, ascii_only))
    pictures: list[tuple[str, Sequence[Text]]] = []
    for each in inside.class_maps:
        pictures.append((f"Grad-CAM of {each.label}", _overlay(image, each.heat, ascii_only)))
    for drop in inside.occlusions:
        pictures.append((f"occlusion, {drop.label}", _overlay(image, _positive(drop.heat), ascii_only)))
    titles = Text("  ").join(Text(f"{title:<{SIDE}}", "bold") for title, _ in pictures)
    maps = [Text("  ").join(parts) for parts in zip(*(picture for _, picture in pictures), strict=True)]
    return Text("\n").join([*first, Text(), titles, *maps])


def _beside(picture: Sequence[Text], lines: Sequence[Text]) -> list[Text]:
    """A picture with lines at its right, beginning a few rows from its top."""
    rows = [Text(), Text(), *lines]
    rows += [Text()] * (len(picture) - len(rows))
    return [Text.assemble(left, "    ", right) for left, right in zip(picture, rows, strict=True)]


def _probabilities(inside: "Inside", label: int | None, ascii_only: bool) -> list[Text]:
    full = "#" if ascii_only else "█"
    lines = []
    for number, probability in enumerate(inside.probabilities):
        mark = " < label" if number == label else ""
        style = "bold" if number == inside.prediction else ""
        bar = full * round(probability * BAR_CELLS)
        lines.append(Text(f"{number}  {probability:>7.2%}  {bar}{mark}", style))
    return lines


def _positive(heat: "Floats") -> "Floats":
    """The part of an occlusion map that speaks for the class, the largest value as 1."""
    kept = heat.clip(min=0)
    highest = float(kept.max())
    return (kept / max(highest, 1e-12)).astype(heat.dtype)


def _overlay(image: bytes, heat: "Floats", ascii_only: bool) -> list[Text]:
    """The image with heat over it: in colours, or in ASCII the heat alone."""
    if ascii_only:
        return ramp([[round(255 * float(value)) for value in row] for row in heat])
    colours = [
        [_mix(image[row * SIDE + column], float(heat[row, column])) for column in range(SIDE)] for row in range(SIDE)
    ]
    lines = []
    for upper, lower in zip(colours[::2], colours[1::2], strict=True):
        line = Text(no_wrap=True)
        for top, bottom in zip(upper, lower, strict=True):
            line.append("▀", Style(color=top, bgcolor=bottom))
        lines.append(line)
    return lines


def _mix(grey: int, heat: float) -> Color:
    """Grey where nothing speaks for the class, `HEAT` where everything does; strokes stay lighter than the ground."""
    share = 0.75 * heat
    red, green, blue = (round((1 - share) * grey + share * part * (0.35 + 0.65 * grey / 255)) for part in HEAT)
    return Color.from_rgb(red, green, blue)


def _layer(output: "LayerOutput", width: int, ascii_only: bool) -> Text:
    row = output.row
    shape = "x".join(map(str, row.output_shape))
    indent = "  " * row.depth
    text = Text(f"{row.index:>3}  {indent}{row.type}({row.arguments})  {shape}\n", "bold")
    if output.values.ndim == 3 and output.values.shape[1] > 1:
        return text.append_text(_strip(list(output.values), width, ascii_only)).append("\n")
    return text.append_text(_levels(output.values.reshape(-1), width, ascii_only)).append("\n")


def _strip(planes: Sequence["Floats"], width: int, ascii_only: bool) -> Text:
    """As many planes as fit beside each other, on one scale of grey for all of them: black is the lowest value."""
    low, high = min(float(plane.min()) for plane in planes), max(float(plane.max()) for plane in planes)
    draw = ramp if ascii_only else half_blocks
    shown = [_grey(plane, low, high) for plane in planes]
    count = max(1, (width + GAP) // (len(shown[0][0]) + GAP))
    more = f"  and {len(shown) - count} more" if len(shown) > count else ""
    lines = [Text(" " * GAP).join(parts) for parts in zip(*(draw(plane) for plane in shown[:count]), strict=True)]
    return Text("\n").join([*lines, *([Text(more, "dim")] if more else [])])


def _grey(plane: "Floats", low: float, high: float) -> list[list[int]]:
    """A plane as grey values 0 to 255; large ones at half size, and an even number of rows for half blocks."""
    if plane.shape[0] > SIDE // 2:
        rows, columns = plane.shape[0] // 2, plane.shape[1] // 2
        plane = plane[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2).mean(axis=(1, 3))
    scale = 255 / (high - low) if high > low else 0.0
    grey = [[round((float(value) - low) * scale) for value in row] for row in plane]
    return [*grey, *([[0] * len(grey[0])] if len(grey) % 2 else [])]


def _levels(values: "Floats", width: int, ascii_only: bool) -> Text:
    """Numbers as a line of blocks from the lowest to the highest, and both in numbers."""
    low, high = float(values.min()), float(values.max())
    steps = RAMP if ascii_only else LEVELS
    scale = (len(steps) - 1) / (high - low) if high > low else 0.0
    line = "".join(steps[round((float(value) - low) * scale)] for value in values[: max(1, width - 20)])
    return Text.assemble(line, (f"  {low:.3g} to {high:.3g}", "dim"))
