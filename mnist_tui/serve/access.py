"""Who is let in: the token, the cookie that stands for it, and the Host and Origin that a request may name.

A server on this machine can be reached by every page that its user visits, and by every other user of the machine.
A foreign page is told by its Origin; a name that an attacker has resolve to this machine (DNS rebinding) by the Host;
and everybody else has no token.
"""

import hmac
import ipaddress
import secrets
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web

PAGES = Path(__file__).parent / "page"
SOCKET_PATH = "/ws"
MAX_BODY = 4096
"""Bytes of a request's body: the form with the token."""
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; "
        "img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # With no-referrer a browser sends the form with the Origin `null`.
    "Cache-Control": "no-store",
}
"""Of every answer. xterm.js sets styles in the page; nothing is loaded from elsewhere."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Access:
    """Lets a request through that comes from this server's own page and brings the token."""

    def __init__(self, host: str, port: int, token: str | None = None) -> None:
        self.token = token or secrets.token_urlsafe(24)
        """192 bits in 32 characters."""
        self._names = {"localhost", host.lower(), socket.gethostname().lower()}
        self._cookie = f"mnist-tui-{port}"  # Cookies do not tell ports apart.

    @web.middleware
    async def check(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Passes a request on, or answers it: 403 for a foreign page, 401 and the form without the token."""
        if not self._is_own_name(request.host):
            raise web.HTTPForbidden(text="403: this server is reached by its address or by the name of its machine")
        if not self._is_own_page(request):
            raise web.HTTPForbidden(text="403: another page has sent this request")
        token = await _sent_token(request)
        if token is not None and self._is_token(token):
            return self._let_in()
        if token is None and self._is_token(request.cookies.get(self._cookie, "")):
            return await handler(request)
        return web.FileResponse(PAGES / "token.html", status=401)

    def _let_in(self) -> web.StreamResponse:
        """A page that goes on to `/`, with the cookie: thus the token does not stay in the address."""
        # A redirect would not do: from a link on another page, a browser follows it without a SameSite=Strict cookie.
        text = '<!DOCTYPE html><meta http-equiv="refresh" content="0; url=/"><a href="/">mnist-tui</a>'
        response = web.Response(text=text, content_type="text/html")
        response.set_cookie(self._cookie, self.token, httponly=True, samesite="Strict", path="/")
        return response

    def _is_token(self, text: str) -> bool:
        return hmac.compare_digest(text.encode(errors="replace"), self.token.encode())

    def _is_own_name(self, host: str) -> bool:
        """Whether a Host header names this server: by an address, which no DNS answer can change, or by its name."""
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return name in self._names or _is_address(name)

    def _is_own_page(self, request: web.Request) -> bool:
        """Whether a request comes from a page of this server, or from no page: a typed address, a program."""
        origin = request.headers.get("Origin")
        if origin is None:  # A browser names the origin of every WebSocket.
            return request.path != SOCKET_PATH
        return origin.lower() in (f"http://{request.host.lower()}", f"https://{request.host.lower()}")


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server at `host`."""
    return host.lower() == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


async def _sent_token(request: web.Request) -> str | None:
    """The token of the address or of the form; None where a request brings none, "" in a form that cannot be read."""
    if request.method != "POST":
        return request.query.get("token")
    try:
        sent = (await request.post()).get("token")
    except (ValueError, UnicodeError):
        return ""
    return sent if isinstance(sent, str) else None
