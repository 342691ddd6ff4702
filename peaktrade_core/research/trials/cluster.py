"""The workers of a dask cluster as the crew of a sweep: the bars go there once, parts of trials as tasks, results come back.

A worker runs the same compiled code as a thread here, so the trials are the same to the last bit; one whose decision code
has another digest is not asked. What a lost worker had begun, another one does again; where the bars went with it (dask
keeps one copy of what nobody waits for) they are sent to those that are left.
"""

from __future__ import annotations

import tempfile
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from peaktrade_core.base.errors import ConfigError, EnvironmentFault, PeaktradeError, why
from peaktrade_core.changes.code import code_digest
from peaktrade_core.research.trials.crew import Found, Numbered, Work
from peaktrade_core.research.trials.trial import Tries
from peaktrade_core.session.identity import bars_digest
from peaktrade_core.trading.decision import Decision
from peaktrade_core.trading.market import Bars
from peaktrade_core.trading.strategies import Strategy, get_strategy
from peaktrade_core.workspace.workspace import load_strategy_module

if TYPE_CHECKING:
    from distributed import Client, Future
    from numpy.typing import NDArray

CONNECT_S = 10.0  # patience with the scheduler [s]
LOST_S = 15.0  # after which a task that is not back has us look whether the workers are still there [s]
TASK_S = 2.0  # how long a task should take: parts go together until they take about as long [s]
MOST_PARTS = 64  # in one task
AHEAD = 3  # tasks a worker has before it asks for more
Task = list[list[Numbered]]  # parts that a worker does as one


class WorkOrder(NamedTuple):
    """What a worker must know of a sweep but for the bars.

    Attributes:
        strategy, digest: its name, and the digest of its code and of the decision code.
        base: market, limits, length of a bar and start balance; warmup: first bars, which only warm up.
        module: name and text of the Python file that registers the strategy; empty for one of ours.
        bars: digest of the bars.
    """

    strategy: str
    digest: str
    base: tuple[Any, ...]
    warmup: int
    module: tuple[str, str]
    bars: str


class Cluster:
    """The workers behind a dask scheduler."""

    def __init__(self, address: str) -> None:
        """Connect.

        Raises:
            ConfigError: the address is none; EnvironmentFault: dask is not installed, or no scheduler or worker answers.
        """
        try:
            from distributed import Client
        except ImportError:
            raise EnvironmentFault("--dask needs dask.distributed: pip install 'peaktrade[cluster]'") from None
        try:
            self._client: Client = Client(address, timeout=CONNECT_S, set_as_default=False)
        except ValueError as error:
            raise ConfigError(f"--dask {address!r} must be an address as tcp://host:8786: {why(error)}") from None
        except OSError as error:
            raise EnvironmentFault(
                f"no dask scheduler answers at {address} within {CONNECT_S:g} s: {why(error)}"
            ) from None
        self._seconds = 0.0  # that a part takes, once one is back
        self._sent: tuple[str, Any] = ("", None)  # digest of the bars that the workers have, and where

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def run(self, work: Work, parts: Iterable[list[Numbered]]) -> Iterator[Found]:
        """Yield what each part found, in their order.

        Raises:
            EnvironmentFault: no worker runs this code, or the cluster is gone.
        """
        from distributed.client import FutureCancelledError
        from distributed.scheduler import KilledWorker

        order = _order(work)
        workers = self._sound_workers(order)
        waiting: deque[tuple[Task, Future]] = deque()

        def begun(task: Task) -> tuple[Task, Future]:
            columns = self._columns(work, order.bars, workers)
            return task, self._client.submit(_ran, order, columns, task, workers=workers, pure=False, retries=2)

        def first() -> Iterator[Found]:
            """Return what the first task found; where the bars went with a worker they are sent again to those left."""
            nonlocal workers
            while True:
                try:
                    return self._done(waiting[0][1], workers)
                except FutureCancelledError:
                    left = self._left(workers) if self._client.status == "running" else []
                    if not left or len(left) == len(workers):
                        raise
                    workers, self._sent = left, ("", None)
                    for n, (task, _) in enumerate(list(waiting)):
                        waiting[n] = begun(task)

        try:
            for task in self._together(iter(parts)):
                waiting.append(begun(task))
                if len(waiting) > AHEAD * len(workers):
                    yield from first()
                    waiting.popleft()
            while waiting:
                yield from first()
                waiting.popleft()
        except (OSError, FutureCancelledError, KilledWorker) as error:
            self._sent = ("", None)
            raise EnvironmentFault(
                f"the cluster is gone ({type(error).__name__}); what is on disk stays: run the sweep again to go on"
            ) from error
        finally:
            with suppress(Exception):  # it may be gone
                self._client.cancel([future for _, future in waiting], force=True)

    def _columns(self, work: Work, digest: str, workers: list[str]) -> Any:
        """Return the bars as they lie on the workers; the same ones go out once.

        Their keys are not the digest: the scheduler would forget bars that are sent again while it drops the old ones.
        """
        if self._sent[0] != digest:
            columns = (work.bars.ts, work.bars.ohlcv)
            self._sent = digest, self._client.scatter(columns, workers=workers, hash=False, broadcast=True)
        return self._sent[1]

    def _left(self, workers: list[str]) -> list[str]:
        """Return which of these workers are still there."""
        there = self._client.nthreads()
        return [worker for worker in workers if worker in there]

    def _together(self, parts: Iterator[list[Numbered]]) -> Iterator[Task]:
        """Yield the parts in tasks that take about :data:`TASK_S`, as far as is known how long one takes."""
        some: Task = []
        for part in parts:
            some.append(part)
            if len(some) >= min(MOST_PARTS, max(1.0, TASK_S / self._seconds if self._seconds else 1.0)):
                yield some
                some = []
        if some:
            yield some

    def _done(self, task: Future, workers: list[str]) -> Iterator[Found]:
        """Return what a task found; one of a lost worker is done by another, as long as there is one.

        Raises:
            EnvironmentFault: all of the workers that were asked are gone: dask would wait for ever.
        """
        while True:
            try:
                found, seconds = task.result(timeout=LOST_S)
            except TimeoutError:
                if not self._left(workers):
                    raise EnvironmentFault(
                        "all workers that were asked are gone; what is on disk stays: run the sweep again to go on"
                    ) from None
                continue
            self._seconds = seconds / len(found)
            return iter(found)

    def _sound_workers(self, order: WorkOrder) -> list[str]:
        """Return the workers that run the same code.

        Raises:
            EnvironmentFault: none does.
        """
        said = self._client.run(_digest_there, order, on_error="return")
        sound = [worker for worker, digest in said.items() if digest == order.digest]
        if not sound:
            others = "; ".join(f"{worker} {_told(one)}" for worker, one in said.items())
            raise EnvironmentFault(
                f"no worker runs this version of the decision code: {others or 'there are no workers'}. "
                "Install the same version of peaktrade on them"
            )
        return sound


def _told(answer: object) -> str:
    return f"failed ({answer})" if isinstance(answer, Exception) else "has other code"


def _order(work: Work) -> WorkOrder:
    base = work.base
    numbers = (base.market, base.limits, base.bar_s, base.start_balance)
    digest = code_digest(base.strategy)
    return WorkOrder(base.strategy.name, digest, numbers, work.warmup, _module_of(work.base), bars_digest(work.bars))


def _module_of(base: Decision) -> tuple[str, str]:
    """Return name and text of the file that registers a strategy which is not one of ours.

    Raises:
        ConfigError: it was typed into a notebook or a prompt, which has no file that a worker could run.
    """
    update = base.strategy.update
    if update.__module__.startswith("peaktrade_core."):
        return "", ""
    path = Path(update.__code__.co_filename)
    if not path.is_file():
        raise ConfigError(
            f"strategy {base.strategy.name!r} is in no file: write it to a Python file for --strategy-module, so that the "
            "workers of a cluster can run it"
        )
    return path.name, path.read_text()


def _digest_there(order: WorkOrder) -> str:
    """Return the digest of the code that a worker would run; runs on the worker."""
    try:
        return _strategy_there(order)[1]
    except PeaktradeError as error:
        return str(error)


def _strategy_there(order: WorkOrder) -> tuple[Strategy, str]:
    """Return the strategy and its digest, as long as the file it comes from is there; runs on the worker."""
    name, text = order.module
    with tempfile.TemporaryDirectory() as folder:
        if name:
            path = Path(folder) / name
            path.write_text(text)
            load_strategy_module(path)
        strategy = get_strategy(order.strategy)
        return strategy, code_digest(strategy)


_tries: dict[WorkOrder, Tries] = {}  # on a worker: the last bars it was given


def _ran(
    order: WorkOrder, columns: tuple[NDArray[np.float64], NDArray[np.float64]], parts: Task
) -> tuple[list[Found], float]:
    """Return what parts found and how long they took [s]; runs on the worker."""
    begin = time.perf_counter()
    tries = _tries.get(order)
    if tries is None:
        strategy, digest = _strategy_there(order)
        if digest != order.digest:
            raise EnvironmentFault("this worker has other code")
        base = Decision(strategy, strategy.params(), *order.base)
        tries = Tries(base, Bars(*columns), order.warmup, None)
        _tries.clear()
        _tries[order] = tries
    return [tries.some(part) for part in parts], time.perf_counter() - begin
