"""What all pilot tests share."""

import pytest
from textual.notifications import Notification


@pytest.fixture(autouse=True)
def _lasting_notices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Notices do not expire, so that a test on a slow machine still finds them."""
    monkeypatch.setattr(Notification, "has_expired", False)
