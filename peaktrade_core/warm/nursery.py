"""The process that kernels are forked from: it imports what notebooks need once, and then forks on request.

It is started by :class:`peaktrade_core.warm.owner.Nursery` and talks to nobody else: its socket has no name.
A byte alone asks it to warm up once more, when there is more to load. A request for a kernel is
a byte with three file descriptors: the new kernel's link, its stdout and its stderr. The kernel
reads from the link what it is to be and says when it is about to start, and that it ends; the nursery says there how
it ended when it could not say so itself.
The other end of the link is the kernel's lifeline: when it closes, or the owner dies, the kernel and what it started
are killed. This process has one thread, no event loop and no ZeroMQ context of its own, so forking it is safe: before it
forks, no other thread can hold a lock that nobody would open in the child (a test looks).
"""

from __future__ import annotations

import atexit
import gc
import os
import select
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import NamedTuple

from peaktrade_core.warm.link import CHUNK, Ended, say

COMMON = (
    "numpy",
    "pandas",
    "plotly.graph_objects",
    "plotly.io._renderers",
    "peaktrade_core.warm.kernel",
    "ipykernel.debugger",  # every kernel imports it, whether or not somebody debugs
    "tornado.platform.asyncio",
    "tornado.queues",
    "IPython.core.completerlib",
    "IPython.core.debugger",
    "IPython.core.oinspect",
    "IPython.extensions.storemagic",
)


class Kernel(NamedTuple):
    """A kernel as the nursery knows it; ``link`` is our end of it, never read here."""

    pid: int
    link: socket.socket


def main() -> None:
    """Serve until the owner closes the socket; in each kernel, be that kernel."""
    end = _End()
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    gc.disable()
    nursery = _Nursery(control, sys.argv[2:])
    nursery.warm()
    link = nursery.serve()
    if link is not None:
        from peaktrade_core.warm.kernel import become_kernel

        end.code, end.link = 1, link
        try:
            become_kernel(link)
            end.code = 0
        except SystemExit as stop:
            end.code = stop.code if isinstance(stop.code, int) else 1
            raise


class _End:
    """Ends this process once everything that wants to be told of its end was told: the system takes it down faster.

    Taking the libraries apart one object at a time costs a forked kernel a tenth of a second, for memory that it would
    have to copy first.
    """

    def __init__(self) -> None:
        """Note it before any library notes its own end: the first noted is called last."""
        self.code, self.link = 0, None  # type: int, socket.socket | None
        atexit.register(self._leave)

    def _leave(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):
                stream.flush()
        if self.link is not None:
            say(self.link, Ended(self.code))  # what is left is memory, which takes the system a while
        os._exit(self.code)


def warm_up(preload: Sequence[str]) -> None:
    """Import what kernels need and use it once, since much is only loaded or built at the first use.

    Args:
        preload: further modules; of each, all public names are resolved. After a colon stands a function of it to call.
            One that fails is left to fail in the kernel.
    """
    for name in (*COMMON, *preload):
        with suppress(Exception):
            where, _, what = name.partition(":")
            module = import_module(where)
            for public in getattr(module, "__all__", ()):
                getattr(module, public)
            if what:
                getattr(module, what)()
    with suppress(Exception):
        _show_one_of_each()


def _show_one_of_each() -> None:
    """Build a figure and a table and show them to nobody."""
    import pandas as pd
    import plotly.graph_objects as go

    days = pd.date_range("2026-01-01", periods=4, tz="UTC")
    frame = pd.DataFrame({"day": days, "price": [1.0, 2.0, 3.0, 4.0], "side": list("bsbs")})
    frame._repr_html_()
    look = {"line": {"width": 1}, "marker": {"size": 5, "line": {"width": 1}}}
    figure = go.Figure([go.Scatter(x=frame.day, y=frame.price, name="price", **look), go.Candlestick()])
    figure.update_layout(
        template="plotly_white",
        title={"text": "price", "font": {"size": 12}},
        margin={"l": 0},
        legend={"x": 0},
        modebar={"orientation": "v"},
        hoverlabel={"align": "left"},
        xaxis={"title": "day"},
        yaxis={"title": "price"},
    )
    figure._repr_mimebundle_()


class _Nursery:
    """Waits for requests and for the ends of kernels."""

    def __init__(self, control: socket.socket, preload: Sequence[str]) -> None:
        self._control, self._preload = control, preload
        self._ear, self._mouth = socket.socketpair()  # a signal's arrival, as something that can be waited for
        for end in (self._ear, self._mouth):
            end.setblocking(False)
        self._kernels: dict[int, Kernel] = {}  # by the link's file descriptor
        self._told: set[int] = set()  # process ids of those whose end was told

    def warm(self) -> None:
        """Load what kernels need; all that is there by then they share with this process."""
        warm_up(self._preload)
        gc.collect()
        gc.freeze()

    def serve(self) -> socket.socket | None:
        """Return None when the owner is gone, and in a new kernel's process its link."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._mouth.fileno(), warn_on_full_buffer=False)
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(self._ear, select.POLLIN)
        while True:
            for descriptor, _ in poll.poll():
                if descriptor == self._control.fileno():
                    byte, descriptors = self._heard()
                    if byte and not descriptors:
                        self.warm()
                        continue
                    kernel = self._fork(descriptors) if len(descriptors) == 3 else None
                    if kernel is None:
                        self._end_all()
                        return None
                    if kernel.pid == 0:
                        return kernel.link
                    poll.register(kernel.link, 0)  # hang-ups only: what is written to it is for the kernel
                elif descriptor == self._ear.fileno():
                    with suppress(BlockingIOError):
                        self._ear.recv(CHUNK)
                    self._tell_ends()
                elif descriptor in self._kernels:
                    poll.unregister(descriptor)
                    self._end(self._kernels.pop(descriptor))

    def _heard(self) -> tuple[bytes, list[int]]:
        """Return the next byte of the owner, nothing when it is gone, and what came with it."""
        try:
            byte, descriptors, _, _ = socket.recv_fds(self._control, 1, 3)
        except OSError:
            return b"", []
        return byte, descriptors

    def _fork(self, descriptors: Sequence[int]) -> Kernel:
        """Fork for one request; return the kernel, its pid 0 in the kernel itself."""
        link, out, err = descriptors
        os.set_inheritable(link, False)
        pid = os.fork()
        if pid == 0:
            self._leave(out, err)
            return Kernel(0, socket.socket(fileno=link))
        os.close(out)
        os.close(err)
        self._kernels[link] = Kernel(pid, socket.socket(fileno=link))
        return self._kernels[link]

    def _leave(self, out: int, err: int) -> None:
        """In a kernel: let go of all that is the nursery's, and take the kernel's own output."""
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for kernel in self._kernels.values():
            kernel.link.close()
        for end in (self._control, self._ear, self._mouth):
            end.close()
        for given, own in ((out, 1), (err, 2)):
            os.dup2(given, own)
            os.close(given)

    def _tell_ends(self) -> None:
        """Tell the owner about each kernel that ended.

        The dead process itself is kept until the owner closes the link, so that a signal which is sent to the kernel's
        process id never reaches somebody else's.
        """
        for kernel in self._kernels.values():
            if kernel.pid not in self._told:
                ended = os.waitid(os.P_PID, kernel.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
                if ended is not None:
                    code = ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
                    self._told.add(kernel.pid)
                    say(kernel.link, Ended(code))

    def _end(self, kernel: Kernel) -> None:
        """Kill a kernel that nobody holds any more, with what it started, and forget it."""
        for kill in (os.killpg, os.kill):  # the first fails in the moment before the kernel leads its group
            with suppress(ProcessLookupError, PermissionError):
                kill(kernel.pid, signal.SIGKILL)
        os.waitpid(kernel.pid, 0)
        self._told.discard(kernel.pid)
        kernel.link.close()

    def _end_all(self) -> None:
        for kernel in self._kernels.values():
            self._end(kernel)


if __name__ == "__main__":
    main()
