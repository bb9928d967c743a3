"""Command lines that typer alone does not parse: `--batch A B`, and words that begin with a minus."""

import re
from collections.abc import Sequence
from typing import Any

from typer.core import TyperCommand, TyperGroup, TyperOption

from mnist_tui.errors import UsageError
from mnist_tui.text import clean_line, did_you_mean

Context = Any
"""The context of a command line; typer does not export the class that its methods take."""


LONGEST_SENTENCE = 300
"""Characters of a command's first sentence, of which no more is shown in the list of commands."""


class MainCommand(TyperGroup):
    """`mnist-tui`, alone or with a command behind it."""

    def format_commands(self, ctx: Context, formatter: Any) -> None:
        _write_commands(self, ctx, formatter)

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        if not ctx.resilient_parsing:
            _check_batch(args)
        return super().parse_args(ctx, repeat_batch(args))

    def resolve_command(self, ctx: Context, args: list[str]) -> Any:
        if not ctx.resilient_parsing and args[0] not in self.commands:
            near = did_you_mean(args[0], self.commands) or f"; known are {', '.join(self.commands)}"
            raise UsageError(f"there is no command {clean_line(args[0], 60)!r}{near}; --batch NAME trains a preset")
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: Context, incomplete: str) -> Any:
        if ctx.params.get("batch") and not incomplete.startswith("-"):
            batch = next(parameter for parameter in self.params if parameter.name == "batch")
            return batch.shell_complete(ctx, incomplete)  # A second name behind `--batch A`.
        return super().shell_complete(ctx, incomplete)


def _write_commands(group: TyperGroup, context: Context, formatter: Any) -> None:
    """Writes each command with the first sentence of its help, which typer alone cuts to one line."""
    commands = ((name, group.get_command(context, name)) for name in group.list_commands(context))
    with formatter.section("Commands"):
        formatter.write_dl([(name, each.get_short_help_str(LONGEST_SENTENCE)) for name, each in commands if each])


def _check_batch(words: Sequence[str]) -> None:
    for word, following in zip(words, [*words[1:], "-"], strict=False):
        if word == "--batch" and following.startswith("-"):
            raise UsageError("--batch: expected at least one NAME or FILE.toml; mnist-tui --list shows the names")


def repeat_batch(words: Sequence[str]) -> list[str]:
    """`--batch A B` as `--batch A --batch B`, because an option of typer takes one value."""
    repeated: list[str] = []
    is_name = False
    for word in words:
        if word.startswith("-"):
            is_name = word == "--batch" or word.startswith("--batch=")
        elif is_name and repeated[-1] != "--batch":
            repeated.append("--batch")
        repeated.append(word)
    return repeated


class GroupCommand(TyperGroup):
    """A command with commands below it, such as `mnist-tui config`."""

    def format_commands(self, ctx: Context, formatter: Any) -> None:
        _write_commands(self, ctx, formatter)

    def resolve_command(self, ctx: Context, args: list[str]) -> Any:
        if not ctx.resilient_parsing and args[0] not in self.commands:
            near = did_you_mean(args[0], self.commands) or f"; known are {', '.join(self.commands)}"
            raise UsageError(f"there is no command '{self.name} {clean_line(args[0], 60)}'{near}")
        return super().resolve_command(ctx, args)


class SweepGroup(GroupCommand):
    """`mnist-tui sweep NAME` is `mnist-tui sweep run NAME`."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        own = {*self.commands, *self.get_help_option_names(ctx)}
        own |= {name for each in self.params for name in each.opts}
        if args and not ctx.resilient_parsing and args[0].partition("=")[0] not in own:
            args = ["run", *args]
        return super().parse_args(ctx, args)


class WordsCommand(TyperCommand):
    """A command whose words may begin with a minus: `-tag:old` in a filter, `-best` as a value."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        options, words = self._split(args)
        return super().parse_args(ctx, [*options, "--", *words])

    def _split(self, args: Sequence[str]) -> tuple[list[str], list[str]]:
        """The options with their values, and all other words."""
        with_value = {
            name for each in self.params if isinstance(each, TyperOption) and not each.is_flag for name in each.opts
        }
        options: list[str] = []
        words: list[str] = []
        rest = list(args)
        while rest:
            word = rest.pop(0)
            if word == "--":
                return options, [*words, *rest]
            if word.startswith("--") or re.fullmatch("-[a-zA-Z]", word):
                options += [word, *(rest[:1] if word in with_value else ())]
                rest = rest[1:] if word in with_value else rest
            else:
                words.append(word)
        return options, words
