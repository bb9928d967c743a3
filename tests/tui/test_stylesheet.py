"""The style rules are read once, and again for another theme."""

from typing import Any

import pytest
from helpers.lab_pilot import lab, until
from textual.css.parse import parse

from mnist_tui.tui.runs.screen import RunsScreen
from mnist_tui.tui.status import Headline


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
