"""What the server answers: pages, the API's routes and static files. All of it is GET, all of it only reads.

Questions are asked in threads, so that nothing they do keeps anybody else waiting. The gate in :mod:`access` has seen
every request before.
"""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple
from uuid import uuid4

import msgspec
import nbformat
from tornado.httputil import HTTPServerRequest, responses
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, RequestHandler, StaticFileHandler, authenticated
from voila.tornado.handler import TornadoVoilaHandler

from peaktrade_core.base.errors import (
    ArtefactError,
    ConfigError,
    PeaktradeError,
    SessionNotFoundError,
    UnknownNameError,
)
from peaktrade_core.dashboard import documents, pages, panels
from peaktrade_core.dashboard.access import HEADERS, AccessRefusal, Gate, content_policy
from peaktrade_core.dashboard.kernels import About, about, started
from peaktrade_core.dashboard.pages import PageAddress, PageSpec, needs_kernel
from peaktrade_core.dashboard.papers import POLICY as PAPER_POLICY
from peaktrade_core.dashboard.papers import Papers
from peaktrade_core.dashboard.routes import JSON, Route
from peaktrade_core.dashboard.site import Serving

PAGE_LIMIT_S = 60.0  # a page that is not done by then never will be


def status_of(error: BaseException | None) -> int | None:
    """Return the status that an error of ours means, None for any other error."""
    if isinstance(error, (SessionNotFoundError, ArtefactError)):
        return 404
    if isinstance(error, ConfigError):
        return 422
    return 503 if isinstance(error, PeaktradeError) else None


def wants_page(request: HTTPServerRequest) -> bool:
    """Return whether an error is told to a person in a browser, not to a program."""
    return "text/html" in request.headers.get("Accept", "")


class Plain(RequestHandler):  # type: ignore[misc]
    """A handler of ours that needs nothing of Jupyter's; it tells the meter which route it is."""

    SUPPORTED_METHODS = ("GET", "HEAD")
    route_name = "other"

    def set_default_headers(self) -> None:
        """Send the headers of every answer."""
        for name, value in HEADERS.items():
            self.set_header(name, value)


class Porter(Plain):
    """Answers the requests that the gate did not let pass, and gives a browser that showed the token its cookie."""

    route_name = "refused"

    def initialize(self, verdict: AccessRefusal, gate: Gate) -> None:
        """Remember what was decided."""
        self.verdict, self.gate = verdict, gate

    def prepare(self) -> None:
        """Answer, whatever the method."""
        self._tell()

    def write_error(self, status_code: int, **_: Any) -> None:  # noqa: ARG002
        """Answer a method that tornado does not hand on."""
        self._tell()

    def log_exception(self, *_: Any) -> None:
        """Say nothing: a refusal is no fault of the server, and an address may hold a token."""

    def _tell(self) -> None:
        verdict = self.verdict
        self.set_status(verdict.status)
        self.set_header("Cache-Control", "no-store")
        if verdict.status == 405:
            self.set_header("Allow", "GET, HEAD")
        if verdict.status == 401:
            self.set_header("WWW-Authenticate", "Bearer")
        if verdict.welcome:
            name, value = self.gate.cookie(self.request.host)
            self.set_cookie(name, value, httponly=True, samesite="Strict", path="/", expires_days=30)
        if not wants_page(self.request) and not verdict.welcome:
            self.set_header("Content-Type", JSON)
            self.finish(msgspec.json.encode({"message": verdict.message}))
            return
        asked = verdict.asked
        if asked is not None:
            self.set_header("Content-Security-Policy", content_policy(form=True))
        title = "Welcome" if verdict.welcome else _TITLES.get(verdict.status, "Refused")
        self.finish(documents.message_html(title, verdict.message, onward=verdict.welcome or "", asked=asked))


class ApiHandler(Plain):
    """A route of the API: never cached, errors as JSON with a message."""

    def initialize(self, route: Route, desk: Serving) -> None:
        """Remember which route this is."""
        self.route, self.desk, self.route_name = route, desk, route.path

    async def get(self, part: str | None = None) -> None:
        """Answer."""
        values = self.route.values(self.request.query, part)
        body = await self.desk.ask_together(self.request.uri, self._make, values)
        self.set_header("Content-Type", f"{self.route.media}; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        if self.route.media == "text/html":
            self.set_header("Content-Security-Policy", content_policy(style=documents.plain_style()))
        self.finish(body)

    head = get

    def _make(self, values: dict[str, Any]) -> bytes:
        """Return the answer's bytes; NaN and infinities become null."""
        answer = self.route.answer(self.desk.site, **values)
        return msgspec.json.encode(answer) if self.route.media == JSON else answer.encode()

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Say what was wrong; an internal error never shows its inside."""
        error = kwargs.get("exc_info", (None, None))[1]
        ours = status_of(error)
        message = str(error) if ours else responses.get(status_code, "error")
        self.set_status(ours or status_code)
        self.set_header("Content-Type", f"{JSON}; charset=utf-8")
        self.finish(msgspec.json.encode({"message": message}))

    def log_exception(self, *exc_info: Any) -> None:
        """Log errors except those that are the asker's, or a file's."""
        if status_of(exc_info[1]) is None:
            super().log_exception(*exc_info)


class Worded:
    """Errors in words: on a page of ours for a person, as JSON for a program."""

    def write_error(self: Any, status_code: int, **kwargs: Any) -> None:
        """Say what was wrong."""
        error = kwargs.get("exc_info", (None, None))[1]
        ours = status_of(error)
        status = 403 if isinstance(error, ArtefactError) else ours or status_code
        self.set_status(status)
        self.set_header("Content-Type", "text/html; charset=utf-8")
        if status == 503:
            self.set_header("Retry-After", "30")
        message = str(error) if ours else getattr(error, "log_message", None) or _MESSAGES.get(status, _NO_PAGE)
        if not wants_page(self.request):
            self.set_header("Content-Type", JSON)
            self.finish(msgspec.json.encode({"message": message}))
            return
        self.finish(documents.message_html(_TITLES.get(status, "Something went wrong"), message))

    def log_exception(self: Any, *exc_info: Any) -> None:
        """Log errors except those that are the asker's."""
        if status_of(exc_info[1]) is None and not isinstance(exc_info[1], (HTTPError, StreamClosedError)):
            super().log_exception(*exc_info)  # type: ignore[misc]


_TITLES = {
    400: "The address is wrong",
    401: "A token is needed",
    403: "Not allowed",
    404: "Not found",
    405: "Only reading is allowed",
    414: "The address is too long",
    421: "Another name was called",
    422: "The address is wrong",
    503: "Busy",
}  # of a page that says why another is not shown
_NO_PAGE = "The page could not be made; the server's output says why."
_MESSAGES = {
    403: "This page is not shown here.",
    404: "There is no such page. The pages that exist are in the navigation of the first one.",
    405: "This dashboard only reads: every address takes GET and nothing else.",
}


class Missing(Worded, Plain):
    """Answers what does not exist."""

    def get(self) -> None:
        """Answer 404."""
        raise HTTPError(404)

    head = get


class PaperPage(Worded, Plain):
    """Shows a report, evidence, an incident or a drill as it was written; no script in it runs."""

    route_name = "/papers/{kind}/{name}"

    def initialize(self, desk: Serving) -> None:
        """Remember whom to ask."""
        self.desk = desk

    async def get(self, kind: str, name: str) -> None:
        """Answer the paper."""
        try:
            page = await self.desk.ask(Papers.of(self.desk.site.workspace).open, kind, name)
        except UnknownNameError as error:
            raise HTTPError(404, str(error)) from None
        self.set_header("Content-Security-Policy", PAPER_POLICY)
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        self.finish(page)

    head = get


class Woven(NamedTuple):
    """The one notebook of a page, as Voila asks for it; there are no files beside it."""

    notebook: dict[str, Any]

    def get(self, path: str) -> dict[str, Any]:
        """Return the notebook, whatever it is called."""
        return {"type": "notebook", "path": path, "content": nbformat.from_dict(self.notebook)}

    def file_exists(self, path: str) -> bool:  # noqa: ARG002
        """Say that there is no picture to be put into it."""
        return False


class ViewPage(Worded, TornadoVoilaHandler):  # type: ignore[misc]
    """Shows a page. Its panels come at once; what else its notebook holds runs in a kernel and is streamed after.

    The kernel ends with the request unless the page is interactive.
    """

    SUPPORTED_METHODS = ("GET", "HEAD")
    streaming: asyncio.Task[Any] | None = None

    def initialize(self, spec: PageSpec, desk: Serving, **kwargs: Any) -> None:
        """Remember which page this is."""
        self.spec, self.desk, self.route_name = spec, desk, spec.path
        super().initialize(notebook_path=f"{spec.name}.ipynb", **kwargs)

    @authenticated  # type: ignore[untyped-decorator]
    async def get(self, subject: str | None = None) -> None:
        """Answer the page."""
        address = PageAddress(self.spec, subject, self.request.query)
        site = self.desk.site
        try:
            self.woven = await self.desk.ask_together(self.request.uri, site.woven, address)
        except FileNotFoundError:
            raise HTTPError(404) from None
        except UnknownNameError as error:
            raise HTTPError(404, str(error)) from None
        interactive = pages.is_interactive(self.woven)
        self.set_header("Content-Security-Policy", content_policy(interactive=interactive, form=True))
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        if self.spec.name in ("labs", "lab"):
            await self.desk.ask(self.kernel_manager.prepare)
        if not needs_kernel(self.woven):
            self.finish(await self.desk.ask_together(id(self.woven), site.render, self.woven, self.spec.name))
        elif self.request.method == "GET":
            await self._stream(address, interactive)

    head = get

    @property
    def contents_manager(self) -> Woven:
        """Where Voila takes the notebook from."""
        return Woven(self.woven)

    async def _stream(self, address: PageAddress, interactive: bool) -> None:
        """Stream a page with a kernel.

        Raises:
            HTTPError: 503, all kernels are in use or the server has no memory for another.
        """
        if refusal := await self._full():
            raise HTTPError(503, refusal)
        kernels: list[str] = []
        started.set(kernels)
        about.set(About(address.subject or "", self.desk.site.notebook_of(address).parent, str(uuid4())))
        self.streaming = asyncio.current_task()
        try:
            async with asyncio.timeout(PAGE_LIMIT_S):
                async for html in self.get_generator():
                    self.write(html)
                    await self.flush()
        except TimeoutError:
            self.log.error("%s was not done within %s s", self.spec.name, PAGE_LIMIT_S)
            message = f"The page was not done within {PAGE_LIMIT_S:.0f} s; the server's output says why. Reload it."
            self.write(panels.fill("failed", "en", {"name": "page", "message": message, "filtered": False}))
            interactive = False
        except (StreamClosedError, asyncio.CancelledError):  # the viewer went away
            interactive = False
        finally:
            self.streaming = None
            await asyncio.shield(self._leave(kernels, interactive))

    def on_connection_close(self) -> None:
        """Stop working for a viewer who went away."""
        if self.streaming is not None:
            self.streaming.cancel()

    async def _full(self) -> str:
        """Return why no kernel may be started, empty when one may; waits a moment for a place."""
        if not await self.kernel_manager.place():
            places = self.kernel_manager.places
            return f"All {places} places are taken. Close a page that is not needed, or try again in a minute."
        return self.desk.watchdog.refusal()

    async def _leave(self, kernels: list[str], interactive: bool) -> None:
        """Leave the kernels of an interactive page to their viewer, and end those of another."""
        for kernel_id in kernels:
            if not interactive:
                await self.kernel_manager.end(kernel_id)
            elif kernel_id in self.kernel_manager:
                kernel = self.kernel_manager.get_kernel(kernel_id)
                kernel.streaming = False
                kernel.touch()


class Static(Plain, StaticFileHandler):  # type: ignore[misc]
    """Styles and scripts of the pages."""

    route_name = "/static"

    def parse_url_path(self, url_path: str) -> str:
        """Return the file's name.

        Raises:
            HTTPError: 404, no file has such a name.
        """
        if "\0" in url_path:
            raise HTTPError(404)
        return str(super().parse_url_path(url_path))
