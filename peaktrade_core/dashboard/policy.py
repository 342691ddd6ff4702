"""The headers of every answer: what a browser may load and run is this server's and nobody else's."""

from __future__ import annotations

from peaktrade_core.dashboard.documents import digest

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
_WIDGETS = {"script-src": "'self' 'unsafe-eval' blob:", "style-src": "'self' 'unsafe-inline'", "font-src": "'self' data:"}


def content_policy(*, interactive: bool = False, form: bool = False, style: str = "") -> str:
    """Return the Content-Security-Policy.

    Args:
        interactive: widgets also need eval, inline styles, and scripts that the page itself holds (anywidget's).
        form: the page asks for the token.
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
