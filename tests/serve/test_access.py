"""Who is let in by the server of `--serve`: every route, by token, cookie, Host and Origin."""

import re
from collections.abc import AsyncIterator

import pytest
from aiohttp import CookieJar, web
from aiohttp.test_utils import TestClient, TestServer

from mnist_tui.serve.access import PAGES, Access, is_loopback
from mnist_tui.serve.server import make_app
from mnist_tui.serve.visits import Visits

ROUTES = ("/", "/ws", "/static/js/textual.js", "/static/css/xterm.css", "/page/page.js", "/nothing")
TOKEN = "the-token-of-this-test"

Client = TestClient[web.Request, web.Application]


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    """A client that keeps cookies, of a server whose visitors get `cat`."""
    app = make_app(Access("127.0.0.1", 8000, TOKEN), Visits(["cat"], limit=1))
    async with TestClient(TestServer(app), cookie_jar=CookieJar(unsafe=True)) as client:
        yield client


def own_origin(client: Client) -> str:
    """The origin of the server's own page."""
    return str(client.make_url("/").origin())


async def let_in(client: Client) -> None:
    """Sends the token once."""
    assert (await client.get("/", params={"token": TOKEN})).status == 200


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("cookie", [None, "wrong", "", "é", TOKEN[:-1]])
async def test_without_the_token(client: Client, route: str, cookie: str | None) -> None:
    """Every route answers with the form, whatever the cookie is."""
    cookies = {} if cookie is None else {"mnist-tui-8000": cookie}
    response = await client.get(route, cookies=cookies, headers={"Origin": own_origin(client)})

    assert response.status == 401
    assert 'name="token"' in await response.text()


@pytest.mark.parametrize("token", ["", "wrong", "é", TOKEN[:-1], f"{TOKEN} "])
async def test_a_wrong_token(client: Client, token: str) -> None:
    """In the address or in the form: 401 and no cookie, even for who has been let in before."""
    await let_in(client)
    for response in (await client.get("/", params={"token": token}), await client.post("/", data={"token": token})):
        assert response.status == 401
        assert "Set-Cookie" not in response.headers


@pytest.mark.parametrize("is_form", [False, True])
async def test_the_token_is_sent_once(client: Client, is_form: bool) -> None:
    """Then a cookie stands for it, which no script reads and no other site sends."""
    sent = await (client.post("/", data={"token": TOKEN}) if is_form else client.get("/", params={"token": TOKEN}))
    page = await client.get("/")

    assert {"HttpOnly", "SameSite=Strict"} <= set(sent.headers["Set-Cookie"].split("; "))
    assert page.status == 200
    assert 'class="textual-terminal"' in await page.text()


async def test_a_form_that_cannot_be_read(client: Client) -> None:
    """It is no token, and a large one is not read."""
    broken = await client.post("/", data=b"--x", headers={"Content-Type": "multipart/form-data"})
    large = await client.post("/", data={"token": "x" * 10_000})

    assert broken.status == 401
    assert large.status == 413


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "", "http://[", "file://"])
async def test_a_foreign_page(client: Client, route: str, origin: str) -> None:
    """A page of another origin, also of another port of this machine, gets 403 although the browser adds the cookie."""
    await let_in(client)
    response = await client.get(route, headers={"Origin": origin})

    assert response.status == 403


async def test_a_websocket_without_an_origin(client: Client) -> None:
    """Every browser names it, so a request without one is refused."""
    await let_in(client)

    assert (await client.get("/ws")).status == 403


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("evil.example", 403),  # DNS rebinding: the name resolves to this machine.
        ("evil.example:8000", 403),
        ("127.0.0.1.evil.example", 403),
        ("[", 403),
        ("", 403),
        ("localhost:8000", 200),
        ("127.0.0.1:9000", 200),  # The other end of `ssh -L`.
        ("[::1]:8000", 200),
    ],
)
async def test_the_name_of_the_server(client: Client, host: str, status: int) -> None:
    """Only addresses, localhost and the machine's own name are answered."""
    await let_in(client)
    cookies = {"mnist-tui-8000": TOKEN}

    assert (await client.get("/", headers={"Host": host}, cookies=cookies)).status == status


async def test_every_answer_has_the_headers(client: Client) -> None:
    """Also refusals and files: no other site is loaded from, and none can show the page in a frame."""
    refused = await client.get("/")
    await let_in(client)
    answers = [refused, *[await client.get(route) for route in ROUTES]]

    for response in answers:
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "http" not in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_the_pages_name_nothing_elsewhere() -> None:
    """Every address in them is a path of the server itself."""
    named = [
        address
        for path in PAGES.iterdir()
        for address in re.findall(r"""(?:src|href|action|url)\s*[=(]\s*["']([^"']+)""", path.read_text())
    ]

    assert len(named) > 5
    assert [each for each in named if not re.fullmatch(r"/(?!/)\S*|data:,\S*", each)] == []


async def test_no_folder_is_listed(client: Client) -> None:
    """And nothing outside of the two folders is sent."""
    await let_in(client)

    assert (await client.get("/static/")).status in (403, 404)
    assert (await client.get("/static/js/")).status in (403, 404)
    assert (await client.get("/page/%2e%2e/access.py")).status in (403, 404)


def test_tokens_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """By hmac.compare_digest; a token has 192 bits and is another one each time."""
    compared = []
    monkeypatch.setattr("mnist_tui.serve.access.hmac.compare_digest", lambda *both: compared.append(both))
    one, other = Access("127.0.0.1", 8000), Access("127.0.0.1", 8000)
    one._is_token("typed")

    assert compared == [(b"typed", one.token.encode())]
    assert one.token != other.token
    assert len(one.token) == 32


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False), ("lab.local", False)],
)
def test_loopback(host: str, expected: bool) -> None:
    """Whether only this machine reaches a server there."""
    assert is_loopback(host) is expected
