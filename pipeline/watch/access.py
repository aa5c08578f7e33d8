"""Who may ask: whoever has the token, by this address, from this page. And what every answer says to browsers.

```
Host ours? -> Origin ours, or none? -> token in the address of the page, or in its cookie? -> the answer, with HEADERS
```

The first two keep out other pages of the same browser: one that has a name of its own resolve to 127.0.0.1, and one
that sends requests here. The page is answered where the token is in its address, and not by a redirection: browsers
would leave the cookie out there, if the address was opened from elsewhere.
"""

from __future__ import annotations

import secrets
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS: Final = {
    "content-security-policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "object-src 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
"""Of every answer: nothing but what is served here runs or is loaded, and nobody else gets to see it."""


class Access:
    """Lets those in who may ask.

    Args:
        app: Answers them.
        token: What they have to know.
        port: Of the server.
    """

    def __init__(self, app: ASGIApp, *, token: str, port: int) -> None:
        self._app = app
        self._token = token
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self._cookie = f"cage2-watch-{port}"  # browsers send a host's cookies to all of its ports

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or say why not."""
        if scope["type"] != "http":
            raise NotImplementedError("only HTTP is spoken here")
        headers = Headers(scope=scope)
        asked_by_address = self._is_in_address(scope)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                answer.update(HEADERS)
                if asked_by_address:
                    answer.append("set-cookie", f"{self._cookie}={self._token}; Path=/; HttpOnly; SameSite=Strict")
            await send(message)

        refusal = self._refusal(headers, asked_by_address=asked_by_address)
        app = self._app if refusal is None else PlainTextResponse(refusal, 403)
        await app(scope, receive, send_with_headers)

    def _refusal(self, headers: Headers, *, asked_by_address: bool) -> str | None:
        host, origin = headers.get("host", ""), headers.get("origin")
        if host not in self._hosts:
            return "This server answers to 127.0.0.1 alone."
        if origin is not None and origin != f"http://{host}":
            return "Other pages may not ask."
        if not asked_by_address and not self._has_cookie(headers):
            return "Open the address that `run.py watch` printed: it has a token in it."
        return None

    def _is_in_address(self, scope: Scope) -> bool:
        if scope["path"] != "/":
            return False
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])
        return self._is_token(given[0])

    def _has_cookie(self, headers: Headers) -> bool:
        try:
            cookies = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            return False
        return self._cookie in cookies and self._is_token(cookies[self._cookie].value)

    def _is_token(self, text: str) -> bool:
        return secrets.compare_digest(text.encode(), self._token.encode())
