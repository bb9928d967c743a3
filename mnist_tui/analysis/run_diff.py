"""Differences between runs by what they recorded: settings, layers, and provenance (data, device, versions)."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from mnist_tui.errors import CallError
from mnist_tui.runs.record import VERSIONS, Run
from mnist_tui.spec import catalog
from mnist_tui.spec.calls import parse, resolve_call, show
from mnist_tui.spec.layer_diff import Change, layer_changes
from mnist_tui.spec.recipe import OPTIONAL
from mnist_tui.text import clean_line

SEED = "seed"

Knobs = tuple[tuple[str, float], ...]
Recipe = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Difference:
    """A setting that is not the same in all runs."""

    name: str
    values: tuple[str, ...]
    """One for each run, in their order; "-" where a run does not have it."""


def settings(run: Run) -> dict[str, str]:
    """The settings of a run by name, its layers left out: the recipe with every argument of its calls, and the seed.

    {} for an imported log, which holds none.
    """
    if run.is_imported:
        return {}
    return {**_settings(_recipe(run), run.knobs), SEED: _text(run.seed)}


def _recipe(run: Run) -> Recipe:
    """The recipe without the seed, as a hashable value that many runs share."""
    recipe = run.section("train").items()
    return tuple((name, _text(value)) for name, value in recipe if name not in (SEED, "eval_batch_size"))


@lru_cache(maxsize=20_000)
def _settings(recipe: Recipe, knobs: Knobs) -> dict[str, str]:
    values = dict(recipe)
    settings = dict.fromkeys(sorted(OPTIONAL.difference(catalog.CALLS)), "none")
    settings |= {name: value for name, value in recipe if name not in (*catalog.CALLS, "augment")}
    for name in catalog.CALLS:
        settings |= _call_settings(name, values.get(name, "none"), knobs)
    settings["augment"] = values.get("augment") or "none"
    return settings | {f"knob {name}": f"{value:g}" for name, value in knobs}


def provenance(run: Run) -> dict[str, str]:
    """What may change a result without being a setting, by name: data, device, threads, versions, rates set by hand."""
    if run.is_imported:
        return {}
    values = {name: _text(run.record.get(name)) for name in ("device_name", "threads", "extends")}
    values |= {f"version of {name}": _text(value) for name, value in run.part("versions").items() if name in VERSIONS}
    values["data"] = f"{run.dataset or '-'} {(run.data[1] or '')[:8]}".strip()
    values["learning rate changed by hand"] = "yes" if run.is_rate_changed else "no"
    return values


def differing(runs: Sequence[Run], with_seed: bool = True) -> list[Difference]:
    """The settings that differ between runs, then what differs in their provenance.

    An imported log, which holds neither, differs in nothing; its values are "-".
    """
    differences: list[Difference] = []
    for read in (settings, provenance):
        each = [read(run) for run in runs]
        for name in dict.fromkeys(name for values in each for name in values):
            values = tuple(one.get(name, "-") for one in each)
            known = {value for value, run in zip(values, runs, strict=True) if not run.is_imported}
            if len(known) > 1 and (with_seed or name != SEED):
                differences.append(Difference(name, values))
    return differences


def layer_differences(before: Run, after: Run) -> list[Change]:
    """The layers of two runs, aligned; [] where they are all the same, and for an imported log, which holds none."""
    if before.is_imported or after.is_imported:
        return []
    changes = layer_changes(before.layers, after.layers)
    return changes if any(change.kind != "same" for change in changes) else []


def change_words(before: Run, after: Run, with_seed: bool = True) -> list[str]:
    """The changes from a run to a later one, a line each; provenance comes last."""
    set_before, set_after = settings(before), settings(after)
    lines = []
    for change in layer_differences(before, after):
        if change.kind != "same":
            lines.append(layer_words(change))
    for difference in differing([before, after], with_seed):
        old, new = difference.values
        is_set = difference.name in set_before or difference.name in set_after
        lines.append(
            f"{difference.name}: {old} → {new}" if is_set else f"not set by you: {difference.name} {old} → {new}"
        )
    return lines


def layer_words(change: Change) -> str:
    """A layer's change on one line, with the parameters that it adds."""
    cost = f" ({change.parameters:+,} params)" if change.parameters else ""
    old, new = (f"{row.type}({row.arguments})" if row else "" for row in (change.before, change.row))
    match change.kind:
        case "added":
            return f"+ {new}{cost}"
        case "removed":
            return f"- {old}{cost}"
    return f"~ {old} → {new}{cost}" if old != new else f"~ {new}: input shape changed{cost}"


def distance(before: Run, after: Run) -> int:
    """The number of differences between two runs: settings other than the seed, and layers."""
    recipes = _changed_settings(_recipe(before), before.knobs, _recipe(after), after.knobs)
    return recipes + _edits(before.layer_text, after.layer_text)


@lru_cache(maxsize=50_000)
def _changed_settings(before: Recipe, knobs_before: Knobs, after: Recipe, knobs_after: Knobs) -> int:
    one, two = _settings(before, knobs_before), _settings(after, knobs_after)
    names = {name for name in one.keys() | two.keys() if one.get(name) != two.get(name)}
    return len({name.partition(".")[0] for name in names})  # An optimizer that is replaced is one change.


@lru_cache(maxsize=50_000)
def _edits(before: str, after: str) -> int:
    if before == after:
        return 0
    from difflib import SequenceMatcher

    lines = [[line.partition("#")[0].strip() for line in text.splitlines()] for text in (before, after)]
    codes = SequenceMatcher(a=lines[0], b=lines[1], autojunk=False).get_opcodes()
    return sum(max(end - start, new_end - new) for tag, start, end, new, new_end in codes if tag != "equal")


def earlier_runs(run: Run, runs: Sequence[Run]) -> list[Run]:
    """The runs that began before a run, the newest first, without imported logs, which hold no settings."""
    earlier = [other for other in runs if other.is_run and not other.is_imported and other.created < run.created]
    return sorted(earlier, key=_created, reverse=True)


def nearest(run: Run, runs: Sequence[Run]) -> Run | None:
    """The earlier run that differs least, the newest of equals; None where none differs, and for an imported log.

    Runs of the same settings with another seed are skipped, since nothing was changed there.
    """
    if run.is_imported:
        return None
    by_distance = [(distance(other, run), other) for other in earlier_runs(run, runs)]
    return min((pair for pair in by_distance if pair[0]), key=lambda pair: pair[0], default=(0, None))[1]


def _created(run: Run) -> str:
    return run.created


def _call_settings(setting: str, text: str, knobs: Knobs) -> dict[str, str]:
    """A call of the recipe as settings: its name and its arguments, with their defaults."""
    if text == "none":
        return {setting: text}
    try:
        call = parse(text)
    except CallError:
        return {setting: _text(text)}
    # `epochs` and `steps_per_epoch` stay as they are written: the number of epochs is a difference of its own.
    with suppress(CallError):
        values = catalog.check(setting, resolve_call(call, dict(knobs)))
        return {setting: call.name} | {f"{setting}.{name}": _text(show(value)) for name, value in values.items()}
    return {setting: _text(text)}


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(_text(item) for item in value)
    return "none" if value is None else clean_line(str(value), 200)
