"""`mnist-tui --serve` in a real browser, a headless Chromium; test_serve.py speaks its protocol without one."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from helpers.browser import CHROMIUM, Tab, browser
from helpers.served_lab import epochs, servers, until
from yarl import URL

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium (apt-get install chromium): tried in no browser")

OPEN_SOCKET = """
new Promise(resolve => {{
  const socket = new WebSocket("{address}");
  socket.onopen = () => {{ socket.close(); resolve("opened"); }};
  socket.onerror = () => resolve("refused");
}})
"""


async def wait_for_value(tab: Tab, expression: str, expected: Any = True) -> None:
    """Waits until an expression in the page has a value."""
    for _ in range(600):
        if await tab.evaluate(expression) == expected:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{expression} never became {expected}")


async def wait_until_drawn(tab: Tab, before: bytes) -> None:
    """Waits until the picture of the page is another one than before: the browser draws what it gets a little later."""
    for _ in range(100):
        if await tab.picture() != before:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the page looks as before")


async def test_the_laboratory_in_a_browser(tmp_path: Path) -> None:
    """The page loads, from its own server alone; a key trains, the curve moves; closing the tab stops nothing."""
    with servers(tmp_path / "work") as serve:
        server = serve(epochs=1000)
        async with browser(tmp_path / "profile") as open_tab:
            tab = await open_tab()
            await tab.open(str(server.address))
            await tab.wait_for("t Train")
            await tab.press("t")
            await tab.wait_for("epoch 4/1000")
            curves, first = tab.screen.curves(), await tab.picture()
            await tab.wait(lambda: tab.screen.curves() != curves)
            await wait_until_drawn(tab, first)
            address = await tab.evaluate("location.href")
            cookie = await tab.evaluate("document.cookie")
            has_font = await tab.evaluate("document.fonts.check(\"16px 'Roboto Mono'\")")
            await tab.close()
            (folder,) = server.run_folders()
            left_at = epochs(folder)
            await until(lambda: epochs(folder) >= left_at + 3)

    assert address == f"{server.origin}/"  # Without the token.
    assert cookie == ""  # HttpOnly: no script reads it.
    assert has_font
    assert {URL(each).origin() for each in tab.requests if not each.startswith("data:")} == {server.origin}
    assert [URL(each).with_scheme("http").origin() for each in tab.sockets] == [server.origin]


async def test_a_browser_without_the_token(tmp_path: Path) -> None:
    """It gets a form and no laboratory; with the token typed there, the laboratory."""
    with servers(tmp_path / "work") as serve:
        server = serve()
        async with browser(tmp_path / "profile") as open_tab:
            tab = await open_tab()
            await tab.open(str(server.origin))
            await wait_for_value(tab, "document.querySelectorAll('input[name=token]').length", 1)
            before = server.laboratories()
            await tab.evaluate("window.old = 1; document.querySelector('input').value = 'wrong'")
            await tab.evaluate("document.forms[0].submit()")
            await wait_for_value(
                tab, "window.old === undefined && document.querySelectorAll('input[name=token]').length", 1
            )
            refused = server.laboratories()
            token = server.address.query["token"]
            await tab.evaluate(f"document.querySelector('input').value = '{token}'; document.forms[0].submit()")
            await tab.wait_for("t Train")

    assert before == refused == []


async def test_a_page_of_another_server(tmp_path: Path) -> None:
    """A page on another port of this machine, to which the browser sends the cookie too, opens no laboratory."""
    with servers(tmp_path / "work") as serve, servers(tmp_path / "other") as serve_other:
        server, other = serve(), serve_other()
        async with browser(tmp_path / "profile") as open_tab:
            pages = []
            for one in (server, other):
                tab = await open_tab()
                await tab.open(str(one.address))
                await tab.wait_for("t Train")
                pages.append(tab)
            await pages[1].call("Page.setBypassCSP", enabled=True)
            await pages[1].call("Page.reload")
            await wait_for_value(pages[1], "document.readyState", "complete")
            address = str((server.origin / "ws").with_scheme("ws"))
            own, foreign = [await page.evaluate(OPEN_SOCKET.format(address=address)) for page in pages]

    assert (own, foreign) == ("opened", "refused")
