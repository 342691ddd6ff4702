"""Who is answered: the gate that every request passes before any handler sees it.

It knows methods, hosts, origins and the token; what is behind it, pages, API, static files and Voila's own handlers,
need no check of their own. Without a token only this machine is answered, because the server then binds to it alone.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import socket
from collections.abc import Collection
from http.cookies import CookieError, SimpleCookie
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

import psutil
from tornado.httputil import HTTPServerRequest, split_host_and_port
from tornado.web import Application, RequestHandler

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.dashboard.documents import digest

LOCAL_NAME = re.compile(r"localhost|127(\.\d{1,3}){3}|::1")
LONGEST_URL = 4096  # characters
SHORTEST_TOKEN = 16  # characters; below that a token can be guessed over the network
BEACON = re.compile(r"/voila/api/shutdown/[\w-]+")  # what an interactive page sends when it is closed
UNGUARDED = re.compile(r"/static/[a-z._-]+")  # the styles of the page that asks for the token


class AccessRefusal(NamedTuple):
    """What a request gets instead of an answer.

    Attributes:
        status: of HTTP; message: what was wrong and what to do.
        welcome: the token was right: where to go on, without it; None for a refusal.
        asked: what was asked for without the token.
    """

    status: int
    message: str
    welcome: str | None = None
    asked: str | None = None


def of_our_pages(request: HTTPServerRequest) -> bool:
    """Return whether a request says that it comes from one of our own pages; an origin is no more than scheme and host."""
    return bool(request.headers.get("Origin", "").partition("://")[2] == request.host)


def is_local(host: str) -> bool:
    """Return whether an address to bind to is reachable from this machine only."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_access(host: str, token: str | None) -> None:
    """Refuse to serve others without a token worth its name.

    Raises:
        ConfigError: says what to give.
    """
    if token is not None and (len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable()):
        raise ConfigError(
            f"the token must be at least {SHORTEST_TOKEN} printable ASCII characters; make one with: openssl rand -hex 24"
        )
    if token is None and not is_local(host):
        raise ConfigError(
            f"--host {host} can be reached by others, so a token is needed: --token-file FILE or "
            "PEAKTRADE_DASHBOARD_TOKEN; or stay on 127.0.0.1 and look from elsewhere through "
            "ssh -L 8000:127.0.0.1:8000 HOST"
        )


def own_names(host: str, allowed: Collection[str] = ()) -> frozenset[str]:
    """Return the names by which the server may be called, in lower case, besides those of loopback.

    Args:
        host: the address it binds to; for a wildcard these are the machine's own names and addresses.
        allowed: further names, those of a proxy before it.
    """
    names = {host, *allowed}
    if host in ("0.0.0.0", "::", ""):  # noqa: S104  (compared, not bound)
        names |= {socket.gethostname(), socket.getfqdn()}
        for addresses in psutil.net_if_addrs().values():
            names |= {one.address.split("%")[0] for one in addresses if one.family in (socket.AF_INET, socket.AF_INET6)}
    return frozenset(name.lower().strip("[]") for name in names if name)


class Gate:
    """Decides about requests.

    Args (of the constructor):
        names: from :func:`own_names`; token: None lets everybody in who can reach the server.
    """

    def __init__(self, names: Collection[str] = (), token: str | None = None) -> None:
        self._names = frozenset(names)
        self._token = token.encode() if token else None
        self._pass = hmac.new(token.encode(), b"peaktrade dashboard", hashlib.sha256).hexdigest() if token else ""

    def verdict(self, request: HTTPServerRequest) -> AccessRefusal | None:
        """Return what a request gets instead of an answer, None when it may pass."""
        if not self._known(request.host):
            return AccessRefusal(
                403, "this dashboard does not answer to that name; start it with --allow-host NAME if it should"
            )
        if len(request.uri or "") > LONGEST_URL:
            return AccessRefusal(414, f"the address is longer than {LONGEST_URL} characters")
        if request.method not in ("GET", "HEAD") and not (request.method == "POST" and BEACON.fullmatch(request.path)):
            return AccessRefusal(405, "this dashboard only reads: every address takes GET and nothing else")
        if "Origin" in request.headers and not of_our_pages(request):
            return AccessRefusal(403, "this request comes from another site")
        return self._identify(request) if self._token else None

    def cookie(self, host: str) -> tuple[str, str]:
        """Return name and value of the cookie that stands for the token; ports of a host share their cookies."""
        return f"peaktrade-{split_host_and_port(host)[1] or 80}", self._pass

    def _known(self, host: str) -> bool:
        """Return whether a Host header names us, so that no foreign site was made to point here."""
        name = split_host_and_port(host.lower())[0].strip("[]")
        return bool(LOCAL_NAME.fullmatch(name)) or name in self._names

    def _identify(self, request: HTTPServerRequest) -> AccessRefusal | None:
        """Let in who shows the token or the cookie that stands for it."""
        assert self._token is not None
        kind, _, shown = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() == "bearer" and hmac.compare_digest(shown.strip().encode(), self._token):
            return None
        fields = parse_qsl(request.query, keep_blank_values=True)
        rest = urlencode([field for field in fields if field[0] != "token"])
        here = "/" + request.path.lstrip("/") + (f"?{rest}" if rest else "")
        if given := [value for name, value in fields if name == "token"]:
            if not hmac.compare_digest(given[-1].encode(), self._token):
                return AccessRefusal(401, "that is not the token", asked=here)
            return AccessRefusal(200, "welcome", here)
        name, value = self.cookie(request.host)
        if hmac.compare_digest(_cookies(request).get(name, "").encode(), value.encode()):
            return None
        if request.method in ("GET", "HEAD") and UNGUARDED.fullmatch(request.path):
            return None
        how = "in the form, or in the header Authorization: Bearer TOKEN"
        return AccessRefusal(401, f"this dashboard wants its token: {how}", asked=here)


def _cookies(request: HTTPServerRequest) -> dict[str, str]:
    """Return a request's cookies, none when their header makes no sense."""
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(request.headers.get("Cookie", "")).items()}
    except CookieError:
        return {}


class GatedApplication(Application):  # type: ignore[misc]
    """A tornado application behind a gate.

    Attributes:
        gate: asked about each request; porter: the handler that gets the requests which the gate does not let pass.
    """

    def __init__(self, gate: Gate, porter: type[RequestHandler], handlers: list[Any], **settings: Any) -> None:
        self.gate, self.porter = gate, porter
        super().__init__(handlers, **settings)

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> Any:
        """Return what answers a request."""
        verdict = self.gate.verdict(request)
        if verdict is None:
            return super().find_handler(request, **kwargs)
        return self.get_handler_delegate(request, self.porter, {"verdict": verdict, "gate": self.gate})


# The headers of every answer: what a browser may load and run is this server's and nobody else's.
_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}
_WIDGETS = {
    "script-src": "'self' 'unsafe-eval' blob:",
    "style-src": "'self' 'unsafe-inline'",
    "font-src": "'self' data:",
}


def content_policy(*, interactive: bool = False, form: bool = False, style: str = "") -> str:
    """Return the Content-Security-Policy.

    Args:
        interactive: widgets also need eval, inline styles, and scripts that the page itself holds (anywidget's).
        form: the page has a form, which only asks: for the token, or what a list is to show.
        style: an inline style that may pass.
    """
    parts = {**_POLICY, **(_WIDGETS if interactive else {})}
    if form:
        parts["form-action"] = "'self'"
    if style:
        parts["style-src"] = f"'self' {digest(style)}"
    return "; ".join(f"{name} {value}" for name, value in parts.items())


HEADERS = {
    "Content-Security-Policy": content_policy(),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Server": "peaktrade",
}
