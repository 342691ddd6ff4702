"""Which requests meet which fault, how often, and when no more: the switchboard of a drill."""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.testing.faults import VenueFault
from peaktrade_core.testing.wire import VenueRequest


class FaultRule:
    """One fault and the requests that meet it.

    Attributes:
        seen: requests that fitted the pattern so far.
        applied: how many of them met the fault.
    """

    def __init__(
        self,
        fault: VenueFault,
        *,
        path: str,
        method: str,
        times: int | None,
        every: int,
        skip: int,
        probability: float,
        seed: int,
    ) -> None:
        """Describe the rule; see :meth:`FaultRules.add`."""
        if (times is not None and times < 1) or every < 1 or skip < 0 or not 0.0 <= probability <= 1.0:
            raise ConfigError(
                f"rule for {fault.name}: times = {times}, every = {every}, skip = {skip}, probability = {probability}; "
                "need times and every >= 1, skip >= 0 and a probability from 0 to 1"
            )
        try:
            self._path = re.compile(path)
        except re.error as error:
            raise ConfigError(f"rule for {fault.name}: path {path!r} is no regular expression: {error}") from None
        self.fault, self._method, self._times, self._every, self._skip = fault, method.upper(), times, every, skip
        self._probability, self._random = probability, random.Random(seed)  # noqa: S311 - a drill must be repeatable
        self.seen = self.applied = 0

    @property
    def spent(self) -> bool:
        """Return whether it has been applied as often as it should."""
        return self._times is not None and self.applied >= self._times

    def meets(self, request: VenueRequest) -> bool:
        """Return whether this request meets the fault, and count it."""
        if self.spent or self._method not in ("", request.method) or not self._path.search(request.path):
            return False
        self.seen += 1
        turn = self.seen - self._skip
        hit = turn > 0 and turn % self._every == 0 and self._random.random() < self._probability
        self.applied += hit
        return hit


class FaultRules:
    """The rules in force. Safe to change while requests come in."""

    def __init__(self) -> None:
        self._rules: list[FaultRule] = []
        self._lock = threading.Lock()

    def add(
        self,
        fault: VenueFault,
        *,
        path: str = "",
        method: str = "",
        times: int | None = None,
        every: int = 1,
        skip: int = 0,
        probability: float = 1.0,
        seed: int = 0,
    ) -> FaultRule:
        """Let requests meet a fault; of several rules that fit, the first added applies.

        Args:
            fault: what goes wrong.
            path: regular expression searched in the path; empty fits all.
            method: ``GET``, ``POST`` ..., or ``WS`` for each look at a stream of candles; empty fits all.
            times: after how many faults the rule is spent; None never.
            every: only each n-th fitting request.
            skip: let so many fitting requests pass first.
            probability: of a fault for each of the remaining [fraction].
            seed: of the draw, so that a drill repeats.

        Raises:
            ConfigError: a figure out of range, or ``path`` is no regular expression.
        """
        rule = FaultRule(
            fault,
            path=path,
            method=method,
            times=times,
            every=every,
            skip=skip,
            probability=probability,
            seed=seed,
        )
        with self._lock:
            self._rules.append(rule)
        return rule

    def remove(self, rule: FaultRule) -> None:
        """End a rule; nothing happens if it has ended."""
        with self._lock:
            self._rules = [other for other in self._rules if other is not rule]

    def clear(self) -> None:
        """End all rules."""
        with self._lock:
            self._rules = []

    @contextmanager
    def during(self, fault: VenueFault, *, path: str = "", method: str = "") -> Iterator[FaultRule]:
        """Let requests meet a fault inside a ``with`` block."""
        rule = self.add(fault, path=path, method=method)
        try:
            yield rule
        finally:
            self.remove(rule)

    @property
    def active(self) -> tuple[FaultRule, ...]:
        """Return the rules that may still apply."""
        with self._lock:
            return tuple(rule for rule in self._rules if not rule.spent)

    def pick(self, request: VenueRequest) -> VenueFault | None:
        """Return the fault that this request meets, None for none."""
        with self._lock:
            return next((rule.fault for rule in self._rules if rule.meets(request)), None)
