"""What makes a Jupyter kernel manager take its kernels from a nursery: the extension point that it has for this.

A kernel specification names the provisioner and carries the nursery. It is known in this process only, so nothing has
to be installed. A kernel that cannot be forked is started in the ordinary way, with the same bound on its memory; one that
must be confined is not started then.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from contextlib import suppress
from importlib.metadata import EntryPoint
from queue import Empty
from typing import Any

from jupyter_client.asynchronous import AsyncKernelClient
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.provisioning import KernelProvisionerFactory, LocalProvisioner
from traitlets import Any as AnyTrait
from traitlets import Int

from peaktrade_core.base.errors import EnvironmentFault
from peaktrade_core.warm.link import KernelRequest
from peaktrade_core.warm.owner import Nursery

NAME = "peaktrade-warm"
LAUNCHER = "peaktrade_core.warm.application"
RESERVED = 1_250 << 20  # what libraries map in an ordinary kernel, most of it an address range for Arrow [bytes]
OPTIONS = ("--HistoryManager.enabled=False",)  # what a program runs does not belong into a person's history


def kernel_spec(nursery: Nursery | None, *options: str, memory: int | None = None) -> KernelSpec:
    """Return the specification of a kernel of this very interpreter.

    Args:
        nursery: to fork it from; None to start it in the ordinary way.
        options: for the kernel's application.
        memory: how much data it may map beyond what its libraries do [bytes]; None for no bound.
    """
    # -P: a file of the workspace is not taken for a library; the kernel itself puts its folder on the path
    argv = [sys.executable, "-Xfrozen_modules=off", "-P", "-m", LAUNCHER]
    argv += ["-f", "{connection_file}", *OPTIONS, *options]
    chosen = {"provisioner_name": NAME, "config": {"nursery": nursery, "memory": memory}}
    return KernelSpec(argv=argv, display_name="Python 3", language="python", metadata={"kernel_provisioner": chosen})


class WarmProvisioner(LocalProvisioner):  # type: ignore[misc]
    """Launches a kernel from the nursery; from then on it is like any other process to Jupyter."""

    nursery = AnyTrait(None)
    memory = Int(None, allow_none=True)
    pid: int | None
    connection_info: dict[str, Any]

    async def shutdown_requested(self, restart: bool = False) -> None:  # noqa: ARG002  (Jupyter's signature)
        """Give the kernel the moment that it takes to end; Jupyter looks every 0.1 s only."""
        until = time.monotonic() + 0.1
        while time.monotonic() < until and await self.poll() is None:
            await asyncio.sleep(0.005)

    async def wait(self) -> int | None:
        """Wait for the kernel's end, and look more often than Jupyter does."""
        while await self.poll() is None:
            await asyncio.sleep(0.005)
        code: int | None = await super().wait()
        return code

    async def send_signal(self, signum: int) -> None:
        """Send the kernel's process group a signal.

        Jupyter interrupts a kernel before it asks it to end. Whoever ends one of ours while a cell runs interrupts it
        first; for an idle one the interrupt would only hit the end of its last answer, and be logged as an error.
        """
        if not (signum == signal.SIGINT and getattr(self.parent, "shutting_down", False)):
            await super().send_signal(signum)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Fork the kernel, or start it in the ordinary way."""
        if self.nursery is not None:
            cwd, env = str(kwargs.get("cwd") or os.getcwd()), dict(kwargs.get("env") or os.environ)
            _, connection, *arguments = cmd[cmd.index(LAUNCHER) + 1 :]
            bounds = getattr(self.parent, "bounds", None)
            request = KernelRequest(connection, arguments, cwd, env, self.memory, bounds=bounds)
            anywhere = bounds is None and self.pid is None and getattr(self.parent, "curve_publickey", None) is None
            try:
                self.process, elsewhere = await asyncio.to_thread(self.nursery.launch, request, anywhere=anywhere)
            except EnvironmentFault as fault:
                if bounds is not None:  # only a forked kernel can be confined
                    raise
                self.nursery.complain(str(fault))
            else:
                self.pid = self.pgid = self.process.pid
                self.cwd = cwd
                self.connection_info = elsewhere or self.connection_info
                return self.connection_info
        info = await super().launch_kernel(cmd, **kwargs)
        if self.memory is not None and self.pid is not None and sys.platform == "linux":
            import resource

            with suppress(ProcessLookupError, PermissionError):  # it ended already, which poll will say
                resource.prlimit(self.pid, resource.RLIMIT_DATA, (self.memory + RESERVED, self.memory + RESERVED))
        return info


class WarmClient(AsyncKernelClient):  # type: ignore[misc]
    """A client that takes a kernel for ready once it said so, where Jupyter waits 0.2 s whether it says more."""

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Wait until the kernel answered and its output arrives here.

        Raises:
            RuntimeError: it died, or did not answer within ``timeout`` [s].
        """
        asked = self.kernel_info()
        try:
            await self.shell_channel.get_msg(timeout=1.0)
            message = await self.iopub_channel.get_msg(timeout=0.2)
            while message["content"].get("execution_state") != "idle" or message["parent_header"]["msg_id"] != asked:
                message = await self.iopub_channel.get_msg(timeout=0.2)
        except Empty:
            await super().wait_for_ready(timeout=timeout)


KernelProvisionerFactory.provisioners[NAME] = EntryPoint(
    NAME, f"{__name__}:{WarmProvisioner.__name__}", KernelProvisionerFactory.GROUP_NAME
)
