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
from pathlib import Path
from typing import Any

import msgspec
import zmq
from ipykernel import kernelapp
from ipykernel.iostream import IOPubThread

from peaktrade_core.warm import application
from peaktrade_core.warm.confine import confine
from peaktrade_core.warm.link import CHUNK, KernelRequest, Started, say

# 1: neither ask whether the parent lives, which the lifeline does, nor print how to end a kernel by hand
_OPTIONS = ("--IPKernelApp.parent_handle=1",)


class _LonelyOutput(IOPubThread):
    """The output of a kernel that has no children: it listens for none, which would take a socket of the network."""

    def _setup_pipe_in(self) -> None:
        pass


class KernelApp(application.OrderlyKernelApp):
    """The application of a forked kernel, which tells as soon as its sockets can be connected to."""

    link: socket.socket
    held = False
    confined = False

    def init_control(self, context: Any) -> None:
        """Open the control socket; a confined kernel, which may connect to nothing, has no debugger to connect."""
        super().init_control(context)  # type: ignore[no-untyped-call]
        if self.confined:
            self.debug_shell_socket.disconnect(self.shell_socket.getsockopt(zmq.LAST_ENDPOINT))

    def init_heartbeat(self) -> None:
        """Start the last of the sockets, and tell."""
        super().init_heartbeat()  # type: ignore[no-untyped-call]
        say(self.link, Started(os.getpid()))

    def init_gui_pylab(self) -> None:
        """Go on with what may be the user's: a held kernel waits here until somebody wants it."""
        if self.held:
            request = _heard(self.link)
            if request is None:
                raise SystemExit(0)  # nobody ever wanted it
            self.connection_file = request.connection
            _settle(request)
            if self.shell is not None:
                self.shell.starting_dir = request.cwd
            say(self.link, Started(os.getpid()))
        if "ipywidgets" in sys.modules:  # imported where there was no kernel yet
            sys.modules["ipywidgets"].register_comm_target()
        threading.Thread(target=_die_with, args=(self.link,), name="lifeline", daemon=True).start()
        super().init_gui_pylab()  # type: ignore[no-untyped-call]


def become_kernel(link: socket.socket) -> None:
    """Turn this process, just forked, into the kernel that the link asks for; return when the kernel ends."""
    request = _heard(link)
    if request is None:
        return  # the owner did not wait
    _settle(request)
    gc.enable()
    KernelApp.link, KernelApp.held = link, request.held
    KernelApp.confined = request.bounds is not None
    if KernelApp.confined:
        kernelapp.IOPubThread = _LonelyOutput  # type: ignore[attr-defined]
    KernelApp.launch_instance(argv=[*_OPTIONS, *request.arguments])


def _heard(link: socket.socket) -> KernelRequest | None:
    """Wait for the next request on the link and return it, None when nobody holds its other end any more."""
    text = b"".join(_until_newline(link))
    return msgspec.json.decode(text, type=KernelRequest) if text.endswith(b"\n") else None


def _until_newline(link: socket.socket) -> Iterator[bytes]:
    """Yield what arrives up to the first end of a line, or up to the link's end."""
    chunk = b" "
    while chunk and not chunk.endswith(b"\n"):
        chunk = link.recv(CHUNK)
        yield chunk


def _settle(request: KernelRequest) -> None:
    """Make all that differs between processes this kernel's own."""
    os.environ.clear()
    os.environ.update(request.env)
    time.tzset()
    os.chdir(request.cwd)
    sys.argv = [application.__file__, *request.arguments]
    if request.memory is not None:
        _bound_memory(request.memory)
    if request.bounds is not None:
        confine(request.bounds)
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
