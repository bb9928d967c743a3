"""The commands of the palette, made from the bindings of the screen and the application."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from textual.app import App, SystemCommand
from textual.binding import Binding
from textual.screen import Screen

from mnist_tui.tui.keys import key_label, own_bindings


def commands(app: App[Any], screen: Screen[Any]) -> Iterator[SystemCommand]:
    """A command for each action of the screen and the application, whatever has the focus, with what it does."""
    seen = set()
    bound = _bound_keys(screen)
    for node, binding in [(owner, each) for owner in (screen, app) for each in own_bindings(type(owner))]:
        if binding.description and binding.description not in seen and _is_possible(binding, app, screen):
            seen.add(binding.description)
            keys = ", ".join(map(key_label, bound.get(binding.action, binding.key.split(","))))
            words = [binding.tooltip] if binding.tooltip else []
            run = partial(app.run_action, binding.action, node)
            yield SystemCommand(binding.description, "; ".join([*words, f"key {keys}"]), run)


def _bound_keys(screen: Screen[Any]) -> dict[str, list[str]]:
    """The keys of each action that has some now, as a keymap may have changed them."""
    bound: dict[str, list[str]] = {}
    for key, active in screen.active_bindings.items():
        bound.setdefault(active.binding.action, []).append(key)
    return bound


def _is_possible(binding: Binding, app: App[Any], screen: Screen[Any]) -> bool:
    """Whether an action does anything: a dialog keeps the mode, and other screens than a mode's are not left by it."""
    if binding.action == "leave":
        return screen is app.screen_stack[0]
    return binding.action != "command_palette" and not (screen.is_modal and binding.action.startswith("mode("))
