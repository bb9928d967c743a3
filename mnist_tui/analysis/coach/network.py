"""The coach's rules on the layers: receptive field, pooling, batch norm, dropout, and where the parameters are.

All but `bias_before_batch_norm` are silent for a run that has met its target. The docstring of a rule is what
`mnist-tui explain RULE` prints.
"""

from itertools import pairwise

from mnist_tui.analysis.coach.edits import (
    applicable,
    dropout_rate,
    insert_before,
    is_dropout,
    outer_layers,
    replace_calls,
    scale_dropout,
)
from mnist_tui.analysis.coach.evidence import WINDOW, Advice, Evidence, gap, percent, points
from mnist_tui.datasets.record import all_digits
from mnist_tui.spec.calls import Call
from mnist_tui.spec.layers import LayerRow
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.spec.summary import has_map

DIGIT = 20
"""Pixels: MNIST's digits were scaled into a box of 20x20 before they were centred (LeCun et al. 1998)."""
STROKES = 10
"""Pixels, half a digit: less shows strokes, but not how they meet. It matters less before a head with weights."""
POOLS = ("AdaptiveAvgPool2d", "AdaptiveMaxPool2d", "AvgPool2d", "MaxPool2d", "LPPool2d")
HEAVY = 0.7
"""Share of all parameters in one layer."""
FEW_PARAMETERS = 1_000
"""Below this, one large layer is no waste."""
LATE = 4
"""Convolutions on the full image before the first reduction; two see 5x5 pixels, enough for an edge or a corner."""
SLOW_START = 0.95
"""Running training accuracy of the first epoch; iter1, five convolutions without batch norm, had 91.75 %."""
FEW_CHANNELS = 16
DROPOUT = 0.1

Layer = tuple[Call, LayerRow]


def small_receptive_field(evidence: Evidence) -> Advice | None:
    """No unit before the head sees a whole digit, so the head must guess from parts.

    Fires where the receptive field of the last layer before the head is under 20 pixels, the box that MNIST's digits
    were scaled to, and the head averages or takes the maximum over positions, which forgets how the parts lie. Before
    a head with weights, which can learn positions, it fires under 10 pixels.
    """
    spec = evidence.spec
    layers, position = list(outer_layers(spec)), _head(spec)
    if not 0 < position < len(layers) or evidence.has_met_goal or not _has_digits(spec):
        return None
    head, row = layers[position][0], layers[position - 1][1]
    field, needed = min(row.receptive_field), DIGIT if head.name in POOLS else STROKES
    if field >= needed or len(row.output_shape) != 3:
        return None
    added = max(1, -(-(needed - field) // max(1, int(2 * min(row.jump)))))
    lines = [f"Conv2d({row.output_shape[0]}, 3, padding=1)", "ReLU()"] * added
    return Advice(
        "small-receptive-field",
        f"The receptive field is too small: before the head ({head.name}, layer {layers[position][1].index}) a unit "
        f"sees {field} of {spec.dataset.shape[1]} pixels; a digit has {DIGIT}.",
        f"Add {added} 3x3 convolution{'s' if added > 1 else ''} before the head.",
        applicable(spec, {"layers": insert_before(spec.layers, [(head, lines)])}) if added <= WINDOW else None,
    )


def _has_digits(spec: RunSpec) -> bool:
    """Whether the images are digits as MNIST has them, whose size in the image is known."""
    return spec.dataset.is_grey_28 and all_digits(spec.dataset.classes)


def _head(spec: RunSpec) -> int:
    """The place, among the layers outside composite layers, of the first whose output is no map any more."""
    rows = [row for row in spec.rows if row.depth == 0]
    return next((place for place, row in enumerate(rows) if not has_map(row)), len(rows))


def heavy_layer(evidence: Evidence) -> Advice | None:
    """Most of the parameters are in one linear layer that reads a whole map, where they learn each position apart.

    Fires where a `Linear` behind `Flatten` has 70 % of the parameters, of 1,000 or more in all. Pooling before it
    saves most of them: global average pooling where the receptive field covers a digit (Lin et al. 2013), else 2x2.
    """
    spec = evidence.spec
    layers = list(outer_layers(spec))
    triples = zip(layers, layers[1:], layers[2:], strict=False)
    behind_maps = [
        (maps, flatten, linear)
        for (_, maps), (flatten, _), (call, linear) in triples
        if flatten.name == "Flatten" and call.name == "Linear" and maps.grid != (1, 1)
    ]
    maps, flatten, linear = max(behind_maps, key=lambda triple: triple[2].parameters, default=(None, None, None))
    if maps is None or flatten is None or linear is None or evidence.has_met_goal:
        return None
    share = linear.parameters / spec.parameters
    if share < HEAVY or spec.parameters < FEW_PARAMETERS:
        return None
    pool = "AdaptiveAvgPool2d(1)" if min(maps.receptive_field) >= DIGIT else "MaxPool2d(2)"
    return Advice(
        "heavy-layer",
        f"{share:.0%} of the {spec.parameters:,} parameters are in layer {linear.index}, Linear, behind a map of "
        f"{'x'.join(map(str, maps.output_shape))} ({maps.activations:,} inputs).",
        f"Put {pool} before Flatten, and spend the parameters on convolutions.",
        applicable(spec, {"layers": insert_before(spec.layers, [(flatten, [pool])])}),
    )


def early_pooling(evidence: Evidence) -> Advice | None:
    """Pooling that takes steps of more than half of what its units see throws away detail before it was read.

    Fires for a pool, other than the head's, after which neighbouring units are further apart than half their
    receptive field: pooling the raw image, or 4x4 after one 3x3 convolution. Units then hardly overlap, and shifting
    the digit by a pixel changes what they see (Zhang 2019).
    """
    spec = evidence.spec
    layers = list(outer_layers(spec))
    for (_, previous), (call, row) in zip([(None, None), *layers], layers, strict=False):
        before, step = (max(previous.jump) if previous else 1), max(row.jump)
        if call.name in POOLS and step > before and row.grid != (1, 1) and 2 * step > min(row.receptive_field):
            break
    else:
        return None
    if evidence.has_met_goal:
        return None
    smaller = Call("AvgPool2d" if "Avg" in call.name else "MaxPool2d", (2,)) if step > 2 * before else None
    advice = "Pool 2x2 instead." if smaller else "Leave it out, and pool after a convolution."
    return Advice(
        "early-pooling",
        f"Layer {row.index}, {call}, pools too early: its units see {min(row.receptive_field)} pixels and are "
        f"{float(step):g} apart.",
        advice,
        applicable(spec, {"layers": replace_calls(spec.layers, [(call, smaller)])}),
    )


def late_pooling(evidence: Evidence) -> Advice | None:
    """Convolutions on the full image cost most and widen the view by only 2 pixels each; after a 2x2 pool it is 4.

    Fires where 4 convolutions with a kernel above 1x1 stand before the first layer that reduces the image and the
    receptive field before the head is nevertheless under 20 pixels, the size of a digit.
    """
    spec = evidence.spec
    layers, position = list(outer_layers(spec)), _head(spec)
    full = [layer for layer in layers if max(layer[1].jump) == 1 and len(layer[1].output_shape) == 3]
    convolutions = [layer for layer in _widening(full) if layer[0].name == "Conv2d"]
    if len(convolutions) < LATE or not 0 < position <= len(layers) or evidence.has_met_goal:
        return None
    if not _has_digits(evidence.spec):
        return None
    field = min(layers[position - 1][1].receptive_field)
    if field >= DIGIT:
        return None
    work = sum(row.multiply_adds for _, row in full) / max(1, sum(row.multiply_adds for row in spec.rows))
    third = convolutions[2]
    return Advice(
        "late-pooling",
        f"The image is reduced too late: {len(convolutions)} convolutions on the full image take {work:.0%} of the "
        f"multiply-adds, and before the head a unit sees only {field} of {evidence.spec.dataset.shape[1]} pixels.",
        f"Put MaxPool2d(2) before layer {third[1].index}.",
        applicable(spec, {"layers": insert_before(spec.layers, [(third[0], ["MaxPool2d(2)"])])}),
    )


def _widening(layers: list[Layer]) -> list[Layer]:
    """The layers that see more than the one before them."""
    fields = [1, *(min(row.receptive_field) for _, row in layers)]
    return [layer for layer, before, after in zip(layers, fields, fields[1:], strict=False) if after > before]


def missing_batch_norm(evidence: Evidence) -> Advice | None:
    """Without normalisation between them, layers wait for one another to settle; with batch norm the first epoch
    already goes far, and higher learning rates hold (Ioffe, Szegedy 2015).

    Fires where 3 convolutions or more have no normalisation of any kind among them and the running training accuracy
    of the first epoch is under 95 %.
    """
    spec = evidence.spec
    layers = list(outer_layers(spec))
    convolutions = [place for place, (call, _) in enumerate(layers) if call.name == "Conv2d"]
    has_norm = any("Norm" in row.type for row in spec.rows)
    first = evidence.rows[0] if evidence.rows and evidence.rows[0].epoch == 1 else None
    if (
        has_norm
        or len(convolutions) < 3
        or first is None
        or first.train_accuracy >= SLOW_START
        or evidence.has_met_goal
    ):
        return None
    last = max(place for place, (_, row) in enumerate(layers) if row.parameters)
    additions = [
        (layers[place + 1][0], ["BatchNorm2d()"]) for place in convolutions if place != last and place + 1 < len(layers)
    ]
    return Advice(
        "missing-batch-norm",
        f"No layer normalises: {len(convolutions)} convolutions without batch norm had "
        f"{percent(first.train_accuracy)} in the first epoch.",
        "Put BatchNorm2d() after every convolution but the last layer's.",
        applicable(spec, {"layers": insert_before(spec.layers, additions)}),
    )


def bias_before_batch_norm(evidence: Evidence) -> Advice | None:
    """Batch norm subtracts each channel's mean, and with it any bias that the convolution before it added.

    Fires for every convolution with a bias that is followed by `BatchNorm2d`. Its biases are parameters that learn
    nothing (Ioffe, Szegedy 2015, section 3.2); leaving them out changes no prediction.
    """
    spec = evidence.spec
    layers = list(outer_layers(spec))
    biased = [
        (call, row)
        for (call, row), (after, _) in pairwise(layers)
        if call.name == "Conv2d" and after.name == "BatchNorm2d" and dict(call.kwargs).get("bias", True) is True
    ]
    if not biased:
        return None
    saved = sum(row.output_shape[0] for _, row in biased)
    changes = [(call, call.with_argument("bias", False)) for call, _ in biased]
    return Advice(
        "bias-before-batch-norm",
        f"{saved} of {spec.parameters:,} parameters learn nothing: {len(biased)} convolutions have a bias that the "
        "batch norm after them removes.",
        "Give these convolutions bias=False.",
        applicable(spec, {"layers": replace_calls(spec.layers, changes)}),
    )


def dropout_on_few_channels(evidence: Evidence) -> Advice | None:
    """Dropout of a map with few channels takes away features that nothing else has; a small network has none to spare.

    Fires for a rate of 10 % or more on 16 channels or fewer when the training accuracy of the last 3 epochs, with
    dropout, is below the held-out accuracy, without it: nothing over-fits, so that there is nothing to gain. The
    advice of Srivastava et al. 2014 (appendix A.1) is to widen a layer by 1/(1 - p) for a dropout of p.
    """
    spec, end = evidence.spec, evidence.rows[-WINDOW:]
    small = [
        (call, row, dropout_rate(spec, call))
        for call, row in outer_layers(spec)
        if is_dropout(call) and len(row.output_shape) == 3 and row.output_shape[0] <= FEW_CHANNELS
    ]
    strong = [one for one in small if one[2] >= DROPOUT]
    if not strong or len(end) < WINDOW or gap(end) >= 0 or evidence.has_met_goal:
        return None
    call, row, rate = max(strong, key=lambda one: one[2])
    return Advice(
        "dropout-on-few-channels",
        f"Dropout of {rate:.0%} on {row.output_shape[0]} channels (layer {row.index}, {call.name}) takes away what "
        f"nothing else has: the training accuracy is {points(-gap(end))} below the held-out accuracy.",
        "Halve the dropout.",
        scale_dropout(spec, 0.5),
    )
