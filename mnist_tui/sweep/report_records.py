"""The report of a sweep as records, for programs: its keys are those of docs/json.md."""

from typing import Any

from mnist_tui.sweep.effects import Effect
from mnist_tui.sweep.report import Ranked, SweepReport

NUMBERS = ("parameters", "accuracy", "low", "high", "test_accuracy", "front")
"""What the CSV has of a configuration beside its rank and its settings."""


def entry_records(report: SweepReport) -> list[dict[str, Any]]:
    """A record for each configuration, the best first."""
    return [_entry(place, each) for place, each in enumerate(report.ranked, start=1)]


def _entry(place: int, each: Ranked) -> dict[str, Any]:
    low, high = each.interval or (None, None)
    return {
        "rank": place,
        "number": each.number,
        "values": dict(each.values),
        "parameters": each.parameters,
        "accuracy": each.accuracy,
        "low": low,
        "high": high,
        "accuracies": list(each.accuracies),
        "test_accuracy": each.test_accuracy,
        "front": each.front,
        "runs": [run.id for run in each.runs],
    }


def csv_records(report: SweepReport) -> tuple[list[dict[str, Any]], list[str]]:
    """A record for each configuration with a column for each setting, and the columns."""
    entries = entry_records(report)
    records = [{**{_column(path): text for path, text in entry["values"].items()}, **entry} for entry in entries]
    return records, ["rank", *map(_column, report.sweep.plan.vary), *NUMBERS]


def _column(path: str) -> str:
    """A setting as the name of a column: `as_csv` looks a key with dots up in objects."""
    return path.replace(".", "_")


def as_record(report: SweepReport) -> dict[str, Any]:
    """The whole report."""
    plan = report.sweep.plan
    return {
        "name": report.sweep.name,
        "created": report.sweep.created,
        "planned": report.planned,
        "done": report.done,
        "states": dict(report.states),
        "choose_on": plan.choose_on,
        "by": plan.by,
        "varied": {path: str(domain) for path, domain in plan.domains.items()},
        "configurations": entry_records(report),
        "best": report.ranked[0].number if report.ranked else None,
        "ties": [each.number for each in report.ties],
        "is_tested": report.is_tested,
        "effects": [_effect_record(effect) for effect in (report.effects.effects if report.effects else ())],
        "noise": report.effects.noise if report.effects else None,
        "interaction": report.effects.interaction if report.effects else None,
        "failed": [
            {"values": dict(each.values), "seed": each.seed, "state": each.state, "reason": each.reason}
            for each in report.failed
        ],
    }


def _effect_record(effect: Effect) -> dict[str, Any]:
    low, high = effect.interval or (None, None)
    return {
        "setting": effect.setting,
        "value": effect.value,
        "against": effect.against,
        "difference": effect.difference,
        "low": low,
        "high": high,
    }
