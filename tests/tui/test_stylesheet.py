"""The style rules are read once, and again for another theme; the styles of a widget are looked up when they change."""

from collections.abc import Iterable
from typing import Any

import pytest
from helpers.lab_pilot import lab, screen, until
from textual.css.parse import parse
from textual.css.stylesheet import Stylesheet
from textual.dom import DOMNode

from mnist_tui.tui.runs.screen import RunsScreen
from mnist_tui.tui.status import Headline
from mnist_tui.tui.text_field import TextField


async def test_opening_a_mode_reads_no_rules_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only those of the widgets that it brings."""
    sources: list[object] = []

    def record(scope: str, css: str, read_from: tuple[str, str], *rest: Any, **named: Any) -> Any:
        sources.append(read_from)
        return parse(scope, css, read_from, *rest, **named)

    monkeypatch.setattr("textual.css.stylesheet.parse", record)
    async with lab() as pilot:
        await pilot.pause(0.5)
        before = set(sources)
        sources.clear()
        await pilot.press("2")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunsScreen))
        await pilot.pause(0.5)

    assert before
    assert not before & set(sources)


async def test_another_theme_reaches_every_mode() -> None:
    """Also those that are not shown when it changes."""
    async with lab() as pilot:
        colours = []
        for key in ("2", "ctrl+l", "1", "ctrl+l", "2"):
            await pilot.press("escape", key)
            await pilot.pause(0.5)
            colours.append(pilot.app.screen.query_one(Headline).styles.background.rgb)

    dark_runs, light_runs, light_lab, dark_lab, dark_again = colours
    assert light_runs == light_lab != dark_runs == dark_lab == dark_again


def count_updates(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many widgets' styles each update looks up, from now on."""
    counts: list[int] = []

    def update(self: Stylesheet, nodes: Iterable[DOMNode], animate: bool = False) -> None:
        updated = list(nodes)
        counts.append(len(updated))
        update_nodes(self, updated, animate)

    update_nodes = Stylesheet.update_nodes
    monkeypatch.setattr(Stylesheet, "update_nodes", update)
    return counts


async def test_a_field_that_is_made_looks_up_no_styles(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are looked up when it is mounted."""
    async with lab():
        counts = count_updates(monkeypatch)
        field = TextField("0.01")
        looked_up = len(counts)

    assert field.has_class("-textual-compact")
    assert looked_up == 0


async def test_another_size_looks_up_the_styles_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of all widgets of the screen, although several of its classes change."""
    async with lab() as pilot:
        await pilot.pause()
        counts = count_updates(monkeypatch)
        await pilot.resize_terminal(79, 20)
        await pilot.pause()
        widgets = len(list(screen(pilot).walk_children(with_self=True)))

    assert len([count for count in counts if count >= widgets // 2]) == 1
