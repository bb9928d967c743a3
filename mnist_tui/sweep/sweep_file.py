"""A sweep as a file, `sweep.toml`: a preset, or changes of one, with what is varied in a table `[sweep]`.

    preset = "iter5"                        what is not written here is taken from it
    seeds = 3

    [train]
    epochs = 5

    [sweep]
    optimizer.lr = [0.003, 0.01, 0.03]
    batch_size = "32..256 log 4 values"

Format: docs/sweeps.md.
"""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mnist_tui.errors import FileError, InputError, SweepError, UnusedKnobError
from mnist_tui.files import parse_toml, read_text
from mnist_tui.spec import presets
from mnist_tui.spec.run_spec import UNUSED, RunSpec, make_spec
from mnist_tui.spec.toml_files import MAX_BYTES
from mnist_tui.sweep.domains import Choices, choices, parse_domain
from mnist_tui.sweep.plan import PRESET, VALIDATION_SHARE, Network, SweepPlan, fill, make_plan
from mnist_tui.sweep.search.proposals import check
from mnist_tui.text import as_name, clean_line, did_you_mean

PRESET_KEYS = ("title", "source", "layers", "knobs", "data", "train", "target", "reported")
OWN_KEYS = ("preset", "sweep", "blocks")
PLAN_KEYS = ("seeds", "design", "points", "choose_on", "by", "where", "search", "lease")
Blocks = Mapping[str, Mapping[str, str]]
NOT_VARIED = {
    "seed": "seed: name how many seeds each configuration is trained with, as --seeds 3",
    "name": "name: is not varied",
    "title": "title: is not varied",
    PRESET: "preset: is no setting; name the presets themselves, as in mnist-tui sweep iter4 iter5",
}


def is_sweep_file(path: Path) -> bool:
    """Whether a TOML file has a table `[sweep]`, rather than being a preset; raises `SweepError`."""
    try:
        return "sweep" in parse_toml(read_text(path, MAX_BYTES))
    except FileError as error:
        raise SweepError(f"{clean_line(str(path), 200)}: {clean_line(error.why)}") from None
    except (tomllib.TOMLDecodeError, ValueError, RecursionError):
        return False  # As a preset it is refused with the line that is wrong.


def load_plan(path: Path, models: Path | None = None, changes: Mapping[str, Any] | None = None) -> SweepPlan:
    """The plan in a file, with the keys of `changes` in place of its own; raises `SweepError`, which names the file."""
    file = clean_line(str(path), 200)
    try:
        document = parse_toml(read_text(path, MAX_BYTES))
        return _plan_of(as_name(path.stem), document, models, changes or {})
    except FileError as error:
        raise SweepError(f"{file}: {clean_line(error.why)}") from None
    except (InputError, ValueError, RecursionError) as error:
        raise SweepError(f"{file}: {clean_line(str(error), 400)}") from None


def _plan_of(name: str, document: Mapping[str, Any], models: Path | None, changes: Mapping[str, Any]) -> SweepPlan:
    known = (*PRESET_KEYS, *OWN_KEYS, *PLAN_KEYS)
    for key in document:
        if key not in known:
            near = did_you_mean(key, known) or f"; known are {', '.join(known)}"
            raise SweepError(f"there is no key {clean_line(key, 40)!r}{near}")
    blocks = _blocks(document.get("blocks", {}))
    template = document.get("layers", "") if blocks else ""
    if blocks and not isinstance(template, str):
        raise SweepError("layers: must be a text")
    merged = _merge_preset(name, document, models)
    base = _base(merged, template, blocks)
    vary = {path: as_values(path, value) for path, value in _flat(_table(document, "sweep")).items()}
    vary |= changes.get("vary", {})
    for block, lines in blocks.items():
        vary.setdefault(block, tuple(lines))
    plan = {key: document[key] for key in PLAN_KEYS if key in document}
    own = {"template": template, "blocks": blocks, "knobs": merged["knobs"] if blocks else {}}
    return plan_of(base, vary, {**plan, **own, **{key: changes[key] for key in changes if key != "vary"}}, models)


def plan_of(
    base: RunSpec | Sequence[RunSpec],
    vary: Mapping[str, tuple[str, ...] | str],
    more: Mapping[str, Any],
    models: Path | None = None,
) -> SweepPlan:
    """The plan that varies settings of `base`, or tries several presets; a setting with one value is set in all.

    `more` are other fields of the plan. Where points are chosen on validation images, and a recipe splits none off, one
    in `VALIDATION_SHARE` training images is split off. Raises `SweepError`, `SpecError`.
    """
    for path in vary:
        if path in NOT_VARIED or path.startswith("target."):
            raise SweepError(NOT_VARIED.get(path, f"{path}: is not varied: no run comes out otherwise by it"))
    if isinstance(networks := vary.get("layers", ()), str):
        raise SweepError(f"layers: {networks} is a range; name presets, such as iter4,iter5")
    single = {path: one[0] for path, one in vary.items() if len(one) == 1 and not isinstance(one, str)}
    single = {path: text for path, text in single.items() if path != "layers" and path not in more.get("blocks", {})}
    on_validation = more.get("choose_on", "validation") == "validation"
    bases = [_start(spec, single, on_validation) for spec in ([base] if isinstance(base, RunSpec) else base)]
    names = tuple(spec.name for spec in bases)
    if len(set(names)) < len(names):
        raise SweepError(f"two presets are called {next(name for name in names if names.count(name) > 1)}")
    presets = {PRESET: names} if len(bases) > 1 else {}
    document = {
        "base": _dump(bases[0]),
        "presets": {spec.name: _dump(spec) for spec in bases} if presets else {},
        "vary": {**presets, **{path: values for path, values in vary.items() if path not in single}},
        "networks": {name: _network(name, models) for name in networks},
        **more,
    }
    plan = make_plan(document)
    if plan.search:
        check(plan)
    else:
        plan.check_configurations()
    return plan


def _start(spec: RunSpec, settings: Mapping[str, str], on_validation: bool) -> RunSpec:
    """A recipe with these settings, which splits validation images off where they are needed."""
    changed = spec.with_settings(settings) if settings else spec
    if on_validation and not changed.train.validation_images:
        return changed.with_settings({"validation_images": str(changed.dataset.train_images // VALIDATION_SHARE)})
    return changed


def _dump(spec: RunSpec) -> dict[str, Any]:
    return spec.model_dump(mode="json", exclude_none=True)


def as_values(path: str, value: object) -> tuple[str, ...] | str:
    """What a setting may be, as the plan holds it: its values, or the text of a range. Raises `SweepError`."""
    if isinstance(value, list):
        return choices(path, [_text(path, item) for item in value]).texts
    domain = parse_domain(path, _text(path, value))
    return domain.texts if isinstance(domain, Choices) else str(domain)


def _text(path: str, value: object) -> str:
    """A TOML value as a person types it."""
    if isinstance(value, bool | int | float):
        return str(value)
    if isinstance(value, list):
        return f"[{', '.join(_text(path, item) for item in value)}]"
    if isinstance(value, str):
        return value
    raise SweepError(f"{path}: expected values, such as [0.05, 0.1], or a range, such as '0.001..0.1 log'")


def _network(name: str, models: Path | None) -> dict[str, Any]:
    spec = presets.load(name, models)
    return Network(layers=spec.layers, knobs=spec.knobs).model_dump()


def _merge_preset(name: str, document: Mapping[str, Any], models: Path | None) -> dict[str, Any]:
    """The preset that everything starts from, with what the file says in place of it, as a document."""
    preset = document.get("preset")
    if preset is not None and not isinstance(preset, str):
        raise SweepError("preset: must be the name of a preset, or a file")
    start: dict[str, Any] = {"name": name}
    if preset is not None:
        start = presets.load(preset, models).model_dump(mode="json", exclude_none=True, exclude={"reported"})
    written = {key: document[key] for key in PRESET_KEYS if key in document}
    if preset is None and "layers" not in written:
        raise SweepError('name a preset = "NAME" to start from, or write layers')
    tables = {table: {**start.get(table, {}), **_table(written, table)} for table in ("knobs", "train", "target")}
    return {**start, **written, **tables}


def _base(document: Mapping[str, Any], template: str, blocks: Blocks) -> RunSpec:
    """The spec of a document, with the first choice of every block.

    A knob that only other choices use is left out; raises `UnusedKnobError` for one that none of them uses.
    """
    if not blocks:
        return make_spec(document)
    first = {block: next(iter(lines.values())) for block, lines in blocks.items()}
    choices = [{**first, block: text} for block, lines in blocks.items() for text in lines.values()]
    specs = [_without_unused({**document, "layers": fill(template, chosen)}) for chosen in choices]
    for knob in document["knobs"]:
        if not any(knob in spec.knobs for spec in specs):
            raise UnusedKnobError(UNUSED, ("knobs", knob), place=f"knobs.{knob}")
    return specs[0]


def _without_unused(document: Mapping[str, Any]) -> RunSpec:
    knobs = dict(document["knobs"])
    while True:
        try:
            return make_spec({**document, "knobs": knobs})
        except UnusedKnobError as error:
            del knobs[error.where[1]]


def _blocks(table: object) -> dict[str, dict[str, str]]:
    if not isinstance(table, dict) or not all(isinstance(lines, dict) and lines for lines in table.values()):
        raise SweepError('blocks: write [blocks.NAME], and in it a line for each choice, such as linear = "Linear(10)"')
    for block, lines in table.items():
        for choice, text in lines.items():
            if not isinstance(text, str):
                raise SweepError(f"blocks.{block}.{choice}: must be layers, as a text")
    return table


def _table(document: Mapping[str, Any], key: str) -> dict[str, Any]:
    table = document.get(key, {})
    if not isinstance(table, dict):
        raise SweepError(f"{key}: must be a table, [{key}]")
    return table


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The values of nested tables by their path: TOML reads `optimizer.lr = 1` as a table `optimizer`."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
