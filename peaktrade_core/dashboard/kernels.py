"""The kernels behind the pages: few, bounded, locked up, without the server's environment, always our interpreter.

The first page that needs one starts the process that they are forked from; most pages need none. A kernel may read the
workspace and writes only into a folder of its own; it ends with its viewer (:mod:`peaktrade_core.warm.confine`).
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NamedTuple

import psutil
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_core.utils import ensure_async
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager, ServerKernelManager
from tornado.ioloop import PeriodicCallback
from tornado.web import HTTPError
from traitlets import Any as AnyTrait
from traitlets import Dict, Int, Type, default

from peaktrade_core.base.errors import PeaktradeError
from peaktrade_core.dashboard.labs import MADE_SOMETHING
from peaktrade_core.dashboard.panels import CONFIG_PATH, SUBJECT
from peaktrade_core.warm.confine import Bounds
from peaktrade_core.warm.owner import Nursery
from peaktrade_core.warm.provisioner import WarmClient, kernel_spec
from peaktrade_core.workspace.workspace import FIXED_CLOCK, HOME, RUNS, Workspace

MOST_KERNELS, FEWEST_KERNELS = 64, 4
KERNEL_BYTES = 150 << 20  # what a kernel that was not forked takes, with a table and a figure
KERNEL_DATA = 768 << 20  # what a notebook may hold beside its libraries; past it comes a MemoryError [bytes]
PATIENCE_S = 5.0  # how long a page waits for another one to end when all places are taken [s]
GRACE_S = 20.0  # how long a kernel outlives its last connection: a browser that is busy takes a while to connect again
ARRIVE_S = 120.0  # how long a page may take to load its scripts and connect
IDLE_S = 1800.0  # a viewer who has not touched anything for so long has gone
LOOK_S = 1.0  # how often that is looked at
LIMIT_BYTES = 1 << 30  # of the server's own memory; past it no kernel is started, past twice that it ends itself
INTERVAL_S = 2.0
PRELOAD = ("peaktrade_core", "ipywidgets", "peaktrade_core.dashboard.labs:warm_up")
READABLE = ("data", "live_runs", "reports", ".cache", "notebooks", "dashboards")  # of a workspace
KERNEL = "python3"
# What a Python process needs to start and to find its libraries; nothing else of the server's environment is handed on.
_FINDING = {"PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "CONDA_PREFIX", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"}
_PLACES = {"HOME", "TMPDIR", "TEMP", "TMP", "LANG", "LANGUAGE", "TZ"}
_WINDOWS = {"SYSTEMROOT", "USERPROFILE", "APPDATA", "COMSPEC", "PATHEXT"}
PASSED_ON = _FINDING | _PLACES | _WINDOWS | {FIXED_CLOCK}
ASKED = ("QUERY_STRING",)  # what a page may know of its request
started: ContextVar[list[str]] = ContextVar("started")  # ids of the kernels that the present request started
about: ContextVar[About] = ContextVar("about")  # what the page that the present request asks for is


class About(NamedTuple):
    """What a kernel is started for.

    Attributes:
        subject: the id in the page's address; folder: that of its notebook, which may lie anywhere.
        kernel_id: what the kernel will be called, so that the page can name it before it runs.
    """

    subject: str = ""
    folder: Path | None = None
    kernel_id: str | None = None


def kernel_environment(server: Mapping[str, str], request: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """Return a kernel's environment.

    Args:
        server: the server's environment, of which :data:`PASSED_ON` and the locale are taken.
        request: what Voila says about the request, of which :data:`ASKED` is taken.
        own: set by us, over both.
    """
    env = {name: value for name, value in server.items() if name in PASSED_ON or name.startswith("LC_")}
    env.update({name: request[name] for name in ASKED if name in request})
    env.update(own)
    package = str(Path(__file__).resolve().parents[2])
    env["PYTHONPATH"] = os.pathsep.join(filter(None, (env.get("PYTHONPATH"), package)))
    return env


def page_environment(workspace: Workspace) -> dict[str, str]:
    """Return what a page's kernel is told of its workspace."""
    config = workspace.config_path.resolve()
    return {HOME: str(workspace.home), CONFIG_PATH: str(config), RUNS: str(workspace.runs)}


def readable(workspace: Workspace) -> tuple[str, ...]:
    """Return what kernels may read of a workspace: what is shown, its configuration and its strategies."""
    try:
        modules = [workspace.home / module for module in workspace.config.strategy_modules]
    except PeaktradeError:
        modules = []  # the page says what is wrong with the configuration
    paths = [workspace.home / name for name in READABLE]
    return tuple(map(str, (*paths, workspace.runs, workspace.config_path.resolve(), *modules)))


class OwnKernel(KernelSpecManager):  # type: ignore[misc]
    """Knows one kernel, this interpreter's, whatever kernels the user has installed; ``nursery`` forks it."""

    nursery = AnyTrait(None)

    def find_kernel_specs(self) -> dict[str, str]:
        """Return the one kernel."""
        return {KERNEL: sys.prefix}

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:  # noqa: ARG002
        """Return the one kernel under any name."""
        return kernel_spec(self.nursery, "--log-level=ERROR", memory=KERNEL_DATA)

    def get_all_specs(self) -> dict[str, Any]:
        """Return the one kernel as the server lists kernels."""
        return {KERNEL: {"resource_dir": sys.prefix, "spec": kernel_spec(None).to_dict()}}


def most_kernels(available: int) -> int:
    """Return how many kernels may run at a time, when so much memory is free [bytes]: they may take half of it."""
    return max(FEWEST_KERNELS, min(MOST_KERNELS, available // 2 // KERNEL_BYTES))


class PageKernel(ServerKernelManager):  # type: ignore[misc]
    """Manages one kernel; talks to it as soon as it is ready, and never starts it again.

    Attributes:
        bounds: what it may touch; viewers: open websockets to it; streaming: whether its page is still being made.
        since: when the last viewer came or went, or said something [s, monotonic]; seen: whether there was one.
    """

    client_factory = Type(WarmClient, klass="jupyter_client.asynchronous.AsyncKernelClient")
    autorestart = False
    bounds = AnyTrait(None)
    viewers = Int()
    streaming = True
    seen = False
    since = 0.0

    def touch(self) -> None:
        """Note that somebody was there."""
        self.since = time.monotonic()

    @property
    def left(self) -> bool:
        """Whether nobody looks at it any more."""
        patience = IDLE_S if self.viewers else GRACE_S if self.seen else ARRIVE_S
        return not self.streaming and time.monotonic() - self.since > patience


class PageKernels(AsyncMappingKernelManager):  # type: ignore[misc]
    """Kernels of the pages, at most ``places`` at a time, each in a folder of its own.

    Attributes:
        page_env: what :func:`page_environment` returned; workspace: what they may read of.
    """

    page_env = Dict()
    places = Int()
    workspace = AnyTrait(None)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._starting = 0
        self._ears: PeriodicCallback | None = None
        self.nursery = Nursery((), None)
        self._ended = set[str]()
        self._compiling: subprocess.Popen[bytes] | None = None

    def serve(self, workspace: Workspace) -> None:
        """Take kernels from a process that knows the workspace; it starts when :meth:`prepare` is called."""
        self.workspace, self.page_env = workspace, page_environment(workspace)
        self.nursery = Nursery(PRELOAD, kernel_environment(os.environ, {}, self.page_env))
        self.kernel_spec_manager.nursery = self.nursery

    def prepare(self) -> None:
        """Have the process started that kernels are forked from, and what is not compiled yet compiled beside it.

        What was compiled that process loads, too: a kernel that did it for itself would take two seconds and hold 50 MB.
        """
        self.nursery.start()
        if self._compiling is None:
            env = kernel_environment(os.environ, {}, self.page_env)
            command = [sys.executable, "-P", "-m", "peaktrade_core.dashboard.labs.warming"]
            null = subprocess.DEVNULL
            self._compiling = subprocess.Popen(  # noqa: S603  (our own interpreter and module)
                command, env=env, start_new_session=True, stdin=null, stdout=null, stderr=null
            )
            threading.Thread(target=self._share, args=(self._compiling,), name="compiling", daemon=True).start()

    def _share(self, compiling: subprocess.Popen[bytes]) -> None:
        """Wait for what is compiled, and have it loaded where kernels are forked from."""
        if compiling.wait() == MADE_SOMETHING:
            self.nursery.warm_again()

    @default("places")  # type: ignore[untyped-decorator]
    def _places_default(self) -> int:
        return most_kernels(psutil.virtual_memory().available)

    @default("kernel_manager_class")  # type: ignore[untyped-decorator]
    def _kernel_manager_class_default(self) -> str:
        return f"{__name__}.{PageKernel.__name__}"

    async def place(self) -> bool:
        """Return whether another kernel may start; waits for up to :data:`PATIENCE_S` until one may."""
        until = asyncio.get_running_loop().time() + PATIENCE_S
        while len(self.list_kernel_ids()) + self._starting >= self.places:
            if asyncio.get_running_loop().time() >= until:
                return False
            await asyncio.sleep(0.05)
        return True

    def pre_start_kernel(self, kernel_name: str, kwargs: Any) -> Any:
        """Give a kernel its folder, and say what it may touch."""
        manager, name, kernel_id = super().pre_start_kernel(kernel_name, kwargs)
        folder = Path(self.connection_dir, secrets.token_hex(4))
        folder.mkdir(mode=0o700)
        startup = folder / "ipython" / "profile_default" / "startup"
        startup.mkdir(parents=True)
        (startup / "README").touch()  # which IPython would copy there, rights included
        manager.connection_file = str(folder / "k.json")
        here = about.get(About()).folder
        manager.bounds = Bounds((*readable(self.workspace), *([str(here)] if here else [])), str(folder))
        kwargs["cwd"] = str(here or folder)
        kwargs["env"] |= {"HOME": str(folder), "TMPDIR": str(folder), "IPYTHONDIR": str(folder / "ipython")}
        manager.touch()
        return manager, name, kernel_id

    async def start_kernel(self, *args: Any, env: Mapping[str, str] | None = None, **kwargs: Any) -> str:
        """Start a kernel with a scrubbed environment and note it for the request that asked.

        Raises:
            HTTPError: 503, all places stay taken.
            EnvironmentFault: no kernel can be forked, or this machine cannot confine one.
        """
        if not await self.place():
            raise HTTPError(503)
        self._starting += 1
        try:
            subject = about.get(About()).subject
            own = {**self.page_env, SUBJECT: subject} if subject else self.page_env
            scrubbed = kernel_environment(os.environ, env or {}, own)
            chosen = about.get(About()).kernel_id
            kernel_id: str = await super().start_kernel(*args, env=scrubbed, kernel_id=chosen, **kwargs)
        except BaseException:
            self._pending_kernels.pop(chosen, None)  # Jupyter would look for it at the end
            raise
        finally:
            self._starting -= 1
        started.get([]).append(kernel_id)
        if self._ears is None:
            self._ears = PeriodicCallback(self._look, LOOK_S * 1000)
            self._ears.start()
        return kernel_id

    def notify_connect(self, kernel_id: str) -> None:
        """Note a viewer."""
        super().notify_connect(kernel_id)
        self._count(kernel_id, 1)

    def notify_disconnect(self, kernel_id: str) -> None:
        """Note that one has gone."""
        super().notify_disconnect(kernel_id)
        self._count(kernel_id, -1)

    def _count(self, kernel_id: str, change: int) -> None:
        if kernel_id in self:
            kernel = self.get_kernel(kernel_id)
            kernel.viewers, kernel.seen = max(0, kernel.viewers + change), True
            kernel.touch()

    async def end(self, kernel_id: str) -> None:
        """End a kernel, unless that is being done already."""
        if kernel_id in self and kernel_id not in self._ended:
            self._ended.add(kernel_id)
            try:
                await ensure_async(self.shutdown_kernel(kernel_id, now=True))
            finally:
                self._ended.discard(kernel_id)

    def remove_kernel(self, kernel_id: str) -> Any:
        """Forget a kernel that has ended, and remove its folder; None where that has been done."""
        manager = super().remove_kernel(kernel_id)
        if manager is not None:
            shutil.rmtree(Path(manager.connection_file).parent, ignore_errors=True)
        return manager

    async def _look(self) -> None:
        """End the kernels that died or that nobody looks at."""
        for kernel_id in self.list_kernel_ids():
            with suppress(KeyError, HTTPError):  # it has ended meanwhile
                kernel = self.get_kernel(kernel_id)
                if kernel.left or not (kernel.streaming or await ensure_async(kernel.is_alive())):
                    await self.end(kernel_id)

    async def shutdown_all(self, now: bool = False) -> None:
        """End all kernels, and the process that they were forked from."""
        if self._ears is not None:
            self._ears.stop()
        if self._compiling is not None:
            self._compiling.kill()
            self._compiling.wait()
        try:
            await super().shutdown_all(now=now)
        finally:
            await asyncio.to_thread(self.nursery.close)


class Watchdog:
    """Watches the memory of this process.

    A limit of the operating system on the address space (``RLIMIT_AS``) was not taken: kernels would inherit it, and
    numerical libraries map far more than they use. What a client can send is bounded where it arrives.

    Args (of the constructor):
        limit: resident memory from which no kernel is started [bytes].
        used: returns the resident memory [bytes].
    """

    def __init__(self, limit: int = LIMIT_BYTES, used: Callable[[], int] | None = None) -> None:
        self._limit = limit
        self._used = used or _resident

    def refusal(self) -> str:
        """Return why no kernel may be started, empty when one may."""
        used = self._used()
        if used <= self._limit:
            return ""
        return (
            f"The server uses {used >> 20:,} MB, more than the {self._limit >> 20:,} MB after which it starts no further "
            "kernel. Pages without one still open; restart `peaktrade dashboard`."
        )

    async def exhausted(self) -> str:
        """Return once the server uses twice its limit: why it ends."""
        while (used := self._used()) <= 2 * self._limit:
            await asyncio.sleep(INTERVAL_S)
        return f"the dashboard used {used >> 20:,} MB and ended itself before the machine had none left; start it again"


def _resident() -> int:
    """Return the resident memory of this process [bytes]."""
    return int(psutil.Process().memory_info().rss)
