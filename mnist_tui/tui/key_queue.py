"""Keys and pasted text, each handled to its end before the next one is looked at.

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
from textual.events import Event

ROUNDS = 3
"""Times that a callback climbs from the focus to the application before a key counts as handled.

The first climbs behind the key itself. A key may post a message (Enter: `Submitted`) whose handler posts another one
(`Picked`), which moves the focus or opens a screen: each further climb is behind one of them.
"""
LONGEST = 1.0
"""Seconds after which the next key is looked at in any case: a widget that is removed answers no more."""


class KeyQueue:
    """Delivers events one at a time to `deliver`, which is the application's own `on_event`."""

    def __init__(self, app: App[Any], deliver: Callable[[Event], Awaitable[None]]) -> None:
        self._app = app
        self._deliver = deliver
        self._waiting: deque[Event] = deque()
        self._number = 0
        """Of the event under way, so that a late callback of an earlier one is told apart."""
        self._timer: asyncio.TimerHandle | None = None
        """Runs while an event is under way."""

    async def put(self, event: Event) -> None:
        """Delivers an event, now or after those before it."""
        self._waiting.append(event)
        await self._deliver_next()

    async def _deliver_next(self) -> None:
        if self._timer is not None or not self._waiting:
            return
        self._number += 1
        self._timer = asyncio.get_running_loop().call_later(LONGEST, self._finish, self._number)
        focus = self._focus()
        await self._deliver(self._waiting.popleft())
        self._climb(focus, self._number, ROUNDS)

    def _focus(self) -> DOMNode:
        """The node that a key is given to first."""
        return self._app.focused or self._app.screen

    def _climb(self, node: DOMNode, number: int, rounds: int) -> None:
        """Goes on at `node` behind the messages that wait there, and from there to its parent, up to the application.

        A screen that is being opened answers once all its widgets are there.
        """
        if not node.call_later(self._climbed, node, number, rounds):
            self._climbed(self._app, number, rounds)  # The node is being removed.

    def _climbed(self, node: DOMNode, number: int, rounds: int) -> None:
        if number != self._number:
            return
        if isinstance(node.parent, DOMNode):
            self._climb(node.parent, number, rounds)
        elif rounds > 1:
            self._climb(self._focus(), number, rounds - 1)
        else:
            self._finish(number)

    def _finish(self, number: int) -> None:
        if number == self._number and self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._app.call_later(self._deliver_next)
