"""What the server answers: pages, their panels, a JSON API and health. All of it is GET, all of it only reads."""

from __future__ import annotations

import asyncio
import json
import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import msgspec
from jupyter_core.utils import ensure_async
from jupyter_server.base.handlers import APIHandler, JupyterHandler
from tornado.httputil import responses
from tornado.web import HTTPError, RequestHandler, StaticFileHandler, authenticated
from voila.tornado.handler import TornadoVoilaHandler

from peaktrade_core.adapters.registry import Query
from peaktrade_core.domain.clock import iso
from peaktrade_core.domain.errors import ConfigError, PeaktradeError
from peaktrade_core.edge.bootstrap import Workspace
from peaktrade_core.edge.dashboard import panels
from peaktrade_core.edge.dashboard.kernels import MOST_KERNELS, started

PAGE_LIMIT_S = 60.0  # a page that is not done by then never will be
_reader = ThreadPoolExecutor(1, "views")  # questions to the read side wait for each other, the server for none

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
_WIDGETS = {"script-src": "'self' 'unsafe-eval'", "style-src": "'self' 'unsafe-inline'", "font-src": "'self' data:"}


def content_policy(*, interactive: bool = False) -> str:
    """Return the Content-Security-Policy: this server and nobody else; widgets also need eval and inline styles."""
    parts = {**_POLICY, **(_WIDGETS if interactive else {})}
    return "; ".join(f"{name} {value}" for name, value in parts.items())


HEADERS = {
    "Content-Security-Policy": content_policy(),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}


class Refused(RequestHandler):  # type: ignore[misc]
    """Answers every request whose Host is not this machine: a foreign site that was made to point here."""

    def prepare(self) -> None:
        """Refuse."""
        self.set_status(403)
        self.finish("this dashboard answers to localhost and 127.0.0.1 only\n")


class _Json(APIHandler):  # type: ignore[misc]
    """Base of the JSON routes: GET only, never cached, errors as JSON with a message."""

    SUPPORTED_METHODS = ("GET",)

    def initialize(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def answer(self, value: object) -> None:
        """Send ``value`` as JSON; what is not a number becomes null."""
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        self.finish(json.dumps(_finite(msgspec.to_builtins(value)), allow_nan=False))

    async def ask(self, question: Any, *values: Any) -> Any:
        """Ask the read side outside the event loop, so that health is answered meanwhile."""
        return await asyncio.get_running_loop().run_in_executor(_reader, question, *values)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Say what was wrong; a bad parameter is a 422, an internal error never shows its inside."""
        error = kwargs.get("exc_info", (None, None))[1]
        message = responses.get(status_code, "error")
        if isinstance(error, ConfigError):
            status_code, message = 422, str(error)
        elif isinstance(error, PeaktradeError):
            message = str(error)
        self.set_status(status_code)
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.finish(json.dumps({"message": message}))

    def log_exception(self, *exc_info: Any) -> None:
        """Log errors except those that are the asker's."""
        if not isinstance(exc_info[1], ConfigError):
            super().log_exception(*exc_info)


def _finite(value: Any) -> Any:
    """Return plain data with every NaN and infinity as None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, (list, tuple)) else value


class Health(_Json):
    """Says that the server is there."""

    @authenticated  # type: ignore[untyped-decorator]
    async def get(self) -> None:
        """Answer ok."""
        self.answer({"status": "ok"})


class Sessions(_Json):
    """Lists sessions."""

    @authenticated  # type: ignore[untyped-decorator]
    async def get(self) -> None:
        """Answer the rows that match ``mode``, ``status`` and ``limit``."""
        chosen = panels.read_filters(self.request.query)
        self.answer(await self.ask(self.workspace.views.rows, _query(chosen)))


class Stats(_Json):
    """Figures over all sessions."""

    @authenticated  # type: ignore[untyped-decorator]
    async def get(self) -> None:
        """Answer the figures over what matches ``mode`` and ``status``."""
        chosen = panels.read_filters(self.request.query)
        self.answer(await self.ask(self.workspace.views.stats, _query(chosen)._replace(limit=None)))


def _query(chosen: panels.Filters) -> Query:
    """Return the registry's query for the URL's filters."""
    return Query(limit=chosen.limit, mode=chosen.mode, status=chosen.status)


class Panels(_Json):
    """Brings the panels of an open page anew, without a kernel."""

    @authenticated  # type: ignore[untyped-decorator]
    async def get(self) -> None:
        """Answer the panels named by ``panel`` for the page's query string ``query``, and as of when."""
        given = parse_qs(self.request.query)
        names = list(dict.fromkeys(given.get("panel", [])))
        page = panels.Page(lambda: self.workspace, given.get("query", [""])[-1])
        self.answer(await self.ask(self._make, page, names))

    def _make(self, page: panels.Page, names: list[str]) -> dict[str, Any]:
        made = {name: str(page.panel(name)) for name in names}
        return {"as_of": iso(self.workspace.views.now()), "panels": made}


class _Worded:
    """Errors of a page: in words, on a page of ours."""

    def write_error(self: Any, status_code: int, **_: Any) -> None:
        self.set_status(status_code)
        self.set_header("Content-Type", "text/html; charset=utf-8")
        message = _MESSAGES.get(status_code, "The page could not be made; the server's output says why.")
        self.finish(panels.fill("message", "en", {"title": responses.get(status_code, "Error"), "message": message}))


_MESSAGES = {
    403: "This page is not shown here.",
    404: "There is no such page. The pages that exist are in the navigation of the first one.",
    405: "This dashboard only reads: every address takes GET and nothing else.",
    503: f"All {MOST_KERNELS} places are taken. Close a page that nobody looks at, or try again in a minute.",
}


class Missing(_Worded, JupyterHandler):  # type: ignore[misc]
    """Answers what does not exist."""

    SUPPORTED_METHODS = ("GET",)

    async def get(self) -> None:
        """Answer 404."""
        raise HTTPError(404)


class ViewPage(_Worded, TornadoVoilaHandler):  # type: ignore[misc]
    """Shows a view notebook: executes it, streams what it shows, and ends its kernel unless the page is interactive."""

    SUPPORTED_METHODS = ("GET",)

    def initialize(self, notebook: Path, **kwargs: Any) -> None:
        """Remember which notebook this page is."""
        self.notebook = notebook
        super().initialize(notebook_path=notebook.name, **kwargs)

    @authenticated  # type: ignore[untyped-decorator]
    async def get(self) -> None:
        """Stream the page.

        Raises:
            HTTPError: 403 when the notebook does not say that it is a view, 503 when all kernels are in use.
        """
        meta = view_metadata(self.notebook)
        interactive = meta.get("interactive") is True
        if len(self.kernel_manager.list_kernel_ids()) >= MOST_KERNELS:
            self.set_header("Retry-After", "30")
            raise HTTPError(503)
        self.set_header("Content-Security-Policy", content_policy(interactive=interactive))
        kernels: list[str] = []
        started.set(kernels)
        try:
            async with asyncio.timeout(PAGE_LIMIT_S):
                async for html in self.get_generator():
                    self.write(html)
                    await self.flush()
        except TimeoutError:
            self.log.error("%s was not done within %s s", self.notebook, PAGE_LIMIT_S)
            message = f"The page was not done within {PAGE_LIMIT_S:.0f} s; the server's output says why. Reload it."
            self.write(panels.fill("failed", "en", {"name": "page", "message": message, "filtered": False}))
            interactive = False
        finally:
            if not interactive:
                await asyncio.shield(self._end(kernels))

    async def _end(self, kernels: list[str]) -> None:
        for kernel_id in kernels:
            if kernel_id in self.kernel_manager:
                await ensure_async(self.kernel_manager.shutdown_kernel(kernel_id, now=True))


def view_metadata(notebook: Path) -> dict[str, Any]:
    """Return what a notebook says of itself under ``peaktrade``.

    Raises:
        HTTPError: 404, there is no such notebook; 403, it does not say that it is a view. Opening a page executes its
            notebook, so one that could have side effects is never opened.
    """
    try:
        meta = json.loads(notebook.read_bytes())["metadata"].get("peaktrade", {})
    except FileNotFoundError:
        raise HTTPError(404) from None
    if meta.get("kind") != "view" or meta.get("side_effects"):
        raise HTTPError(403)
    return dict(meta)


class Static(StaticFileHandler):  # type: ignore[misc]
    """Styles and scripts of the pages."""

    def set_extra_headers(self, path: str) -> None:  # noqa: ARG002  (tornado's signature)
        """Send the same headers as everything else."""
        for name, value in HEADERS.items():
            self.set_header(name, value)
