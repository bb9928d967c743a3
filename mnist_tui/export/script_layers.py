"""The layers of a network as source of torch.nn modules: one a line, input sizes written out, shapes as comments."""

import io
import re
import tokenize
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from mnist_tui.export.source import WIDTH, Names, Source, brackets, layout, value_text
from mnist_tui.spec.calls import Call, Value
from mnist_tui.spec.layers import COMPOSITE_LAYERS, LayerRow, image_row, layer_rows, layer_signature
from mnist_tui.spec.layers.composite import gate_layers
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.text import clean_line

INDENT = 12
"""Spaces before a layer in the script."""

FIRST = {
    "Conv2d": "in_channels",
    "ConvTranspose2d": "in_channels",
    "Linear": "in_features",
    "BatchNorm1d": "num_features",
    "BatchNorm2d": "num_features",
    "InstanceNorm2d": "num_features",
}
"""Layers whose first argument in torch.nn is the number of channels or features of their input, and its name."""


def network_source(spec: RunSpec, names: Names) -> Source:
    """The network of a run as an `nn.Sequential`; `names` says what knobs are called in the script."""
    comments = _comments(spec.layers)
    layers, row, line = [], image_row(spec.dataset.shape), 0
    for written, call in zip(spec.calls, spec.resolved_layers, strict=True):
        end = written.line + written.text.count("\n")
        source = _layer(written, call, row, names)
        layers.append(_with_comments(source, [comments.get(number, "") for number in range(line + 1, end + 1)]))
        row, line = layer_rows(call, row)[-1], end
    return brackets("nn.Sequential(", layers)


def composites_in(spec: RunSpec) -> set[str]:
    """The names of the layers in a network that are no modules of torch.nn."""
    return {row.type for row in spec.rows} & set(COMPOSITE_LAYERS) - {"Sequential"}


# --- one layer ---


def _layer(written: Value, call: Call, row: LayerRow, names: Names) -> Source:
    """A layer behind the layer of `row`; `written` may be its name alone, and has knobs where `call` has numbers."""
    written = written if isinstance(written, Call) else call
    source = COMPOSITES.get(call.name, _module)(written, call, row, names)
    output = layer_rows(call, row)[-1]
    has_changed = (output.output_shape, output.receptive_field) != (row.output_shape, row.receptive_field)
    return replace(source, comment=_shape_text(output)) if has_changed else source


def _shape_text(row: LayerRow) -> str:
    fields = dict.fromkeys(row.receptive_field)
    return f"{'x'.join(map(str, row.output_shape))}, RF {'x'.join(map(str, fields))}"


def _module(written: Call, call: Call, row: LayerRow, names: Names) -> Source:
    """A module of torch.nn, with the size of its input; without `inplace`, which the program does not use either."""
    given = layer_signature(call.name).bind(*written.args, **dict(written.kwargs)).arguments
    by_name = [name for name, _ in written.kwargs]
    arguments = {name: value_text(value, names) for name, value in given.items() if name != "inplace"}
    first = _first_arguments(call.name, arguments, row)
    others = {name: text for name, text in arguments.items() if name not in first}
    texts = [f"{name}={text}" if name in by_name else text for name, text in others.items()]
    return brackets(f"nn.{call.name}(", [Source(text) for text in (*first.values(), *texts)])


def _first_arguments(layer: str, arguments: Mapping[str, str], row: LayerRow) -> dict[str, str]:
    """What a call of torch.nn begins with where a preset leaves the size of the input out, or has it further behind."""
    channels = str(row.output_shape[0])
    if layer in FIRST:
        return {FIRST[layer]: channels}
    if layer == "GroupNorm":
        return {"num_groups": arguments["num_groups"], "num_channels": channels}
    if layer in ("LayerNorm", "RMSNorm") and arguments.get("normalized_shape", "None") == "None":
        return {"normalized_shape": str(row.output_shape)}
    return {}


# --- layers made of layers ---


def _sequence(written: Sequence[Value], calls: Sequence[Value], row: LayerRow, names: Names) -> Iterator[Source]:
    for one, call in zip(written, calls, strict=True):
        assert isinstance(call, Call)
        yield _layer(one, call, row, names)
        row = layer_rows(call, row)[-1]


def _sequential(written: Call, call: Call, row: LayerRow, names: Names) -> Source:
    return brackets("nn.Sequential(", list(_sequence(written.args, call.args, row, names)))


def _residual(written: Call, call: Call, row: LayerRow, names: Names) -> Source:
    layers = list(_sequence(written.args, call.args, row, names))
    for (name, one), (_, shortcut) in zip(written.kwargs, call.kwargs, strict=True):
        if isinstance(shortcut, Call):
            layers.append(_layer(one, shortcut, row, names).named(name))
    return brackets("Residual(", layers)


def _parallel(written: Call, call: Call, row: LayerRow, names: Names) -> Source:
    branches = zip(written.args, call.args, strict=True)
    return brackets("Parallel(", [next(_sequence([one], [branch], row, names)) for one, branch in branches])


def _repeat(written: Call, call: Call, row: LayerRow, names: Names) -> Source:
    times, *layers = written.args
    return brackets("Repeat(", [Source(value_text(times, names)), *_sequence(layers, call.args[1:], row, names)])


def _squeeze_excite(written: Call, call: Call, row: LayerRow, names: Names) -> Source:
    ratio = layer_signature(call.name).bind(*call.args, **dict(call.kwargs)).arguments["ratio"]
    _, squeeze, _, excite, _ = gate_layers(row.output_shape, ratio)
    return Source(f"SqueezeExcite({excite.args[0]}, {squeeze.args[0]})")


COMPOSITES: Mapping[str, Callable[[Call, Call, LayerRow, Names], Source]] = {
    "Sequential": _sequential,
    "Residual": _residual,
    "Parallel": _parallel,
    "Repeat": _repeat,
    "SqueezeExcite": _squeeze_excite,
}
"""The source of a composite layer; its class, but for `Sequential`, is in script.py.jinja under the same name."""


# --- the author's comments ---


def _comments(layers: str) -> dict[int, str]:
    """The comments in the text of a network, by their line, from 1."""
    lines = [line.strip() for line in re.split("\r\n|\r|\n", layers)]
    tokens = tokenize.generate_tokens(io.StringIO("\n".join(lines)).readline)
    comments = {token.start[0]: token.string for token in tokens if token.type == tokenize.COMMENT}
    return {line: clean_line(text.strip("# \t"), 300) for line, text in comments.items()}


def _with_comments(source: Source, comments: Sequence[str]) -> Source:
    """A layer with the comments of the lines since the layer before, that of its own line behind it where it fits."""
    *others, own = comments
    behind = replace(source, comment="; ".join(filter(None, (source.comment, own))))
    line, *more = layout(behind, INDENT, after=",")
    fits = not more and len(line) <= WIDTH
    above = others if fits else comments
    return replace(behind if fits else source, above=tuple(filter(None, above)))
