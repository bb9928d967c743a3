"""Runs and comparisons as rows of text and as records for JSON and CSV, for the command line and the dashboard."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from statistics import fmean, stdev
from typing import Any

from mnist_tui.analysis.analysis_report import advice_lines
from mnist_tui.analysis.coach.evidence import Advice
from mnist_tui.analysis.comparison import MEASURES, Arm, Measure, Verdict
from mnist_tui.analysis.run_diff import (
    SEED,
    change_words,
    differing,
    earlier_runs,
    layer_differences,
    layer_words,
    nearest,
    provenance,
    settings,
)
from mnist_tui.runs import metrics
from mnist_tui.runs.columns import ALL, Column, as_record
from mnist_tui.runs.events import EpochEnded
from mnist_tui.runs.index import repeats
from mnist_tui.runs.record import IMPORTED, Run, observations
from mnist_tui.runs.sparkline import mean_curve
from mnist_tui.table import aligned
from mnist_tui.text import clean, clean_line

SHORT: dict[Measure, str] = {
    "best": "best epoch, test acc",
    "last": "last epoch, test acc",
    "mean": "mean of last epochs",
}
"""The measures in a table's first column."""


def runs_table(groups: Sequence[Sequence[Run]], columns: Sequence[Column]) -> list[list[str]]:
    """A heading row, then a row for every run or group of seeds."""
    return [[column.heading for column in columns], *([column.of(runs) for column in columns] for runs in groups)]


def group_record(runs: Sequence[Run]) -> dict[str, Any]:
    """Several seeds of one recipe as one record; repeats of a seed are not counted.

    A result is its mean, with the sample standard deviation as `KEY_sd`, None for a single seed; the curve is the mean
    curve. Every other column is the value that all share, or else the list of their values.
    """
    records = [as_record(run) for run in observations(runs)]
    merged: dict[str, Any] = {}
    for each in ALL:
        values = [record[each.key] for record in records]
        known = [value for value in values if value not in (None, ())]
        if each.is_result:
            merged[each.key] = fmean(known) if known else None
            merged[f"{each.key}_sd"] = stdev(known) if len(known) > 1 else None
        elif each.key == "curve":
            merged[each.key] = mean_curve(known) if known else []
        else:
            merged[each.key] = values[0] if all(value == values[0] for value in values) else _merge(values)
    return merged


def _merge(values: Sequence[Any]) -> list[Any]:
    """The values that there are; where they are lists, every item of any."""
    if not isinstance(values[0], list):
        return [value for value in values if value not in (None, "")]
    return list(dict.fromkeys(item for value in values for item in value))


def record_keys(columns: Sequence[Column], is_grouped: bool) -> list[str]:
    """The keys of columns in `as_record`, or in `group_record`."""
    return [
        key for each in columns for key in (each.key, *([f"{each.key}_sd"] if is_grouped and each.is_result else []))
    ]


def details(
    run: Run, runs: Sequence[Run], columns: Sequence[Column], advice: Sequence[Advice], notes: str
) -> list[str]:
    """A run in full: its facts, the changes against the nearest earlier run, epochs, the coach's advice and notes."""
    facts = [(column.heading, column.of([run])) for column in columns if column.key != "curve"]
    if newer := repeats(runs).get(run.id):
        facts.append(("not counted", f"{newer} repeats it: same recipe, seed, data, device and versions"))
    facts += import_facts(run)
    lines = [f"{heading:<14} {text}" for heading, text in facts if text not in ("", "-")]
    has_advice = run.is_run and not run.is_imported
    coach = ["", *(clean_line(line) for line in advice_lines(advice))] if has_advice else []
    return [*lines, "", *changes(run, runs), "", *epoch_lines(run), *coach, "", clean(notes, 65_536).rstrip()]


def import_facts(run: Run) -> list[tuple[str, str]]:
    """What is known of how an imported log was read: names and texts; [] for another run."""
    facts = run.part(IMPORTED) if run.is_imported else {}
    remarks = facts.get("remarks")
    misread, lines = (facts.get(name) for name in ("not_understood", "lines"))
    texts = [("train figures", facts.get("train_figures"))]
    texts += [("remark", remark) for remark in (remarks if isinstance(remarks, list) else [])]
    if isinstance(misread, int) and isinstance(lines, int) and misread:
        texts.append(
            ("misread", f"{misread:,} of {lines:,} lines in the file look like epochs but were not understood")
        )
    return [(name, clean_line(text, 300)) for name, text in texts if isinstance(text, str)]


def changes(run: Run, runs: Sequence[Run]) -> list[str]:
    """The changes against the nearest earlier run, a line each."""
    if run.is_imported:
        return ["changes: an imported log holds no settings to compare"]
    earlier_run = nearest(run, runs)
    if earlier_run is None:
        none = (
            "every earlier run has the same settings" if earlier_runs(run, runs) else "no earlier run to compare with"
        )
        return [f"changes: {none}"]
    words = change_words(earlier_run, run)
    return [f"changes against {earlier_run.id}:", *(f"  {clean_line(line, 300)}" for line in words)]


EPOCH_KEYS = ("run", *(field.name for field in fields(EpochEnded) if field.name != "unknown"))
"""The keys of `epoch_records`."""


def epoch_records(run: Run) -> list[dict[str, Any]]:
    """The epochs of a run, a record each: the run's id, and the numbers of `EpochEnded`."""
    return [{"run": run.id, **asdict(row)} for row in run.rows]


def epoch_lines(run: Run) -> list[str]:
    """The epochs of a run as an aligned table."""
    rows = epoch_table(run.rows, run.best_epoch)
    return aligned(rows, [True] * len(rows[0])) if len(rows) > 1 else ["no epoch was finished"]


def epoch_table(rows: Sequence[EpochEnded], best_epoch: int | None) -> list[list[str]]:
    """A heading row, then a row for each epoch with every metric that was measured; the best is marked with *."""
    recorded = [metric for metric in metrics.measured(rows) if metric.compute is None]
    table = [["epoch", *(metric.heading for metric in recorded)]]
    for row in rows:
        mark = "*" if row.epoch == best_epoch else " "
        table.append([f"{row.epoch}{mark}", *(metric.text(metric.of(row)) for metric in recorded)])
    return table


# --- comparisons ---


def _mark_with_sign(words: str, is_judged: bool) -> str:
    return f"{'>' if is_judged else ' '} {words}"


def comparison_table(
    arms: Sequence[Arm], measure: Measure, mark: Callable[[str, bool], str] = _mark_with_sign
) -> list[list[str]]:
    """Results, a column for each arm: a heading row, then a row for each fact.

    `mark` makes the name of a measure's row from its words and whether it is the judged one, which else has a >.
    """
    rows = [["", *(arm.label for arm in arms)]]
    rows.append(["seeds", *(_seeds(arm) for arm in arms)])
    rows.append(["parameters", *(_parameters(arm.runs[0]) for arm in arms)])
    for each, words in SHORT.items():
        rows.append([mark(words, each == measure), *(_mean(arm, each) for arm in arms)])
        rows.append(["    95% interval", *(_interval(arm, each) for arm in arms)])
    rows.append(["train − test gap", *(_gap(arm) for arm in arms)])
    if any(arm.is_imported for arm in arms):
        rows.append(["measured on", *(arm.runs[0].measured_on or "-" for arm in arms)])
    return rows


def _parameters(run: Run) -> str:
    return "-" if run.parameters is None else f"{run.parameters:,}"


def _seeds(arm: Arm) -> str:
    if arm.is_imported:
        return "-"
    count = len(arm.repeats)
    return f"{len(arm.runs)}" + (f" (+{count} repeat{'s' if count > 1 else ''} not counted)" if count else "")


def _mean(arm: Arm, measure: Measure) -> str:
    values = arm.values(measure)
    if not values:
        return "-"
    spread = f" ({100 * min(values):.2f}–{max(values):.2%})" if len(values) > 1 else ""
    return f"{arm.mean(measure):.2%}{spread}"


def _interval(arm: Arm, measure: Measure) -> str:
    interval = arm.interval(measure)
    return "-" if interval is None else f"{100 * interval[0]:.2f}–{interval[1]:.2%}"


def _gap(arm: Arm) -> str:
    gap = mean_gap(arm)
    return "-" if gap is None else f"{100 * gap:+.2f} points"


def mean_gap(arm: Arm) -> float | None:
    """The mean train − test accuracy of the last epoch over the runs of an arm, a fraction; None without any."""
    gaps = [gap for run in arm.runs if (gap := run.gap) is not None]
    return fmean(gaps) if gaps else None


def difference_table(arms: Sequence[Arm]) -> list[list[str]]:
    """The settings that differ between the arms, a row each; of several seeds those of the first run."""
    several = any(len(arm.runs) > 1 for arm in arms)
    differences = differing([arm.runs[0] for arm in arms], with_seed=not several)
    return [[difference.name, *difference.values] for difference in differences]


def setting_table(arms: Sequence[Arm]) -> list[list[str]]:
    """Every setting of the arms, a row each; of several seeds those of the first run, but every seed."""
    each = [settings(arm.runs[0]) | provenance(arm.runs[0]) | {SEED: _all_seeds(arm)} for arm in arms]
    names = dict.fromkeys(name for values in each for name in values)
    return [[name, *(values.get(name, "-") for values in each)] for name in names]


def _all_seeds(arm: Arm) -> str:
    return ", ".join(map(str, sorted({run.seed for run in arm.runs if run.seed is not None})))


def layer_lines(before: Arm, after: Arm) -> list[str]:
    """The layers that differ, with the change of parameters, multiply-adds and receptive field."""
    lines = []
    for change in layer_differences(before.runs[0], after.runs[0]):
        if change.kind == "same":
            continue
        parts = [f"{change.multiply_adds:+,} MACs" if change.multiply_adds else "", change.receptive_field_words]
        extra = ", ".join(part for part in parts if part)
        lines.append(f"{layer_words(change)}{f' ({extra})' if extra else ''}")
    return lines


def comparison_lines(arms: Sequence[Arm], verdicts: Sequence[Verdict], measure: Measure) -> list[str]:
    """A comparison as text: results, differences, and the verdicts last."""
    rows = comparison_table(arms, measure)
    lines = aligned(rows, [False] * len(rows[0]))
    if differences := difference_table(arms):
        heads = ["only what differs", *(arm.label for arm in arms)]
        lines += ["", *aligned([heads, *differences], [False] * len(heads))]
    for arm in arms[1:]:
        if layers := layer_lines(arms[0], arm):
            lines += ["", f"layers, from {arms[0].label} to {arm.label}", *(f"  {line}" for line in layers)]
    return [*lines, "", *(clean_line(verdict.sentence) for verdict in verdicts)]


def comparison_json(arms: Sequence[Arm], verdicts: Sequence[Verdict], measure: Measure) -> dict[str, Any]:
    """A comparison as one JSON object; accuracies are fractions."""
    return {
        "measure": measure,
        "sides": [
            {
                "label": arm.label,
                "runs": [run.id for run in arm.runs],
                "repeats": [run.id for run in arm.repeats],
                "parameters": arm.runs[0].parameters,
                "gap": mean_gap(arm),
                **{each: {"mean": arm.mean(each), "values": arm.values(each)} for each in MEASURES},
                "interval": arm.interval(measure),
            }
            for arm in arms
        ],
        "differences": {name: values for name, *values in difference_table(arms)},
        "layers": {arm.label: layer_lines(arms[0], arm) for arm in arms[1:]},
        "verdicts": [
            {"against": arm.label, "better": verdict.better, "p": verdict.p, "sentence": verdict.sentence}
            for arm, verdict in zip(arms[1:], verdicts, strict=True)
        ],
    }


ARM_KEYS = (
    *("label", "runs", "repeats", "parameters", *MEASURES, "gap", "interval_low", "interval_high"),
    *("better", "p"),
)
"""The keys of `arm_records`."""


def arm_records(arms: Sequence[Arm], verdicts: Sequence[Verdict], measure: Measure) -> list[dict[str, Any]]:
    """A comparison as a flat record for each arm, for CSV: means and the 95% interval of the judged measure.

    `better` and `p` are those of the verdict on the first arm and this one; None in the first record.
    """
    return [
        {
            "label": arm.label,
            "runs": [run.id for run in arm.runs],
            "repeats": [run.id for run in arm.repeats],
            "parameters": arm.runs[0].parameters,
            **{each: arm.mean(each) for each in MEASURES},
            "gap": mean_gap(arm),
            **dict(zip(("interval_low", "interval_high"), arm.interval(measure) or (None, None), strict=True)),
            "better": verdict.better if verdict else None,
            "p": verdict.p if verdict else None,
        }
        for arm, verdict in zip(arms, [None, *verdicts], strict=True)
    ]
