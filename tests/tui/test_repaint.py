"""Screens that repaint only what changed: how often and how much is drawn, beside what textual's own would draw."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual._compositor import CompositorUpdate
from textual.app import App, ComposeResult
from textual.containers import Vertical
from textual.geometry import Region
from textual.pilot import Pilot
from textual.screen import ModalScreen, Screen
from textual.strip import Strip
from textual.widgets import Input, Static

from mnist_tui.tui.repaint import MOST_PARTS, Dialog, LeanScreen, _separate

pytestmark = pytest.mark.painted

WIDTH, HEIGHT = 60, 24


class Between(Static):
    """A text that counts how often it is asked for its lines."""

    times = 0

    def render_lines(self, crop: Region) -> list[Strip]:
        self.times += 1
        return super().render_lines(crop)


class Contents(Screen[None]):
    """A line and two fields in one pane, a text in the next, and a line in the third."""

    AUTO_FOCUS = ""

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static("above", id="above")
            yield Input("one", id="one")
            yield Input("two", id="two")
        with Vertical():
            yield Between("text " * 120)
        with Vertical():
            yield Static("below", id="below")


class Lean(Contents, LeanScreen[None]):
    """The same, as the laboratory's screens are."""


class LeanDialog(Dialog[None]):
    """A dialog of ours."""

    def compose(self) -> ComposeResult:
        yield Static("asked")


class PlainDialog(ModalScreen[None]):
    """A dialog of textual's."""

    def compose(self) -> ComposeResult:
        yield Static("asked")


class Counting(App[None]):
    """An application that counts what it would write."""

    def __init__(self, first: Screen[None]) -> None:
        super().__init__()
        self.first = first
        self.frames: list[int] = []
        """Characters of every frame."""

    def get_default_screen(self) -> Screen[None]:
        return self.first

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        if isinstance(renderable, CompositorUpdate):
            self.frames.append(len(renderable.render_segments(self.console)))
        super()._display(screen, renderable)


@asynccontextmanager
async def drawn(first: Screen[None]) -> AsyncIterator[tuple[Pilot[None], Counting]]:
    """The application, once it is drawn."""
    app = Counting(first)
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        await pilot.pause(0.1)
        app.frames.clear()
        yield pilot, app


def look(pilot: Pilot[None]) -> str:
    """The characters on the screen, of the dialog and of what is seen below it."""
    app = pilot.app
    strips = app.screen._compositor.render_update(full=True, screen_stack=app._background_screens)
    assert isinstance(strips, CompositorUpdate)
    return strips.render_segments(app.console)


async def changed_below(first: Screen[None], dialog: Screen[None]) -> tuple[list[int], list[int], str]:
    """The frames of a moment after something changed below a dialog, those of the moment after it, and what is seen."""
    async with drawn(first) as (pilot, app):
        await app.push_screen(dialog)
        await pilot.pause(0.2)
        app.frames.clear()
        first.query_one("#below", Static).update("changed", layout=False)
        await pilot.pause(0.2)
        at_once = app.frames[:]
        app.frames.clear()
        await pilot.pause(0.3)
        return at_once, app.frames[:], look(pilot)


# --- below a dialog ---


async def test_what_changes_below_a_dialog_is_drawn_once() -> None:
    """It is seen through the dialog; then nothing is drawn any more."""
    at_once, later, seen = await changed_below(Lean(), LeanDialog())

    assert 1 <= len(at_once) <= 2
    assert sum(at_once) < 10 * WIDTH
    assert later == []
    assert "changed" in seen
    assert "asked" in seen


async def test_textual_draws_the_whole_screen() -> None:
    """The control; where this no longer holds, the override can go."""
    at_once, _, _ = await changed_below(Contents(), PlainDialog())

    assert max(at_once) > 10 * WIDTH


async def test_what_is_covered_is_not_drawn() -> None:
    """Below an opaque screen; it is there when that screen is gone."""
    below, above = Lean(), Lean()
    async with drawn(below) as (pilot, app):
        await app.push_screen(above)
        await pilot.pause(0.2)
        app.frames.clear()
        below.query_one("#below", Static).update("changed", layout=False)
        await pilot.pause(0.2)
        covered, is_current = app.frames[:], (below.is_current, above.is_current)
        app.pop_screen()
        await pilot.pause(0.2)

        assert covered == []
        assert is_current == (False, True)
        assert below.is_current
        assert "changed" in look(pilot)


async def test_under_two_dialogs() -> None:
    """The lowest screen is still seen; below one that is opaque, none is."""
    below, dialog = Lean(), LeanDialog()
    async with drawn(below) as (_, app):
        await app.push_screen(dialog)
        await app.push_screen(LeanDialog())
        through_two = below.is_current, dialog.is_current
        await app.push_screen(Lean())

        assert through_two == (True, True)
        assert not below.is_current
        assert not dialog.is_current


def test_a_screen_that_is_not_there_is_not_current() -> None:
    """It asks no application that it does not have."""
    assert not Lean().is_current


# --- the focus ---


async def characters_of_a_move(first: Screen[None]) -> int:
    """What is drawn when the focus goes from one field to the next."""
    async with drawn(first) as (pilot, app):
        await pilot.press("tab")
        await pilot.pause(0.1)
        app.frames.clear()
        await pilot.press("tab")
        await pilot.pause(0.1)
        return sum(app.frames)


async def test_a_move_of_the_focus_draws_two_fields() -> None:
    """Textual's own declaration draws the whole screen, which is the control."""
    lean, plain = await characters_of_a_move(Lean()), await characters_of_a_move(Contents())

    assert 0 < lean < plain * 0.75


# --- parts of a screen ---


@pytest.mark.parametrize(("make", "is_lean"), [(Lean, True), (Contents, False)])
async def test_lines_far_apart_are_drawn_by_themselves(make: type[Contents], is_lean: bool) -> None:
    """Without what lies between them, which textual renders with them, which is the control."""
    screen = make()
    async with drawn(screen) as (pilot, _):
        between = screen.query_one(Between)
        between.times = 0
        for name in ("above", "below"):
            screen.query_one(f"#{name}", Static).update("changed", layout=False)
        await pilot.pause(0.2)
        times = between.times

        assert look(pilot).count("changed") == 2
        assert (times == 0) is is_lean


REGIONS = st.sets(st.builds(Region, st.integers(0, 90), st.integers(0, 30), st.integers(1, 20), st.integers(1, 5)))


@given(REGIONS)
def test_every_region_is_in_one_part(regions: set[Region]) -> None:
    """Those that touch are in the same, and there are never many parts."""
    parts = _separate(regions)

    assert sorted(region for part in parts for region in part) == sorted(regions)
    assert len(parts) <= max(1, MOST_PARTS)
    for one, other in combinations(parts, 2):
        assert not any(a.overlaps(b) for a in one for b in other)


def test_regions_that_touch_are_one_part() -> None:
    """Beside and below each other, also over a third one."""
    left, middle, right = Region(0, 0, 5, 1), Region(5, 1, 5, 1), Region(10, 2, 5, 1)
    far = Region(0, 9, 5, 1)

    assert len(_separate({left, right, far})) == 3
    assert sorted(_separate({left, middle, right, far}), key=len) == [{far}, {left, middle, right}]
    assert _separate(set()) == []
    assert len(_separate({Region(0, 4 * y, 1, 1) for y in range(MOST_PARTS + 1)})) == 1
