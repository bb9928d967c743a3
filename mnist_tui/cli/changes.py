"""Changes of presets on the command line: `--set`, `--epochs`, `--seed` and `--seeds`."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from mnist_tui.cli.arguments import whole_number
from mnist_tui.errors import SpecError, SweepError, UsageError
from mnist_tui.spec import presets
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.sweep.domains import Range, parse_domain
from mnist_tui.text import clean_line

MAX_SEEDS = 1000
MAX_NAMES = 12
"""Presets that an error names."""


def read_changes(pairs: Sequence[str] | None, epochs: str | None = None, seed: str | None = None) -> dict[str, str]:
    """Values by the path of their setting; raises `UsageError` for a pair without `=`."""
    changes = {}
    for pair in pairs or ():
        key, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(f"--set {clean_line(pair, 60)}: expected KEY=VALUE, such as optimizer.lr=0.01")
        changes[key.strip()] = value.strip()
    given = {"epochs": epochs, "seed": seed}
    return changes | {name: text for name, text in given.items() if text is not None}


def apply_changes(specs: Sequence[RunSpec], changes: Mapping[str, str], models: Path | None) -> list[RunSpec]:
    """The changed specs; raises `SpecError`, for a knob that one of them lacks with the presets that have it."""
    for name in changes:
        _check_knob(name, specs, models)
    try:
        return [spec.with_settings(changes) if changes else spec for spec in specs]
    except SpecError as error:
        if any(_has_several_values(text) for text in changes.values()):
            raise SpecError(f"{error}; mnist-tui sweep tries several values", error.where) from None
        raise


def _has_several_values(text: str) -> bool:
    """Whether a sweep takes a text for more than one value."""
    try:
        domain = parse_domain("", text)
    except SweepError:
        return False
    return isinstance(domain, Range) or len(domain.texts) > 1


def _check_knob(name: str, specs: Sequence[RunSpec], models: Path | None) -> None:
    knob = name.removeprefix("knobs.")
    lacking = list(dict.fromkeys(spec.name for spec in specs if not spec.has_setting(knob)))
    if not lacking or "." in knob:
        return
    having = dict.fromkeys(spec.name for spec in specs if knob in spec.knobs)
    if names := list(having | dict.fromkeys(presets.with_knob(knob, models))):
        more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
        owners = ", ".join(names[:MAX_NAMES]) + more
        verb = "have" if len(lacking) > 1 else "has"
        raise SpecError(f"--set {name}: {', '.join(lacking)} {verb} no knob {knob!r}; it is in {owners}", (name,))


def read_seeds(seeds: str | None) -> int:
    """How many times to train; raises `UsageError`."""
    return 1 if seeds is None else whole_number("--seeds", seeds, 1, MAX_SEEDS)


def repeat_with_seeds(specs: Sequence[RunSpec], seeds: str | None) -> list[RunSpec]:
    """Every spec with so many consecutive seeds; without `seeds` the specs as they are."""
    if seeds is None:
        return list(specs)
    count = read_seeds(seeds)
    return [spec.with_seed(spec.train.seed + index) for spec in specs for index in range(count)]
