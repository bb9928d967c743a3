"""Keys and pasted text, each handled completely before the next one is delivered.

Textual gives a letter to the widget with the focus at once, but runs the action of a bound key (Backspace, Enter, the
arrows, every shortcut) only when the key has gone up through all parents of that widget. In a burst, as SSH delivers
it, letters overtake those keys, and what follows a key that moves the focus goes to where the focus was.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from textual.app import App
from textual.dom import DOMNode
from textual.events import Callback, Event, Key
from textual.widgets import Input

ROUNDS = 3
"""Times that a callback passes from the focus to the application before a key counts as handled.

The first passes behind the key itself. A key may post a message (Enter: `Submitted`) whose handler posts another one
(`Picked`), which moves the focus or opens a screen: each further pass is behind one of them. A character in an input
field does neither, and needs only the first.
"""
LONGEST = 1.0
"""Seconds after which the next key is delivered in any case: a removed widget no longer answers."""


class KeyQueue:
    """Delivers events one at a time to `deliver`, which is the application's own `on_event`."""

    def __init__(self, app: App[Any], deliver: Callable[[Event], Awaitable[None]]) -> None:
        self.app = app
        self._deliver = deliver
        self._waiting: deque[Event] = deque()
        self._under_way: Climb | None = None

    async def put(self, event: Event) -> None:
        """Delivers an event, now or after those before it."""
        self._waiting.append(event)
        await self._deliver_next()

    async def _deliver_next(self) -> None:
        if self._under_way is not None or not self._waiting:
            return
        event, focus = self._waiting.popleft(), self.focus
        is_character = isinstance(event, Key) and event.is_printable and isinstance(focus, Input)
        self._under_way = Climb(self, 1 if is_character else ROUNDS)
        await self._deliver(event)
        self._under_way.begin(focus)

    @property
    def focus(self) -> DOMNode:
        """The node that gets a key first."""
        return self.app.focused or self.app.screen

    def finish(self, climb: "Climb") -> None:
        """Delivers the next event; does nothing when called again for the same one."""
        if climb is self._under_way:
            self._under_way = None
            self.app.call_later(self._deliver_next)


class Climb:
    """A callback that each node passes to its parent once its waiting messages are handled, up to the application.

    A screen that is being opened does so once all its widgets are mounted.
    """

    def __init__(self, keys: KeyQueue, rounds: int) -> None:
        self._keys = keys
        self._rounds = rounds
        self._node: DOMNode = keys.app
        self._timer = asyncio.get_running_loop().call_later(LONGEST, keys.finish, self)

    def begin(self, node: DOMNode) -> None:
        """Begins a pass at a node, usually the one with the focus."""
        self._node = node
        # What `call_later` does, without a new signature to inspect for each of a hundred steps a key.
        if not node.post_message(Callback(callback=self._visit_parent)):
            self._node = self._keys.app  # The node is being removed.
            self._keys.app.post_message(Callback(callback=self._visit_parent))

    def _visit_parent(self) -> None:
        if isinstance(self._node.parent, DOMNode):
            self.begin(self._node.parent)
            return
        self._rounds -= 1
        if self._rounds > 0:
            self.begin(self._keys.focus)
        else:
            self._timer.cancel()
            self._keys.finish(self)
