"""What a process does that was just forked in order to be a kernel: it makes itself its own, and then is one."""

from __future__ import annotations

import gc
import os
import random
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
from ipykernel.kernelapp import IPKernelApp

from peaktrade_core.adapters.warm.link import CHUNK, Request, Started, say

# 1: neither ask whether the parent lives, which the lifeline does, nor print how to end a kernel by hand
_OPTIONS = ("--IPKernelApp.parent_handle=1",)


class KernelApp(IPKernelApp):
    """ipykernel's application, which tells as soon as its sockets can be connected to, and ends without waiting."""

    told: Any = staticmethod(lambda: None)

    def init_heartbeat(self) -> None:
        """Start the last of the sockets, and tell."""
        super().init_heartbeat()  # type: ignore[no-untyped-call]
        self.told()

    def start(self) -> None:
        """Serve until the kernel is asked to end; then end the control thread before anything else ends.

        It still answers, and would wait ten seconds for an output thread that has ended before it.
        """
        super().start()  # type: ignore[no-untyped-call]
        if self.control_thread and self.control_thread.is_alive():
            self.control_thread.stop()
            self.control_thread.join()


def become_kernel(link: socket.socket) -> None:
    """Turn this process, just forked, into the kernel that the link asks for; return when the kernel ends."""
    text = b"".join(_until_newline(link))
    if not text.endswith(b"\n"):
        return  # the owner did not wait
    request = msgspec.json.decode(text, type=Request)
    _settle(request)
    gc.enable()
    threading.Thread(target=_die_with, args=(link,), name="lifeline", daemon=True).start()
    KernelApp.told = staticmethod(partial(say, link, Started(os.getpid())))
    KernelApp.launch_instance(argv=[*_OPTIONS, *request.arguments])


def _until_newline(link: socket.socket) -> Iterator[bytes]:
    """Yield what arrives up to the first end of a line, or up to the link's end."""
    chunk = b" "
    while chunk and not chunk.endswith(b"\n"):
        chunk = link.recv(CHUNK)
        yield chunk


def _settle(request: Request) -> None:
    """Make all that differs between processes this kernel's own."""
    os.environ.clear()
    os.environ.update(request.env)
    time.tzset()
    os.chdir(request.cwd)
    launcher = find_spec("ipykernel_launcher")
    sys.argv = [str(launcher and launcher.origin), *request.arguments]
    if request.memory is not None:
        _bound_memory(request.memory)
    random.seed()
    if "numpy" in sys.modules:
        import numpy as np

        np.random.seed()
    if "plotly.io._renderers" in sys.modules:
        import plotly.io as pio

        pio.renderers.default = request.env.get("PLOTLY_RENDERER") or "plotly_mimetype"  # its choice in any kernel


def _bound_memory(more: int) -> None:
    """Let this process map so much more data than it has [bytes]; what libraries reserved is counted as had."""
    import resource

    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmData:")]
    limit = int(line.split()[1]) * 1024 + more
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def _die_with(link: socket.socket) -> None:
    """Kill this process and what it started as soon as nobody holds the other end of the link."""
    with suppress(OSError):
        while link.recv(CHUNK):
            pass
    os.killpg(0, signal.SIGKILL)
