"""The kernels behind the pages: few, short-lived, bounded, without the server's environment, always our interpreter.

The first page that needs one starts the process that they are forked from; most pages need none.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import psutil
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager, ServerKernelManager
from tornado.web import HTTPError
from traitlets import Any as AnyTrait
from traitlets import Dict, Int, Type, default

from peaktrade_core.dashboard.panels import CONFIG_PATH, SUBJECT
from peaktrade_core.warm.owner import Nursery
from peaktrade_core.warm.provisioner import WarmClient, kernel_spec
from peaktrade_core.workspace.workspace import FIXED_CLOCK, HOME

MOST_KERNELS, FEWEST_KERNELS = 64, 4
KERNEL_BYTES = 150 << 20  # what a kernel that was not forked takes, with a table and a figure
KERNEL_DATA = 512 << 20  # what a notebook may hold beside its libraries; past it comes a MemoryError [bytes]
PATIENCE_S = 5.0  # how long a page waits for another one to end when all places are taken [s]
PRELOAD = ("peaktrade_core", "peaktrade_core.dashboard.panels", "ipywidgets")
KERNEL = "python3"
# What a Python process needs to start and to find its libraries; nothing else of the server's environment is handed on.
_FINDING = {"PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "CONDA_PREFIX", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"}
_PLACES = {"HOME", "TMPDIR", "TEMP", "TMP", "LANG", "LANGUAGE", "TZ"}
_WINDOWS = {"SYSTEMROOT", "USERPROFILE", "APPDATA", "COMSPEC", "PATHEXT"}
PASSED_ON = _FINDING | _PLACES | _WINDOWS | {FIXED_CLOCK}
ASKED = ("QUERY_STRING",)  # what a page may know of its request
started: ContextVar[list[str]] = ContextVar("started")  # ids of the kernels that the present request started
about: ContextVar[str] = ContextVar("about")  # the subject of the page that the present request asks for


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


def page_environment(home: Path, config: Path, scratch: Path) -> dict[str, str]:
    """Return what a page's kernel is told: its workspace, and IPython folders that hold nobody's start-up code."""
    return {HOME: str(home), CONFIG_PATH: str(config.resolve()), "IPYTHONDIR": str(scratch / "ipython")}


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
    """Manages one kernel; talks to it as soon as it is ready."""

    client_factory = Type(WarmClient, klass="jupyter_client.asynchronous.AsyncKernelClient")


class PageKernels(AsyncMappingKernelManager):  # type: ignore[misc]
    """Kernels of the pages, at most ``places`` at a time.

    Attributes:
        page_env: what :func:`page_environment` returned.
    """

    page_env = Dict()
    places = Int()

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._starting = 0
        self.nursery = Nursery(PRELOAD, kernel_environment(os.environ, {}, {}))
        self.kernel_spec_manager.nursery = self.nursery

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

    async def start_kernel(self, *args: Any, env: Mapping[str, str] | None = None, **kwargs: Any) -> str:
        """Start a kernel with a scrubbed environment and note it for the request that asked.

        Raises:
            HTTPError: 503, all places stay taken.
        """
        if not await self.place():
            raise HTTPError(503)
        self._starting += 1
        try:
            own = {**self.page_env, SUBJECT: subject} if (subject := about.get("")) else self.page_env
            scrubbed = kernel_environment(os.environ, env or {}, own)
            kernel_id: str = await super().start_kernel(*args, env=scrubbed, **kwargs)
        finally:
            self._starting -= 1
        started.get([]).append(kernel_id)
        return kernel_id

    async def shutdown_all(self, now: bool = False) -> None:
        """End all kernels, and the process that they were forked from."""
        try:
            await super().shutdown_all(now=now)
        finally:
            await asyncio.to_thread(self.nursery.close)
