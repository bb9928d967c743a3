"""`mnist-tui explain`: the rules of the coach, and the reasoning of one of them."""

import shutil
import textwrap
from typing import Annotated

import typer

from mnist_tui.cli.arguments import examples
from mnist_tui.cli.completion import complete_rules
from mnist_tui.errors import UsageError
from mnist_tui.text import clean_line, did_you_mean

app = typer.Typer()

MAX_WIDTH = 100
"""Longer lines are hard to read."""


@app.command("explain", epilog=examples("mnist-tui explain", "mnist-tui explain learning-rate-too-high"))
def explain_rule(
    rule: Annotated[
        str | None,
        typer.Argument(
            metavar="RULE", help="A rule of the coach; without it lists them.", autocompletion=complete_rules
        ),
    ] = None,
) -> int:
    """Print the reasoning of one of the coach's rules, and its source.

    The coach's advice on a run is printed by open and by analyse.
    """
    from mnist_tui.analysis.coach import rules

    width = min(MAX_WIDTH, shutil.get_terminal_size().columns)
    if rule is None:
        for each in rules.RULES:
            print(each.name)
            print(textwrap.fill(each.summary, width, initial_indent="  ", subsequent_indent="  "))
        return 0
    names = [each.name for each in rules.RULES]
    if rule not in names:
        near = did_you_mean(rule, names) or "; mnist-tui explain lists them"
        raise UsageError(f"there is no rule {clean_line(rule, 60)!r}{near}")
    paragraphs = rules.explain(rule).split("\n\n")
    print("\n\n".join(textwrap.fill(paragraph, width) for paragraph in paragraphs))
    return 0
