"""The dashboard's server: Voila's stand-alone application, bound to loopback, with an explicit list of what it serves.

It is never run as an extension of a Jupyter server, where a browser could execute code. Opening a page runs its view
notebook in a kernel that ends with the page; refreshes ask this process, which makes the same panels in milliseconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import re
import shutil
import signal
import sys
import tempfile
import webbrowser
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from traitlets.config import Config
from voila.app import Voila
from voila.paths import collect_static_paths, collect_template_paths

from peaktrade_core.base.errors import ConfigError, EnvironmentFault
from peaktrade_core.dashboard import handlers as own
from peaktrade_core.dashboard import wire
from peaktrade_core.dashboard.access import HEADERS, Gate, GatedApplication, check_access, own_names
from peaktrade_core.dashboard.api import ROUTES
from peaktrade_core.dashboard.kernels import OwnKernel, PageKernels, Watchdog, about
from peaktrade_core.dashboard.pages import PAGES
from peaktrade_core.dashboard.site import READERS, Serving, Site
from peaktrade_core.records.registry import Registry
from peaktrade_core.show.logs import logged, take_over
from peaktrade_core.workspace.workspace import Workspace

__all__ = ["PAGES", "Dashboard", "Listen", "serve"]

EXTENSIONS = ("@jupyter-widgets/jupyterlab-manager", "@voila-dashboards/widgets-manager8", "anywidget")
LONGEST_SCRATCH = 75  # bytes; a Unix socket's path holds about 104, of which a kernel's folder and file take 20
LARGEST_HEADER = 64 << 10  # bytes of a request's line and headers
FRESHEN_S = 1.0  # how far answers may lie behind the registry's files, so that no request waits for them [s]
SWITCH_S = 0.0005  # how long a reading thread may keep the event loop waiting for the interpreter [s]
WARM_UP_S = 1.0  # how long the first visitor is kept from what would be slow for it alone
FIRST_LOOK_S = 1.0  # how long the start waits for the first look at them [s]
_KERNEL_ID = r"(?P<kernel_id>\w+-\w+-\w+-\w+-\w+)"


class Listen(NamedTuple):
    """Where the server listens and to whom.

    Attributes:
        host: an address of this machine; any but loopback needs a token.
        port: 0 takes any free one.
        token: what viewers must show; None for whoever reaches the server.
        names: further names by which it may be called, those of a proxy before it.
        kernels: how many may run at a time; None lets the free memory decide.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = None
    names: Sequence[str] = ()
    kernels: int | None = None

    @property
    def url(self) -> str:
        """The address of the first page."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}/"


def serve(
    workspace: Workspace,
    host: str = "127.0.0.1",
    port: int = 8000,
    auto_refresh_seconds: int = 5,
    open_browser: bool = False,
    *,
    pages: Path | None = None,
    token: str | None = None,
    allow_hosts: Sequence[str] = (),
    kernels: int | None = None,
) -> None:
    """Serve the dashboard until SIGINT or SIGTERM, then end all kernels and return.

    Args:
        workspace: what the pages show.
        host: an address of this machine; any but loopback needs a token.
        port: 0 takes any free one.
        auto_refresh_seconds: how often a visible page refreshes [s], 1 to 3600.
        open_browser: whether to open the first page.
        pages: folder of the view notebooks; None takes those that come with peaktrade.
        token: what viewers must show.
        allow_hosts: further names by which the server may be called.
        kernels: how many may run at a time for pages that hold code; None lets the free memory decide.

    Raises:
        ConfigError: others could reach the server without a token, another argument is out of range, or the
            configuration is wrong.
        EnvironmentFault: the port is taken or may not be used, or the server ran out of memory.
    """
    check_access(host, token)
    if not 0 <= port <= 65_535:
        raise ConfigError(f"port = {port} must be from 1 to 65535, or 0 for any free one")
    if not 1 <= auto_refresh_seconds <= 3600:
        raise ConfigError(f"auto-refresh of {auto_refresh_seconds} s must be from 1 to 3600 seconds")
    scratch = _scratch()
    try:
        app = Dashboard(Site(workspace, pages, auto_refresh_seconds), scratch)
        with Registry.of(workspace).kept_fresh(FRESHEN_S, FIRST_LOOK_S):
            asyncio.run(app.run(Listen(host, port, token, allow_hosts, kernels), open_browser))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


class Dashboard(Voila):  # type: ignore[misc]
    """Voila with our template, our handlers and our kernels; no file outside the package configures it."""

    name = "peaktrade-dashboard"

    def __init__(self, site: Site, scratch: Path) -> None:
        """Prepare the application; nothing is bound or started yet.

        Raises:
            ConfigError: the workspace's configuration is wrong.
        """
        self._site = site
        self._desk = Serving(site, ThreadPoolExecutor(READERS, "views"), Watchdog(), {})
        super().__init__(config=_voila_config(site))
        self.config_file_paths = list[str]()
        self.log_level = logging.WARNING
        self.root_dir = str(scratch)  # handlers bring the notebooks
        self.connection_dir = str(scratch)
        self.tornado_settings = {
            "compress_response": True,
            "headers": HEADERS,
            "allow_remote_access": True,  # the gate decides
            "websocket_max_message_size": 1 << 20,
            "log_function": site.meter,
        }
        self.initialize([])
        take_over(self.log)

    def setup_template_dirs(self) -> None:
        """Take our template from where the package is, and Voila's own below it."""
        ours = str(self._site.assets)
        self.template_paths = [ours, *collect_template_paths(["voila", "nbconvert"], "base", prune=True)]
        self.static_paths = collect_static_paths(["voila"], "base")

    def init_settings(self) -> Any:
        """Return Voila's settings, with kernels that know their workspace."""
        settings = super().init_settings()
        self.kernel_manager.serve(self._site.workspace)
        self._site.kernels = lambda: len(self.kernel_manager.list_kernel_ids())
        return settings

    def init_handlers(self) -> list[Any]:
        """Return all that is served; Voila's tree, contents, files and login are not."""
        view = {
            "desk": self._desk,
            "template_paths": self.template_paths,
            "config": self.config,
            "voila_configuration": self.voila_configuration,
        }
        theirs = [rule for rule in super().init_handlers() if rule[0].startswith(("/voila/static", "/voila/labext"))]
        shipped = [(path, wire.PACKED[handler], *options) for path, handler, *options in theirs]
        return [
            *(
                (_pattern(path), own.ApiHandler, {"route": route, "desk": self._desk})
                for route in ROUTES
                for path in (route.path, *route.aliases)
            ),
            *((spec.pattern, own.ViewPage, {"spec": spec, **view}) for spec in PAGES),
            (r"/papers/([a-z]+)/([^/]{1,300})", own.PaperPage, {"desk": self._desk}),
            (r"/static/figure\.js", wire.FigureScript, {"desk": self._desk}),
            (r"/static/(.*)", own.Static, {"path": str(self._site.assets / "static")}),
            (rf"/api/kernels/{_KERNEL_ID}", wire.KernelModel),
            (rf"/api/kernels/{_KERNEL_ID}/channels", wire.KernelSocket),
            (rf"/voila/api/shutdown/{_KERNEL_ID}", wire.Farewell),
            *shipped,
            (r".*", own.Missing),
        ]

    async def run(self, listen: Listen, open_browser: bool) -> None:
        """Serve until a signal comes.

        Raises:
            EnvironmentFault: the port is taken or may not be used, or the server ran out of memory.
        """
        told = _on_signal()
        sys.setswitchinterval(SWITCH_S)
        sockets = _bind(listen.host, listen.port)
        self.port, self.ip = sockets[0].getsockname()[1], listen.host
        settings = {**self.init_settings(), **self.tornado_settings}
        if listen.kernels is not None:
            self.kernel_manager.places = listen.kernels
        gate = Gate(own_names(listen.host, listen.names), listen.token)
        self.app = GatedApplication(gate, own.Porter, self.init_handlers(), **settings)
        server = HTTPServer(
            self.app, max_body_size=1 << 20, max_header_size=LARGEST_HEADER, idle_connection_timeout=60, body_timeout=10
        )
        server.add_sockets(sockets)
        url = listen._replace(port=self.port).url
        warming = asyncio.create_task(self._desk.ask(self._site.warm_up))
        await asyncio.wait({warming}, timeout=WARM_UP_S)
        here = f"dashboard of {self._site.workspace.home} at {url}"
        if not logged(here):
            print(f"{here} (Ctrl-C ends it)", flush=True)  # noqa: T201
        try:
            if open_browser:
                await asyncio.to_thread(webbrowser.open, url)
            await _ended(told, self._desk.watchdog)
        finally:
            warming.cancel()
            server.stop()
            self._desk.readers.shutdown(wait=False, cancel_futures=True)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.kernel_manager.shutdown_all(now=True), 5.0)


def _pattern(path: str) -> str:
    """Return a route's path as a regular expression."""
    return re.sub(r"\\\{\w+\\\}", r"([^/]+)", re.escape(path))


def _scratch() -> Path:
    """Return a new folder for sockets, whose names have little room, and for what kernels write."""
    made = Path(tempfile.mkdtemp(prefix="peaktrade-"))
    if len(os.fsencode(made)) <= LONGEST_SCRATCH or os.name != "posix":
        return made
    made.rmdir()
    return Path(tempfile.mkdtemp(prefix="peaktrade-", dir="/tmp"))


def _voila_config(site: Site) -> Config:
    """Return all that differs from Voila's defaults."""
    config = Config()
    config.VoilaConfiguration.update(
        template="peaktrade",
        resources={"peaktrade": site.told},
        allow_template_override="NO",
        allow_theme_override="NO",
        show_tracebacks=False,
        strip_sources=True,
        http_keep_alive_timeout=int(own.PAGE_LIMIT_S) * 2,  # Voila's heartbeat is a script in the page's middle
        extension_allowlist=list(EXTENSIONS),
        page_config_hook=lambda page_config, **_: {**page_config, "kernelId": about.get().kernel_id},
        kernel_spec_manager_class=OwnKernel,
        multi_kernel_manager_class=PageKernels,
    )
    config.ConnectionFileMixin.transport = "ipc" if os.name == "posix" else "tcp"
    config.NotebookNotary.update(db_file=":memory:", secret=os.urandom(32))  # nothing is written to the user's home
    return config


def _bind(host: str, port: int) -> list[Any]:
    """Return listening sockets.

    Raises:
        EnvironmentFault: the port is taken or may not be used.
    """
    try:
        return list(bind_sockets(port, host))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            why = f"port {port} on {host} is taken, perhaps by another dashboard; choose another with --port"
        else:
            why = f"cannot listen on {host}:{port}: {error.strerror or error}; choose another port with --port"
        raise EnvironmentFault(why) from error


def _on_signal() -> asyncio.Event:
    """Return an event that SIGINT and SIGTERM set."""
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    return told


async def _ended(told: asyncio.Event, watchdog: Watchdog) -> None:
    """Return when a signal has come.

    Raises:
        EnvironmentFault: the server uses too much memory.
    """
    waiting = {asyncio.create_task(told.wait()), exhausted := asyncio.create_task(watchdog.exhausted())}
    done, pending = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    if exhausted in done:
        raise EnvironmentFault(exhausted.result())
