"""Who runs the trials of a sweep: threads of this process, or the workers of a cluster. The trials are the same."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from peaktrade_core.research.trials.trial import DailyEquity, Trial, Tries
from peaktrade_core.trading.decision import Decision
from peaktrade_core.trading.market import Bars

Numbered = tuple[int, dict[str, Any]]  # a trial's number and what it tries
Found = list[tuple[Trial, DailyEquity]]
PIECE = 8  # trials that a thread takes at once


class Work(NamedTuple):
    """The same bars for many trials.

    Attributes:
        base: the decision whose parameters vary; bars: over which; warmup: first bars, which only warm up.
        cache: folder for compiled code.
    """

    base: Decision
    bars: Bars
    warmup: int
    cache: Path | None


class Crew(Protocol):
    """Runs trials."""

    def run(self, work: Work, parts: Iterable[list[Numbered]]) -> Iterator[Found]:
        """Yield what each part found, in their order; a few are on their way at a time, so that memory does not grow."""


class Threads:
    """Threads of this process: compiled code runs without the interpreter's lock."""

    def __init__(self, threads: int = 0) -> None:
        """Take so many threads, 0 for one a core."""
        self._pool = ThreadPoolExecutor(threads or os.cpu_count() or 1)

    def __enter__(self) -> Threads:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def run(self, work: Work, parts: Iterable[list[Numbered]]) -> Iterator[Found]:
        """Yield what each part found; one part ahead keeps the cores busy."""
        tries, waiting = Tries(*work), list[list[Future[Found]]]()
        for part in parts:
            waiting.append([self._pool.submit(tries.some, part[at : at + PIECE]) for at in range(0, len(part), PIECE)])
            if len(waiting) == 2:
                yield _whole(waiting.pop(0))
        for pieces in waiting:
            yield _whole(pieces)


def _whole(pieces: list[Future[Found]]) -> Found:
    return [one for piece in pieces for one in piece.result()]
