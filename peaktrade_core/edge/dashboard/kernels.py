"""The kernels behind the pages: few, short-lived, without the server's environment, and always our own interpreter."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from tornado.web import HTTPError
from traitlets import Dict

from peaktrade_core.edge.bootstrap import FIXED_CLOCK, HOME
from peaktrade_core.edge.dashboard.panels import CONFIG_PATH

MOST_KERNELS = 8
KERNEL = "python3"
# What a Python process needs to start and to find its libraries; nothing else of the server's environment is handed on.
_FINDING = {"PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "CONDA_PREFIX", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"}
_PLACES = {"HOME", "TMPDIR", "TEMP", "TMP", "LANG", "LANGUAGE", "TZ"}
_WINDOWS = {"SYSTEMROOT", "USERPROFILE", "APPDATA", "COMSPEC", "PATHEXT"}
PASSED_ON = _FINDING | _PLACES | _WINDOWS | {FIXED_CLOCK}
ASKED = ("QUERY_STRING",)  # what a page may know of its request
started: ContextVar[list[str]] = ContextVar("started")  # ids of the kernels that the present request started


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
    package = str(Path(__file__).resolve().parents[3])
    env["PYTHONPATH"] = os.pathsep.join(filter(None, (env.get("PYTHONPATH"), package)))
    return env


def page_environment(home: Path, config: Path, scratch: Path) -> dict[str, str]:
    """Return what a page's kernel is told: its workspace, and IPython folders that hold nobody's start-up code."""
    return {HOME: str(home), CONFIG_PATH: str(config.resolve()), "IPYTHONDIR": str(scratch / "ipython")}


class OwnKernel(KernelSpecManager):  # type: ignore[misc]
    """Knows one kernel, this interpreter's, whatever kernels the user has installed."""

    def find_kernel_specs(self) -> dict[str, str]:
        """Return the one kernel."""
        return {KERNEL: sys.prefix}

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:  # noqa: ARG002
        """Return the one kernel under any name."""
        options = ["--HistoryManager.enabled=False", "--log-level=ERROR"]
        return KernelSpec(
            argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", *options],
            display_name="Python 3",
            language="python",
        )

    def get_all_specs(self) -> dict[str, Any]:
        """Return the one kernel as the server lists kernels."""
        return {KERNEL: {"resource_dir": sys.prefix, "spec": self.get_kernel_spec(KERNEL).to_dict()}}


class PageKernels(AsyncMappingKernelManager):  # type: ignore[misc]
    """Kernels of the pages, at most :data:`MOST_KERNELS` at a time.

    Attributes:
        page_env: what :func:`page_environment` returned.
    """

    page_env = Dict()

    async def start_kernel(self, *args: Any, env: Mapping[str, str] | None = None, **kwargs: Any) -> str:
        """Start a kernel with a scrubbed environment and note it for the request that asked.

        Raises:
            HTTPError: 503, all kernels are in use.
        """
        if len(self.list_kernel_ids()) >= MOST_KERNELS:
            raise HTTPError(503)
        scrubbed = kernel_environment(os.environ, env or {}, self.page_env)
        kernel_id: str = await super().start_kernel(*args, env=scrubbed, **kwargs)
        started.get([]).append(kernel_id)
        return kernel_id
