"""Files from outside: what cannot be read is one error, whatever the system says of it, and when."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mnist_tui.errors import FileError
from mnist_tui.files import read_bytes, read_text

UNREADABLE = Path("/proc/self/mem")
"""A regular file that can be opened, and of which Linux reads nothing: an input/output error, as of a bad disk."""


@pytest.mark.skipif(not UNREADABLE.exists(), reason="Linux has such a file")
@pytest.mark.parametrize("read", [read_bytes, read_text])
def test_a_file_that_can_be_opened_but_not_read_is_named(read: Callable[[Path, int], object]) -> None:
    """The error of the disk is that of the file, as for one that cannot be opened."""
    with pytest.raises(FileError, match=r"^/proc/self/mem: Input/output error$") as refused:
        read(UNREADABLE, 100)

    assert not refused.value.is_missing
