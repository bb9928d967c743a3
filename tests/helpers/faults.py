"""What a disk, or a machine, can do to a command that writes; each is told the system calls of traced.py."""

import errno
import random
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from unittest import mock

from helpers.traced import Call
from mnist_tui.runs import storage
from mnist_tui.training import session

ERRORS = {"ENOSPC": errno.ENOSPC, "EDQUOT": errno.EDQUOT, "EIO": errno.EIO, "EROFS": errno.EROFS}


@dataclass
class Fault:
    """One that begins with the call of this number; `end` takes it away again."""

    on_call: Callable[[Call], None]
    end: Callable[[], None] = lambda: None
    context: Callable[[], AbstractContextManager[object]] = nullcontext
    """What surrounds the command in its process."""
    is_harmless: bool = False
    """Whether the command must come to its end all the same."""


def failing(error: str, at: int, for_ever: bool) -> Fault:
    """One call fails, or all from it on."""
    count = 0

    def on_call(call: Call) -> None:
        nonlocal count
        count += 1
        if count == at or (for_ever and count > at):
            call.fail(ERRORS[error])

    return Fault(on_call)


def short_writes(at: int) -> Fault:
    """Every write from that call on takes half of what it is given."""
    count = 0

    def on_call(call: Call) -> None:
        nonlocal count
        count += 1
        if count >= at and call.name == "write":
            call.shorten()

    return Fault(on_call, is_harmless=True)


def slow(at: int) -> Fault:
    """Some calls take a while."""
    count = 0

    def on_call(_: Call) -> None:
        nonlocal count
        count += 1
        if count % 10 == at % 10:
            time.sleep(0.03)

    return Fault(on_call, is_harmless=True)


def vanishing(folder: Path, at: int) -> Fault:
    """A folder is moved away before that call, as when a disk is unplugged, and is back afterwards."""
    count, away = 0, folder.with_name("away")

    def on_call(_: Call) -> None:
        nonlocal count
        count += 1
        if count == at and folder.exists():
            folder.rename(away)

    def end() -> None:
        if away.exists():
            shutil.copytree(away, folder, symlinks=True, dirs_exist_ok=True)
            shutil.rmtree(away)

    return Fault(on_call, end)


def jumping_clock(seed: int) -> Fault:
    """The wall clock jumps by up to ten years, back and forth, at every look; the monotonic clock does not."""
    chance, now = random.Random(seed), time.time

    def jump() -> float:
        return now() + chance.uniform(-1, 1) * 10 * 365 * 86_400

    class JumpingTime(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "JumpingTime":
            return cls.fromtimestamp(jump(), tz or UTC)

    @contextmanager
    def context() -> Iterator[None]:
        with (
            mock.patch.object(time, "time", jump),
            mock.patch.object(storage, "datetime", JumpingTime),
            mock.patch.object(session, "datetime", JumpingTime),
        ):
            yield

    return Fault(lambda _: None, context=context, is_harmless=True)
