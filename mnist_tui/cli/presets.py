"""Commands on presets, and on the designs of runs: `--list`, `show` and `layers`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from mnist_tui.analysis import published
from mnist_tui.analysis.published import Replication
from mnist_tui.cli import own_module
from mnist_tui.cli.arguments import (
    RUN,
    AsJson,
    Changes,
    Given,
    Models,
    examples,
    refuse_empty_name,
    settings_with,
    takes_settings,
)
from mnist_tui.cli.changes import apply_changes, read_changes
from mnist_tui.cli.completion import complete_runs_and_presets
from mnist_tui.cli.formats import Format, json_text, print_table, record
from mnist_tui.cli.published import CSV_KEYS, preset_record
from mnist_tui.cli.specs import load_specs
from mnist_tui.errors import UsageError
from mnist_tui.spec import presets, recipe_words, summary
from mnist_tui.spec.recipe import Reported
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.text import clean, clean_line

app = typer.Typer()

MAX_TITLE = 1_000
"""A title is the last cell of its line, and is not cut."""
NOT_ON_TEST_SET = (
    "* not on the test images; beside ours, over an epoch's training batches (mnist-tui show NAME says more)"
)
HOUSE = "House models, designed here on validation images; last epoch: mean of the seeds on the test images"
OURS = "ours: mean of the reference runs; mnist-tui runs --reference --published has seeds and ranges"


def list_presets(models: Path | None, output: Format) -> int:
    """Prints a line for every preset; as text the house models are a table of their own."""
    every = published.replications(presets.load_all(models), published.reference_runs())
    if output in ("json", "csv"):
        print_table(output, (), (), list(map(preset_record, every)), CSV_KEYS)
        return 0
    house = presets.house_names()
    _print_presets(output, [each for each in every if each.spec.name not in house])
    if house:
        _print_house(output, [each for each in every if each.spec.name in house])
    return 0


def _print_presets(output: Format, every: Sequence[Replication]) -> None:
    rows = [["name", "params", "published", "ours", "target", "title"], *map(_preset_row, every)]
    print_table(output, rows, [False, True, True, True, True, False], max_cell=MAX_TITLE)
    print("\n".join(["", NOT_ON_TEST_SET, "", OURS] if output == "markdown" else [NOT_ON_TEST_SET, OURS]))


def _print_house(output: Format, every: Sequence[Replication]) -> None:
    rows = [["name", "params", "last epoch", "seeds", "target", "title"], *map(_house_row, every)]
    print("\n" + HOUSE + ("\n" if output == "markdown" else ""))
    print_table(output, rows, [False, True, True, True, True, False], max_cell=MAX_TITLE)


def _house_row(each: Replication) -> list[str]:
    spec, last = each.spec, published.percent(each.last.mean if each.last else None)
    return [spec.name, f"{spec.parameters:,}", last, str(len(each.runs) or ""), _target(spec), spec.title]


def _preset_row(each: Replication) -> list[str]:
    spec = each.spec
    reported = spec.reported or Reported()
    # Beside ours stands the figure that was measured alike, where there is one.
    figure = reported.accuracy if each.published is None else each.published
    accuracy = _marked(figure, reported.is_on_test_images)
    ours = _marked(each.ours.mean if each.ours else None, each.images == "test")
    return [spec.name, f"{spec.parameters:,}", accuracy, ours, _target(spec), spec.title]


def _target(spec: RunSpec) -> str:
    return f"{spec.target.percent_text}%" if spec.target.percent_text else ""


def _marked(accuracy: float | None, is_on_test_images: bool) -> str:
    return "" if accuracy is None else f"{accuracy:.2%}{' ' if is_on_test_images else '*'}"


@app.command(
    epilog=examples(
        "mnist-tui show iter5",
        "mnist-tui show my_net.toml --set width=16",
        "mnist-tui show iter5 --torchsummary",
        "mnist-tui show a17f",
        "mnist-tui show model.py:Net             your own nn.Module, and as a preset where it is a chain",
        "mnist-tui show model.py:Net --toml > my_net.toml",
    )
)
@takes_settings("runs_dir")
def show(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help=f"A preset, FILE.toml, FILE.py:CLASS, or {RUN}.",
            autocompletion=complete_runs_and_presets,
            callback=refuse_empty_name,
            show_default=False,
        ),
    ],
    as_json: AsJson = False,
    torchsummary: Annotated[bool, typer.Option("--torchsummary", help="Print torchsummary's three columns.")] = False,
    as_toml: Annotated[bool, typer.Option("--toml", help="Print the text of the preset file alone.")] = False,
    input_shape: Annotated[
        str | None, typer.Option("--input", metavar="CxHxW", help="The input of FILE.py:CLASS; without it 1x28x28.")
    ] = None,
    changes: Changes = None,
    models: Models = None,
    *,
    given: Given,
) -> int:
    """Print the layer table and the recipe of a preset, or of a run.

    A mistake in a file is named with its line. FILE.py:CLASS is a torch.nn.Module of yours: your file is run, in a
    process of its own.
    """
    forms = [
        flag for flag, is_on in (("--torchsummary", torchsummary), ("--toml", as_toml), ("--json", as_json)) if is_on
    ]
    if len(forms) > 1:
        raise UsageError(f"{forms[0]} is not allowed with {forms[1]}")
    if own_module.is_named(name):
        if torchsummary or changes or models:
            raise UsageError(f"{clean_line(name, 60)}: --torchsummary, --set and --models are for presets")
        return own_module.show(name, input_shape, as_json, as_toml)
    if input_shape is not None:
        raise UsageError("--input is for FILE.py:CLASS; a preset takes 1x28x28")
    specs = load_specs([name], models, settings_with(given).runs_dir)
    (spec,) = apply_changes(specs, read_changes(changes), models)
    if as_json:
        print(json_text(record(summary.as_json(spec))))
    elif torchsummary:
        print(summary.torchsummary(spec))
    elif as_toml:
        print(presets.as_toml(spec), end="")
    else:
        print_summary(spec)
    return 0


def print_summary(spec: RunSpec) -> None:
    """Prints the layer table and the recipe."""
    print(clean(f"{summary.table(spec)}\n{recipe_words.recipe(spec)}", 1_000_000))


@app.command()
def layers() -> int:
    """Print every kind of layer with its arguments."""
    from mnist_tui.spec.layers import describe_layers

    print("\n".join(describe_layers()))
    return 0
