"""Widgets post messages up: none of them looks at its screen, or at what this program adds to the application."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.app import App
from textual.screen import Screen
from textual.widget import Widget

import mnist_tui.tui
from mnist_tui.tui.app import LabApp
from mnist_tui.tui.keys import _bound

FOLDER = Path(mnist_tui.tui.__file__).parent
APP = {"theme_variables", "current_theme", "theme_changed_signal", "stylesheet", "simulate_key", "suspend"}
"""What textual offers a widget through its application, and widgets use."""
SCREEN = {"bindings_updated_signal"}
"""The same of its screen: textual's own `Footer` subscribes to it."""
LOOKS_UP = """
class Thing(Widget):
    def on_click(self):
        self.screen.focus_next()
        self.app.open_run(self.app.size)
"""


def _widgets() -> set[str]:
    """The names of this program's widgets that are not screens."""
    _bound()  # Imports every module.
    classes = list(Widget.__subclasses__())
    for each in classes:
        classes += each.__subclasses__()
    ours = [each for each in classes if each.__module__.startswith("mnist_tui.")]
    return {each.__name__ for each in ours if not issubclass(each, Screen)}


def _looks_up(source: str, widgets: set[str]) -> Iterator[str]:
    """Every use of `self.screen` and of an attribute of `self.app` in widgets that is not allowed."""
    for cls in ast.walk(ast.parse(source)):
        if not isinstance(cls, ast.ClassDef) or cls.name not in widgets:
            continue
        for node in ast.walk(cls):
            match node:
                case ast.Attribute(value=ast.Attribute(value=ast.Name(id="self"), attr="app" | "screen" as up)):
                    if node.attr not in (APP if up == "app" else SCREEN):
                        yield f"{cls.name}: self.{up}.{node.attr}"


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.py")), ids=lambda path: str(path.relative_to(FOLDER)))
def test_no_widget_looks_up(path: Path) -> None:
    """No widget of the dashboard uses its screen or the application."""
    assert list(_looks_up(path.read_text(), _widgets())) == []


def test_a_widget_that_looks_up_is_found() -> None:
    """Negative control: every such use is detected."""
    assert {"Choice", "KeyBar", "DesignPanes"} <= _widgets()
    assert list(_looks_up(LOOKS_UP, {"Thing"})) == [
        "Thing: self.screen.focus_next",
        "Thing: self.app.open_run",
        "Thing: self.app.size",
    ]


def test_no_screen_calls_the_application_by_its_own_class() -> None:
    """What this program adds to the application is reached by messages alone."""
    ours = {name for name in vars(LabApp) if not hasattr(App, name)}
    used = {
        f"{path.name}: {node.attr}"
        for path in FOLDER.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Attribute)
        and node.value.attr == "app"
        and node.attr in ours
    }

    assert "action_mode" in ours
    assert used == set()
