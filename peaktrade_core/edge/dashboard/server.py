"""The dashboard's server: Voila's stand-alone application, bound to loopback, with an explicit list of what it serves.

It is never run as an extension of a Jupyter server, where a browser could execute code. Opening a page runs its view
notebook in a kernel that ends with the page; refreshes ask this process, which makes the same panels in milliseconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import ipaddress
import logging
import os
import shutil
import signal
import tempfile
import webbrowser
from pathlib import Path
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application
from traitlets.config import Config
from voila.app import Voila
from voila.paths import collect_static_paths, collect_template_paths

from peaktrade_core.adapters.resources import share_dir
from peaktrade_core.domain.errors import ConfigError, EnvironmentFault
from peaktrade_core.edge.bootstrap import Workspace
from peaktrade_core.edge.dashboard import handlers as own
from peaktrade_core.edge.dashboard import wire
from peaktrade_core.edge.dashboard.kernels import OwnKernel, PageKernels, page_environment
from peaktrade_core.edge.dashboard.words import words

PAGES = ({"path": "/", "name": "live_track", "title": "Live-Track"},)
EXTENSIONS = ("@jupyter-widgets/jupyterlab-manager", "@voila-dashboards/widgets-manager8")
SPOKEN = ("as_of", "paused", "ago_s", "ago_m", "ago_h", "down", "down_next", "faulty")
LOCAL_HOSTS = r"^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$"
LONGEST_SCRATCH = 45  # bytes; a Unix socket's path holds about 104, of which a kernel's file name takes 55
_KERNEL_ID = r"(?P<kernel_id>\w+-\w+-\w+-\w+-\w+)"


def serve(
    workspace: Workspace,
    host: str = "127.0.0.1",
    port: int = 8000,
    auto_refresh_seconds: int = 5,
    open_browser: bool = False,
    *,
    pages: Path | None = None,
) -> None:
    """Serve the dashboard until SIGINT or SIGTERM, then end all kernels and return.

    Args:
        workspace: what the pages show.
        host: a loopback address.
        port: 0 takes any free one.
        auto_refresh_seconds: how often a visible page refreshes [s], 1 to 3600.
        open_browser: whether to open the first page.
        pages: folder of the view notebooks; None takes those that come with peaktrade.

    Raises:
        ConfigError: the host is not loopback, another argument is out of range, or the configuration is wrong.
        EnvironmentFault: the port is taken or may not be used.
    """
    _check_host(host)
    if not 0 <= port <= 65_535:
        raise ConfigError(f"port = {port} must be from 1 to 65535, or 0 for any free one")
    if not 1 <= auto_refresh_seconds <= 3600:
        raise ConfigError(f"auto-refresh of {auto_refresh_seconds} s must be from 1 to 3600 seconds")
    folder = pages or share_dir() / "notebooks" / "dashboards"
    scratch = Path(tempfile.mkdtemp(prefix="peaktrade-"))
    try:
        app = Dashboard(workspace, folder, scratch, auto_refresh_seconds)
        asyncio.run(app.run(host, port, open_browser))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _check_host(host: str) -> None:
    """Refuse every address that others could reach."""
    try:
        local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = False
    if not local:
        raise ConfigError(
            f"--host {host}: the dashboard has no login yet, so it binds to this machine only (127.0.0.1, ::1 or "
            "localhost); to look from elsewhere, forward the port through ssh: ssh -L 8000:127.0.0.1:8000 HOST"
        )


class Dashboard(Voila):  # type: ignore[misc]
    """Voila with our template, our handlers and our kernels; no file outside the package configures it."""

    name = "peaktrade-dashboard"

    def __init__(self, workspace: Workspace, pages: Path, scratch: Path, refresh: int) -> None:
        """Prepare the application; nothing is bound or started yet.

        Raises:
            ConfigError: the workspace's configuration is wrong.
        """
        self._assets = share_dir() / "templates" / "voila" / "templates" / "peaktrade"
        self._workspace = workspace
        texts = words(workspace.config.ui.language)
        super().__init__(config=_voila_config(texts, refresh, _version(self._assets), scratch))
        self.config_file_paths = list[str]()
        self.log_level = logging.WARNING
        self.root_dir = str(pages.resolve())
        self.connection_dir = str(scratch)
        self.tornado_settings = {
            "compress_response": True,
            "headers": own.HEADERS,
            "allow_remote_access": False,
            "websocket_max_message_size": 1 << 20,
            "ws_ping_timeout": 30_000,
        }
        self.initialize([])

    def setup_template_dirs(self) -> None:
        """Take our template from where the package is, and Voila's own below it."""
        self.template_paths = [str(self._assets), *collect_template_paths(["voila", "nbconvert"], "base", prune=True)]
        self.static_paths = collect_static_paths(["voila"], "base")

    def init_settings(self) -> Any:
        """Return Voila's settings, with kernels that know their workspace."""
        settings = super().init_settings()
        self.contents_manager.log = _silent()  # it warns that view notebooks carry no signature
        self.kernel_manager.page_env = page_environment(
            self._workspace.home, self._workspace.config_path, Path(self.connection_dir)
        )
        return settings

    def init_handlers(self) -> list[Any]:
        """Return all that is served; Voila's tree, contents, files and login are not."""
        told = {"workspace": self._workspace}
        view = {
            "template_paths": self.template_paths,
            "config": self.config,
            "voila_configuration": self.voila_configuration,
        }
        shipped = [rule for rule in super().init_handlers() if rule[0].startswith(("/voila/static", "/voila/labext"))]
        return [
            (r"/(?:api/)?health", own.Health, told),
            (r"/api/live_sessions", own.Sessions, told),
            (r"/api/live_sessions/stats", own.Stats, told),
            (r"/api/panels", own.Panels, told),
            *(
                (page["path"], own.ViewPage, {"notebook": Path(self.root_dir) / f"{page['name']}.ipynb", **view})
                for page in PAGES
            ),
            (r"/static/(.*)", own.Static, {"path": str(self._assets / "static")}),
            (rf"/api/kernels/{_KERNEL_ID}", wire.KernelModel),
            (rf"/api/kernels/{_KERNEL_ID}/channels", wire.KernelSocket),
            (rf"/voila/api/shutdown/{_KERNEL_ID}", wire.Farewell),
            *shipped,
            (r".*", own.Missing),
        ]

    async def run(self, host: str, port: int, open_browser: bool) -> None:
        """Serve until a signal comes.

        Raises:
            EnvironmentFault: the port is taken or may not be used.
        """
        sockets = _bind(host, port)
        self.port, self.ip = sockets[0].getsockname()[1], host
        settings = {**self.init_settings(), **self.tornado_settings}
        self.app = Application([(r".*", own.Refused)], **settings)
        self.app.add_handlers(LOCAL_HOSTS, self.init_handlers())
        server = HTTPServer(self.app, max_body_size=1 << 20, idle_connection_timeout=300)
        server.add_sockets(sockets)
        url = f"http://{f'[{host}]' if ':' in host else host}:{self.port}/"
        print(f"dashboard of {self._workspace.home} at {url} (Ctrl-C ends it)", flush=True)  # noqa: T201
        if open_browser:
            await asyncio.to_thread(webbrowser.open, url)
        try:
            await _signalled()
        finally:
            server.stop()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.kernel_manager.shutdown_all(now=True), 5.0)


def _voila_config(texts: dict[str, str], refresh: int, version: str, scratch: Path) -> Config:
    """Return all that differs from Voila's defaults."""
    shown = {
        "words": texts,
        "spoken": {name: texts[name] for name in SPOKEN},
        "refresh": refresh,
        "version": version,
        "pages": list(PAGES),
    }
    config = Config()
    config.VoilaConfiguration.update(
        template="peaktrade",
        resources={"peaktrade": shown},
        allow_template_override="NO",
        allow_theme_override="NO",
        show_tracebacks=False,
        strip_sources=True,
        http_keep_alive_timeout=int(own.PAGE_LIMIT_S) * 2,  # Voila's heartbeat is a script in the page's middle
        extension_allowlist=list(EXTENSIONS),
        kernel_spec_manager_class=OwnKernel,
        multi_kernel_manager_class=PageKernels,
    )
    config.PageKernels.update(cull_idle_timeout=120, cull_interval=30, cull_connected=False)
    fits = os.name == "posix" and len(os.fsencode(scratch)) < LONGEST_SCRATCH
    config.ConnectionFileMixin.transport = "ipc" if fits else "tcp"
    config.NotebookNotary.update(db_file=":memory:", secret=os.urandom(32))  # nothing is written to the user's home
    return config


def _version(assets: Path) -> str:
    """Return a short digest of the static files, so that a browser fetches changed ones."""
    digest = hashlib.sha256()
    for path in sorted((assets / "static").iterdir()):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


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


def _silent() -> logging.Logger:
    """Return a log for which nothing but errors counts."""
    log = logging.getLogger("peaktrade.contents")
    log.setLevel(logging.ERROR)
    return log


async def _signalled() -> None:
    """Return when SIGINT or SIGTERM comes."""
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    await told.wait()
