"""Commands on presets, and on the designs of runs: `--list`, `show` and `layers`."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from mnist_tui.cli.arguments import AsJson, Changes, Given, Models, SpecName, examples, settings_with, takes_settings
from mnist_tui.cli.changes import apply_changes, read_changes
from mnist_tui.cli.specs import load_specs
from mnist_tui.errors import UsageError
from mnist_tui.spec import presets, summary
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.text import cell_width, clean, fitted

app = typer.Typer()


def list_presets(models: Path | None, as_json: bool) -> int:
    """Prints a line for every preset."""
    specs = list(presets.load_all(models))
    if as_json:
        print(json.dumps([_preset_record(spec) for spec in specs]))
        return 0
    width = max(cell_width(spec.name) for spec in specs)
    print(f"{'name':<{width}}  {'params':>8}  {'published':>9}  {'target':>6}  title")
    for spec in specs:
        reported, target_accuracy = spec.reported, spec.target.test_accuracy
        accuracy = f"{reported.accuracy:.2%}" if reported and reported.accuracy is not None else ""
        mark = "*" if reported and reported.measured_on != "10,000 test images" else " "
        target = f"{target_accuracy:.1%}" if target_accuracy else ""
        name = fitted(spec.name, width)
        print(clean(f"{name}  {spec.parameters:>8,}  {accuracy:>8}{mark}  {target:>6}  {spec.title}"))
    print("* not measured on the test set; mnist-tui show NAME says on what")
    return 0


def _preset_record(spec: RunSpec) -> dict[str, Any]:
    reported = spec.reported
    return {
        "name": spec.name,
        "title": spec.title,
        "source": spec.source,
        "parameters": spec.parameters,
        "published_accuracy": reported.accuracy if reported else None,
        "measured_on": reported.measured_on if reported else None,
        "target": spec.target.model_dump(exclude_none=True),
    }


@app.command(
    epilog=examples(
        "mnist-tui show iter5",
        "mnist-tui show my_net.toml --set width=16",
        "mnist-tui show iter5 --torchsummary",
        "mnist-tui show a17f",
    )
)
@takes_settings("runs_dir")
def show(
    name: SpecName,
    as_json: AsJson = False,
    torchsummary: Annotated[bool, typer.Option("--torchsummary", help="Print torchsummary's three columns.")] = False,
    changes: Changes = None,
    models: Models = None,
    *,
    given: Given,
) -> int:
    """Print the layer table and the recipe of a preset, or of a run.

    A mistake in a file is named with its line.
    """
    if as_json and torchsummary:
        raise UsageError("--torchsummary is not allowed with --json")
    specs = load_specs([name], models, settings_with(given).runs_dir)
    (spec,) = apply_changes(specs, read_changes(changes), models)
    if as_json:
        print(json.dumps(summary.as_json(spec)))
    elif torchsummary:
        print(summary.torchsummary(spec))
    else:
        print_summary(spec)
    return 0


def print_summary(spec: RunSpec) -> None:
    """Prints the layer table and the recipe."""
    print(clean(f"{summary.table(spec)}\n{summary.recipe(spec)}", 1_000_000))


@app.command()
def layers() -> int:
    """Print every kind of layer with its arguments."""
    from mnist_tui.spec.layers import describe_layers

    print("\n".join(describe_layers()))
    return 0
