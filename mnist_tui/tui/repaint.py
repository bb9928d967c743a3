"""Screens that repaint only what changed: three places in which textual 8.2 repaints much more are overridden here.

`scripts/stress.py traffic` measures what that saves, and tests/test_traffic.py fails where it is lost.
"""

from typing import ClassVar, TypeVar

from textual.geometry import Region
from textual.reactive import Reactive
from textual.screen import ModalScreen, Screen
from textual.widget import Widget

Result = TypeVar("Result")

MOST_PARTS = 6
"""Parts of a screen that are drawn one by one."""


class LeanScreen(Screen[Result]):
    """A screen that is not repainted as a whole when the focus moves, nor again and again below another screen."""

    # Textual's own declaration repaints the whole screen whenever the focus moves; the two widgets repaint themselves.
    focused: Reactive[Widget | None] = Reactive(None, repaint=False)

    def on_screen_suspend(self) -> None:
        """Empties the key bar: its keys do not work while another screen is on top."""
        self.bindings_updated_signal.publish(self)

    def on_screen_resume(self) -> None:
        """Shows the keys again."""
        self.bindings_updated_signal.publish(self)

    def is_useful(self, action: str) -> bool:
        """Whether the key bar should show an action now; its key works in any case."""
        return True

    @property
    def is_current(self) -> bool:
        """Whether any of it is visible: below an opaque screen nothing is drawn."""
        stack = self.app.screen_stack if self.is_attached else []
        return self in stack and all(above.styles.background.a < 1 for above in stack[stack.index(self) + 1 :])

    def _compositor_refresh(self) -> None:
        """Draws the regions that changed or, below a transparent screen, lets that one draw them."""
        top = self.app.screen
        if self is top:
            # Textual draws every widget between the first changed line and the last; separate parts cost less.
            for part in _separate(self._compositor._dirty_regions) or [set()]:
                self._compositor._dirty_regions = part
                super()._compositor_refresh()
            return
        # Textual also marks this whole screen as changed here, which leads back here, sixty times a second.
        regions = list(self._compositor._dirty_regions)
        self._compositor._dirty_regions.clear()
        self._dirty_widgets.clear()
        if regions:
            top.refresh(*regions)


def _separate(regions: set[Region]) -> list[set[Region]]:
    """Regions in groups that lie together; one group where they are many."""
    groups: list[tuple[Region, set[Region]]] = []
    for region in sorted(regions):
        near = [group for group in groups if group[0].grow((1, 1, 1, 1)).overlaps(region)]
        joined = {region}.union(*(members for _, members in near))
        groups = [group for group in groups if group not in near] + [(Region.from_union(joined), joined)]
    return [members for _, members in groups] if len(groups) <= MOST_PARTS else [set(regions)]


class Dialog(ModalScreen[Result], LeanScreen[Result]):  # In this order: textual's CSS knows the first base alone.
    """A dialog over a screen that is still updated below it."""

    KEYS: ClassVar[str] = ""
    """The keys that end it, on its border; "" where buttons or a `KeyBar` in it show them."""

    def on_mount(self) -> None:
        """Shows the keys."""
        if self.KEYS:
            self.query_one(".dialog").border_subtitle = self.KEYS
