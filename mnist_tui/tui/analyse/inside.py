"""What a network does with one image, as text: class maps, filters, and the output of every layer as pictures."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from mnist_tui.analysis.text_images import RAMP, SIDE, grey_levels, pixels
from mnist_tui.text import cell_width, fitted
from mnist_tui.tui.pixels import half_blocks, picture, ramp

if TYPE_CHECKING:
    from mnist_tui.training.activations import Floats, Inside, LayerOutput

GAP = 1
"""Cells between two pictures of a strip."""
WIDE_GAP = 2
"""Cells between the image, its maps and its probabilities."""
LEVELS = " ▁▂▃▄▅▆▇█"
HEAT = (230, 120, 0)
"""The colour of what speaks for a class."""
LEAST_PROBABILITIES = 16
"""Cells of the probabilities beside the first pictures: class, percent, and a short bar."""
LONGEST_BAR = 30

Block = Sequence[Text]
"""A title and a picture below it, all lines `SIDE` cells wide."""


def inside_lines(
    inside: "Inside", image: bytes, label: int | None, width: int, ascii_only: bool, names: Sequence[str] = ()
) -> Text:
    """Everything about one image, top to bottom, in at most `width` cells; `names` are those of all classes, or ()."""
    text = Text("\n", no_wrap=True).join(_top(inside, image, label, width, ascii_only, names)).append("\n\n")
    if inside.filters is not None:
        count, _, rows, columns = inside.filters.shape
        text.append(f"filters of the first convolution  {count} of {rows}x{columns}\n", "bold")
        planes = [plane for planes in inside.filters for plane in planes]
        text.append_text(_strip(planes, width, ascii_only)).append("\n\n")
    for output in inside.layers:
        text.append_text(_layer(output, width, ascii_only)).append("\n")
    return text


def _top(
    inside: "Inside", image: bytes, label: int | None, width: int, ascii_only: bool, names: Sequence[str]
) -> list[Text]:
    """The image and its maps, as many beside each other as fit, and the probabilities beside the first ones."""
    blocks: list[Block] = [[Text("image", "bold"), *picture(pixels(image), ascii_only)]]
    for each in inside.class_maps:
        blocks.append([Text(f"{each.method} of {each.label}", "bold"), *_overlay(image, each.heat, ascii_only)])
    for drop in inside.occlusions:
        heat = _positive(drop.heat)
        blocks.append([Text(f"occlusion of {drop.label}", "bold"), *_overlay(image, heat, ascii_only)])
    first = min(len(blocks), max(1, (width - LEAST_PROBABILITIES) // (SIDE + WIDE_GAP)))
    across = max(1, (width + WIDE_GAP) // (SIDE + WIDE_GAP))
    room = width - first * (SIDE + WIDE_GAP)
    rows = [_side_by_side([*blocks[:first], _probabilities(inside, label, room, ascii_only, names)])]
    rows += [_side_by_side(blocks[start : start + across]) for start in range(first, len(blocks), across)]
    return [line for row in rows for line in [*row, Text()]][:-1]


def _side_by_side(blocks: Sequence[Block]) -> list[Text]:
    """Blocks beside each other, all as high as the first."""
    for block in blocks[:-1]:
        block[0].truncate(SIDE, pad=True)
    height = len(blocks[0])
    return [
        Text(" " * WIDE_GAP).join(block[line] if line < len(block) else Text() for block in blocks)
        for line in range(height)
    ]


def _probabilities(
    inside: "Inside", label: int | None, width: int, ascii_only: bool, names: Sequence[str]
) -> list[Text]:
    """A bar for each class in `width` cells, and its name; the label is marked."""
    full = "#" if ascii_only else "█"
    widest = max(map(cell_width, names), default=-1) + 1
    room = max(0, min(LONGEST_BAR, width - 12 - widest))
    lines = [Text("probability", "bold"), Text()]
    for number, probability in enumerate(inside.probabilities):
        mark = "<" if number == label else " "
        style = "bold" if number == inside.prediction else ""
        name = fitted(names[number], widest) if names else ""
        lines.append(Text(f"{number}{mark} {name}{probability:>7.2%} {full * round(probability * room)}", style))
    return [*lines, *([] if label is None else [Text(), Text("< the label", "dim")])]


def _positive(heat: "Floats") -> "Floats":
    """The part of an occlusion map that speaks for the class, the largest value as 1."""
    kept = heat.clip(min=0)
    highest = float(kept.max())
    return (kept / max(highest, 1e-12)).astype(heat.dtype)


def _overlay(image: bytes, heat: "Floats", ascii_only: bool) -> list[Text]:
    """The image with heat over it: in colours, or in ASCII the heat alone."""
    if ascii_only:
        return ramp(grey_levels(heat.tolist(), 1.0))
    rows = zip(pixels(image), heat.tolist(), strict=True)
    return half_blocks([[_mix(grey, share) for grey, share in zip(*row, strict=True)] for row in rows])


def _mix(grey: int, heat: float) -> tuple[int, int, int]:
    """Grey where nothing speaks for the class, `HEAT` where everything does; strokes stay lighter than the ground."""
    share = 0.75 * heat
    red, green, blue = (round((1 - share) * grey + share * part * (0.35 + 0.65 * grey / 255)) for part in HEAT)
    return red, green, blue


def _layer(output: "LayerOutput", width: int, ascii_only: bool) -> Text:
    row = output.row
    shape = "x".join(map(str, row.output_shape))
    indent = "  " * row.depth
    heading = Text(f"{row.index:>3}  {indent}{row.type}({row.arguments})  {shape}", "bold")
    heading.truncate(width)
    if output.values.ndim == 3 and output.values.shape[1] > 1:
        strip = _strip(list(output.values), width, ascii_only)
    else:
        strip = _levels(output.values.reshape(-1), width, ascii_only)
    return Text.assemble(heading, "\n", strip, "\n")


def _strip(planes: Sequence["Floats"], width: int, ascii_only: bool) -> Text:
    """As many planes as fit beside each other, on one scale of grey for all of them: black is the lowest value."""
    count = max(1, (width + GAP) // (_halved(planes[0]).shape[1] + GAP))
    low, high = min(float(plane.min()) for plane in planes), max(float(plane.max()) for plane in planes)
    scale = 255 / (high - low) if high > low else 0.0
    pictures = [
        picture(((_halved(plane) - low) * scale).round().astype(int).tolist(), ascii_only) for plane in planes[:count]
    ]
    lines = [Text(" " * GAP).join(parts) for parts in zip(*pictures, strict=True)]
    more = [Text(f"  and {len(planes) - count} more", "dim")] if len(planes) > count else []
    return Text("\n").join([*lines, *more])


def _halved(plane: "Floats") -> "Floats":
    """A plane; at half its size where it has more than half as many rows as the image."""
    if plane.shape[0] <= SIDE // 2:
        return plane
    rows, columns = plane.shape[0] // 2, plane.shape[1] // 2
    halved: Floats = plane[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2).mean(axis=(1, 3))
    return halved


def _levels(values: "Floats", width: int, ascii_only: bool) -> Text:
    """Numbers as a line of blocks from the lowest to the highest, and both in numbers."""
    low, high = float(values.min()), float(values.max())
    steps = RAMP if ascii_only else LEVELS
    scale = (len(steps) - 1) / (high - low) if high > low else 0.0
    numbers = f"  {low:.3g} to {high:.3g}"
    line = "".join(steps[round((float(value) - low) * scale)] for value in values[: max(1, width - len(numbers))])
    return Text.assemble(line, (numbers, "dim"))
