"""A headless Chromium, driven by its DevTools protocol: a page is opened, keys are typed, what it loads is seen."""

import asyncio
import base64
import json
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp

from helpers.served_lab import Screen

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SWITCHES = ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--window-size=1100,800")


class Tab:
    """A tab of the browser; what its page's WebSocket receives is drawn on `screen`."""

    def __init__(self, devtools: aiohttp.ClientWebSocketResponse) -> None:
        self.screen = Screen()
        self.requests: list[str] = []
        """The addresses that the page has loaded, or tried to."""
        self.sockets: list[str] = []
        """The addresses of its WebSockets."""
        self._devtools = devtools
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._reader = asyncio.create_task(self._read())

    async def call(self, method: str, **parameters: Any) -> Any:
        """The result of a method of the DevTools protocol."""
        number = len(self._answers)
        self._answers[number] = asyncio.get_running_loop().create_future()
        await self._devtools.send_json({"id": number, "method": method, "params": parameters})
        return await asyncio.wait_for(self._answers[number], 30)

    async def open(self, address: str) -> None:
        """Opens an address, and notes what its page loads."""
        for domain in ("Network", "Page", "Runtime"):
            await self.call(f"{domain}.enable")
        await self.call("Page.navigate", url=address)

    async def evaluate(self, expression: str) -> Any:
        """The value of an expression in the page."""
        answer = await self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        return answer["result"].get("value")

    async def press(self, key: str) -> None:
        """Types a letter."""
        await self.call("Input.dispatchKeyEvent", type="keyDown", key=key, text=key)
        await self.call("Input.dispatchKeyEvent", type="keyUp", key=key)

    async def picture(self) -> bytes:
        """The page as a PNG file."""
        return base64.b64decode((await self.call("Page.captureScreenshot", format="png"))["data"])

    async def wait(self, is_so: Callable[[], object], seconds: float = 60) -> None:
        """Waits until `is_so` returns something true."""
        end = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < end, f"the condition never became true; on the screen:\n{self.screen.text()}"
            await asyncio.sleep(0.05)

    async def wait_for(self, word: str, seconds: float = 60) -> None:
        """Waits until `word` is in the terminal of the page."""
        await self.wait(lambda: word in self.screen.text(), seconds)

    async def close(self) -> None:
        """Closes the tab."""
        await self.call("Page.close")
        self._reader.cancel()

    async def _read(self) -> None:
        async for message in self._devtools:
            event = json.loads(message.data)
            if "id" in event:
                self._answers[event["id"]].set_result(event.get("result"))
            else:
                self._note(event["method"], event["params"])

    def _note(self, method: str, event: dict[str, Any]) -> None:
        match method:
            case "Network.requestWillBeSent":
                self.requests.append(event["request"]["url"])
            case "Network.webSocketCreated":
                self.sockets.append(event["url"])
            case "Network.webSocketFrameReceived" if event["response"]["opcode"] == 2:
                self.screen.feed(base64.b64decode(event["response"]["payloadData"]))
            case "Network.webSocketFrameSent":
                self._resize(json.loads(event["response"]["payloadData"]))

    def _resize(self, sent: Any) -> None:
        if sent[0] == "resize":
            self.screen.cells.resize(sent[1]["height"], sent[1]["width"])


@asynccontextmanager
async def browser(profile: Path) -> AsyncIterator[Callable[[], Any]]:
    """Starts Chromium with a profile of its own; the value opens a tab."""
    assert CHROMIUM is not None
    process = subprocess.Popen(
        [CHROMIUM, *SWITCHES, "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"],
        stderr=subprocess.DEVNULL,
    )
    try:
        place = profile / "DevToolsActivePort"
        end = time.monotonic() + 60
        while not place.exists() or len(place.read_text().split()) < 2:
            assert time.monotonic() < end, "Chromium did not start"
            await asyncio.sleep(0.05)
        devtools = f"http://127.0.0.1:{place.read_text().split()[0]}"
        async with aiohttp.ClientSession(devtools) as session, AsyncExitStack() as connections:

            async def tab() -> Tab:
                async with session.put("/json/new?about:blank") as response:
                    address = (await response.json())["webSocketDebuggerUrl"]
                return Tab(await connections.enter_async_context(session.ws_connect(address, max_msg_size=0)))

            yield tab
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()
        process.wait()
