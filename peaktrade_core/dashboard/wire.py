"""The wire of interactive pages: the little of Voila's kernel traffic that live widgets need, and their figures' script.

A page without widgets needs none of this; its kernel is gone before anybody could talk to it.
"""

from __future__ import annotations

import gzip
import json
import time
from functools import lru_cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

from jupyter_server.base.handlers import FileFindHandler
from jupyter_server.services.kernels.handlers import KernelHandler
from tornado.web import HTTPError, authenticated
from voila.shutdown_kernel_handler import VoilaShutdownKernelHandler
from voila.static_file_handler import MultiStaticFileHandler
from voila.tornado.kernel_websocket_handler import VoilaKernelWebsocketHandler

from peaktrade_core.dashboard.access import of_our_pages
from peaktrade_core.dashboard.handlers import Plain, Worded
from peaktrade_core.dashboard.site import Serving

PROTOCOL = "v1.kernel.websocket.jupyter.org"
SPOKEN = ("comm_msg", "comm_open", "comm_info_request", "kernel_info_request")
PING_S = 30.0  # how often a browser is asked whether it is there, and how long it may take to answer [s]
BURST, PER_S = (
    1000,
    300,
)  # messages that a viewer may send at once, and each second: a slider that is dragged sends sixty
BURST_BYTES, BYTES_PER_S = 8 << 20, 2 << 20  # the same in bytes
CONTROL = "jupyter.widget.control"  # asks for the state of all widgets at once; makes none


class KernelModel(Worded, KernelHandler):  # type: ignore[misc]
    """Tells an interactive page about its kernel; nothing more."""

    SUPPORTED_METHODS = ("GET",)


class KernelSocket(Worded, VoilaKernelWebsocketHandler):  # type: ignore[misc]
    """The websocket to a page's kernel: our own origin, the framed protocol, and only frames that are what they say.

    Tornado asks whether the browser is there. Jupyter's own way of asking would close a connection before its first
    question where interval and patience are the same, and a kernel ends soon after its connection.
    """

    ping_interval = ping_timeout = property(lambda _: PING_S)  # tornado's, of which Jupyter makes milliseconds

    def send_ping(self) -> None:
        """Leave it to tornado."""
        self.ping_callback.stop()

    def write_message(self, message: str | bytes, binary: bool = False) -> Any:
        """Send a message; that the viewer has gone meanwhile is told by the closing, not once more in the log."""
        sending = super().write_message(message, binary=binary)
        sending.add_done_callback(lambda sent: sent.cancelled() or sent.exception())
        return sending

    def check_origin(self, origin: str | None = None) -> bool:  # noqa: ARG002  (tornado's signature)
        """Let only our own pages connect."""
        return of_our_pages(self.request)

    async def get(self, kernel_id: str) -> None:
        """Connect.

        Raises:
            HTTPError: 403, it does not come from one of our pages (tornado does not ask when no origin is named); 400
                without the framed protocol: the old one lets a client make the server allocate without end.
        """
        if not of_our_pages(self.request):
            raise HTTPError(403)
        offered = self.request.headers.get("Sec-WebSocket-Protocol", "")
        if PROTOCOL not in [name.strip() for name in offered.split(",")]:
            raise HTTPError(400, "the websocket needs the subprotocol %s", PROTOCOL)
        await super().get(kernel_id=kernel_id)

    def open(self, *args: Any, **kwargs: Any) -> Any:
        """Begin to count what the viewer sends: what a kernel has not taken yet lies in the server's memory."""
        self._messages, self._bytes = Allowance(BURST, PER_S), Allowance(BURST_BYTES, BYTES_PER_S)
        return super().open(*args, **kwargs)

    def on_message(self, ws_message: str | bytes) -> None:
        """Pass a message on if its table of offsets fits into it, it is one that widgets send, and not one too many.

        What still arrives after our farewell is not read: Jupyter would take it for its old protocol, in which a few
        bytes make the server allocate gigabytes.
        """
        if self.ws_connection is None:
            return
        if not (self._messages.spend(1) and self._bytes.spend(len(ws_message))):
            self.close(1008, "more messages than any widget sends")
            return
        if not framed(ws_message):
            self.close(1007, "no message of the framed protocol")
            return
        assert isinstance(ws_message, bytes)
        if for_widgets(ws_message):
            if self.kernel_id in self.kernel_manager:
                self.kernel_manager.get_kernel(self.kernel_id).touch()
            super().on_message(ws_message)


class Allowance:
    """What may be spent at once, which comes back with time.

    Args (of the constructor):
        burst: the most at once; per_s: what comes back [1/s].
    """

    def __init__(self, burst: float, per_s: float) -> None:
        self._left = self._burst = burst
        self._per_s, self._at = per_s, time.monotonic()

    def spend(self, amount: float) -> bool:
        """Spend something; return whether there was enough."""
        now = time.monotonic()
        self._left = min(self._burst, self._left + (now - self._at) * self._per_s) - amount
        self._at = now
        return self._left >= 0.0


def framed(message: str | bytes) -> bool:
    """Return whether ``message`` begins with a table of rising offsets that lie within it."""
    if not isinstance(message, bytes) or len(message) < 8:
        return False
    n = int.from_bytes(message[:8], "little")
    if not 2 <= n <= (len(message) - 8) // 8:
        return False
    offsets = [int.from_bytes(message[8 * i : 8 * i + 8], "little") for i in range(1, n + 1)]
    return offsets == sorted(offsets) and offsets[0] >= 8 * (n + 1) and offsets[-1] <= len(message)


def for_widgets(message: bytes) -> bool:
    """Return whether a framed message is one of those that a page's widgets live on.

    That is: what a kernel is, which widgets it has, and what is said to one of them. Code, questions about code, and
    new objects in the kernel are not; the one exception asks for the state of all widgets.
    """
    parts = _parts(message)
    try:
        kind = json.loads(parts[1])["msg_type"]
        if parts[0] != b"shell" or kind not in SPOKEN:
            return False
        return bool(kind != "comm_open" or json.loads(parts[4])["target_name"] == CONTROL)
    except (ValueError, KeyError, TypeError, IndexError):
        return False


def _parts(message: bytes) -> list[bytes]:
    """Return channel, header, parent header, metadata, content and buffers of a framed message."""
    offsets = [
        int.from_bytes(message[8 * i : 8 * i + 8], "little")
        for i in range(1, int.from_bytes(message[:8], "little") + 1)
    ]
    return [message[begin:end] for begin, end in pairwise(offsets)]


class Farewell(Worded, VoilaShutdownKernelHandler):  # type: ignore[misc]
    """Takes the beacon that an interactive page sends when it is closed, and ends its kernel."""

    SUPPORTED_METHODS = ("POST",)

    def check_xsrf_cookie(self) -> None:
        """Check the origin instead: a beacon cannot carry the token.

        Raises:
            HTTPError: 403, the request does not come from one of our pages.
        """
        if not of_our_pages(self.request):
            raise HTTPError(403)

    @authenticated  # type: ignore[untyped-decorator]
    async def post(self, kernel_id: str) -> None:
        """End the kernel."""
        if kernel_id not in self.kernel_manager:
            raise HTTPError(404)
        await self.kernel_manager.end(kernel_id)
        self.set_status(204)
        self.finish()


class Packed:
    """Scripts of libraries: packed once, where the server would pack some seventy files for each browser anew."""

    def set_extra_headers(self: Any, path: str) -> None:
        """Say that a script is packed, as every browser takes it."""
        super().set_extra_headers(path)  # type: ignore[misc]
        if path.endswith(".js"):
            self.set_header("Content-Encoding", "gzip")

    def get_content_size(self: Any) -> int:
        """Return how much is sent [bytes]."""
        return len(_packed(self.absolute_path)) if self.absolute_path.endswith(".js") else super().get_content_size()  # type: ignore[misc]

    @classmethod
    def get_content(cls, abspath: str, start: int | None = None, end: int | None = None) -> Any:
        """Return what is sent."""
        return _packed(abspath)[start:end] if abspath.endswith(".js") else super().get_content(abspath, start, end)  # type: ignore[misc]


class VoilaScripts(Packed, MultiStaticFileHandler):  # type: ignore[misc]
    """Voila's own."""


class ExtensionScripts(Packed, FileFindHandler):  # type: ignore[misc]
    """Those of the widget libraries."""


PACKED = {MultiStaticFileHandler: VoilaScripts, FileFindHandler: ExtensionScripts}


@lru_cache(maxsize=256)
def _packed(path: str) -> bytes:
    """Return a file, packed; it changes with its library only, and then the server is started anew."""
    return gzip.compress(Path(path).read_bytes(), 6)


class FigureScript(Plain):
    """The script of plotly's widget: once for all figures of all labs, and kept by the browser."""

    route_name = "/static"

    def initialize(self, desk: Serving) -> None:
        """Remember who reads it."""
        self.desk = desk

    async def get(self) -> None:
        """Answer it packed, as every browser takes it."""
        body = await self.desk.ask(figure_script)
        self.set_header("Content-Type", "text/javascript; charset=utf-8")
        self.set_header("Content-Encoding", "gzip")
        self.set_header("Cache-Control", "public, max-age=31536000, immutable")
        self.finish(body)

    head = get


def figure_script() -> bytes:
    """Return the script of plotly's widget, packed."""
    found = find_spec("plotly")
    assert found is not None
    assert found.origin is not None
    return _packed(str(Path(found.origin).parent / "package_data" / "widgetbundle.js"))
