"""The nursery as its owner sees it: started, asked for kernels, ended.

A nursery that cannot start, ended or does not answer is an :class:`EnvironmentFault`; whoever asked then starts a
kernel in the ordinary way.
"""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Self

import msgspec

from peaktrade_core.base.errors import EnvironmentFault, why
from peaktrade_core.warm.link import Ended, KernelRequest, Started
from peaktrade_core.warm.process import WarmProcess
from peaktrade_core.warm.spare import Spare

WAIT_S = 15.0  # a nursery that has not answered by then is stuck; it imports for a few seconds after its start [s]
CONFINED_S = 45.0  # the same for a kernel that is confined, which cannot be had in another way [s]
REVIVE_S = 60.0  # a nursery that ended is started again, but not more often than this [s]
END_S = 3.0  # how long a nursery may take to kill its kernels and end [s]
# What a process reads only as it starts: a kernel that is to have other values cannot be forked.
READ_AT_START = ("PYTHON", "LD_", "OMP_", "OPENBLAS_", "MKL_", "MALLOC_")
# pyarrow's jemalloc would start a thread as it is imported, and a process that is forked from should have only its own.
ONE_THREAD = {"JE_ARROW_MALLOC_CONF": "background_thread:false"}
NOTEBOOKS = (  # what ours import, also where they only do so when they come to it
    "peaktrade_core",
    "peaktrade_core.session.synthetic",
    "peaktrade_core.reports.session_reports",
    "peaktrade_core.show.templates:compile_templates",
    "peaktrade_core.runbooks.page",
    "peaktrade_core.drills.page",
    "peaktrade_core.venue.client",
    "peaktrade_core.candles.questions",
    "apscheduler.triggers.cron",
    "ccxt",
    "duckdb",
    "encodings.unicode_escape",
    "plotly.io.base_renderers",
    "psutil",
    "pyarrow.parquet",
)
_log = logging.getLogger("peaktrade.kernels")
_nursery: ContextVar[Nursery | None] = ContextVar("nursery", default=None)


class Nursery:
    """Starts kernels by forking them from one process that has imported what they need.

    A context manager: the nursery and all its kernels end with the block, and with this process, however it ends.
    """

    def __init__(self, preload: Sequence[str], env: Mapping[str, str] | None = None, *, ahead: bool = False) -> None:
        """Prepare it; :meth:`start` starts it.

        Args:
            preload: names of the modules that kernels will import, beside the common ones; see :func:`nursery.warm_up`.
            env: its environment, of which a kernel sees nothing but what :data:`READ_AT_START` names; None for ours.
            ahead: keep one kernel ready before it is asked for, from the first on.
        """
        self._preload = tuple(preload)
        self._env = {k: v for k, v in (os.environ if env is None else env).items() if not k.startswith("JPY_")}
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._began = float("-inf")
        self._complained = set[str]()
        self._spare = Spare(lambda request: self.fork(request, revive=False)) if ahead else None

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End it."""
        self.close()

    @property
    def pid(self) -> int | None:
        """The nursery's process id, None when it does not run."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Start it in the background; that it cannot be started shows when it is asked for a kernel."""
        with self._lock, suppress(EnvironmentFault):
            self._ready()

    def warm_again(self) -> None:
        """Have it load what has come to be there since it started; kernels that are asked for meanwhile wait."""
        with self._lock, suppress(OSError):
            if self.pid is not None and self._control is not None:
                self._control.sendall(b"w")

    def launch(self, request: KernelRequest, *, anywhere: bool) -> tuple[WarmProcess, dict[str, Any] | None]:
        """Return a new kernel's process, and how to connect to it if that is not as its connection file says.

        Args:
            request: what it is to be.
            anywhere: whether it may listen elsewhere than its connection file says; then it may be one that is ready.

        Raises:
            EnvironmentFault: as for :meth:`fork`.
        """
        self._check_environment(request.env)
        ready = self._spare.take(request) if self._spare and anywhere else None
        kernel = ready or (self.fork(request), None)
        if self._spare:
            self._spare.prepare(request)
        return kernel

    def fork(self, request: KernelRequest, *, revive: bool = True) -> WarmProcess:
        """Return a new kernel's process; blocks until it is about to run, while the nursery starts for seconds.

        Args:
            request: what it is to be; revive: start a nursery that does not run.

        Raises:
            EnvironmentFault: this machine cannot fork like this, the nursery ended or does not answer, or the
                environment differs in something that a process only reads as it starts.
        """
        self._check_environment(request.env)
        ours, theirs = socket.socketpair()
        try:
            with theirs, self._lock:
                socket.send_fds(self._ready(revive=revive), [b"k"], [theirs.fileno(), 1, 2])
            patience = WAIT_S if request.bounds is None else CONFINED_S
            ours.settimeout(patience)
            ours.sendall(msgspec.json.encode(request) + b"\n")
            said = ours.recv(4096)
            if not said:
                raise EnvironmentFault("the process that kernels are forked from ended; its output says why")
            answer = msgspec.json.decode(said.partition(b"\n")[0], type=Started | Ended)
            if isinstance(answer, Ended):
                raise EnvironmentFault(f"a forked kernel ended at once with code {answer.code}; its output says why")
        except TimeoutError:
            ours.close()
            self.close()
            raise EnvironmentFault(f"no kernel could be forked within {patience:.0f} s") from None
        except OSError as error:
            ours.close()
            raise EnvironmentFault(f"no kernel can be forked: {why(error)}") from error
        except EnvironmentFault:
            ours.close()
            raise
        ours.settimeout(None)
        return WarmProcess(answer.pid, ours)

    def complain(self, why: str) -> None:
        """Log once why kernels start in the ordinary way."""
        if why not in self._complained:
            self._complained.add(why)
            _log.warning("kernels start slowly: %s", why)

    def close(self) -> None:
        """End it and all its kernels; it starts again when it is asked for one."""
        with self._lock:
            process, control = self._process, self._control
            self._process = self._control = None
        if control is not None:
            control.close()
        if process is not None:
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._spare:
            self._spare.close()

    def _ready(self, *, revive: bool = True) -> socket.socket:
        """Return the socket to the nursery, which is started if it does not run and that is wanted."""
        if self._process is not None and self._process.poll() is None and self._control is not None:
            return self._control
        if not revive:
            raise EnvironmentFault("the process that kernels are forked from does not run")
        if not (sys.platform == "linux" and hasattr(os, "fork")):
            raise EnvironmentFault("this system has no fork that libraries survive")
        if time.monotonic() - self._began < REVIVE_S:
            raise EnvironmentFault("the process that kernels are forked from ended; it is started again after a minute")
        self._began = time.monotonic()
        if self._control is not None:
            self._control.close()
        self._control, theirs = socket.socketpair()
        own = ["-P", "-m", "peaktrade_core.warm.nursery", str(theirs.fileno()), *self._preload]
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  (our own interpreter and module)
                [sys.executable, "-Xfrozen_modules=off", *own],
                env=self._env | ONE_THREAD,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for the owner
            )
        return self._control

    def _check_environment(self, wanted: Mapping[str, str]) -> None:
        """Refuse an environment that a forked process could not have."""
        both = {**self._env, **wanted}
        for name in sorted(both):
            if name.startswith(READ_AT_START) and self._env.get(name) != wanted.get(name):
                raise EnvironmentFault(f"{name} is not what it was when the process they are forked from started")


@contextmanager
def warm_kernels(preload: Sequence[str] = NOTEBOOKS) -> Iterator[Nursery]:
    """Run the notebooks of the block in kernels that start at once; worth it from the second notebook on.

    It counts for the thread that entered the block, and for tasks and ``asyncio.to_thread`` started in it.

    Args:
        preload: names of the modules that the notebooks import, beside the common ones; see :func:`nursery.warm_up`.
    """
    with Nursery(preload, ahead=True) as nursery:
        before = _nursery.set(nursery)
        try:
            yield nursery
        finally:
            _nursery.reset(before)


def present_nursery() -> Nursery | None:
    """Return the nursery of the :func:`warm_kernels` block that this runs in, None outside of one."""
    return _nursery.get()
