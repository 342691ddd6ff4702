"""What Prometheus may know: the workspace's figures, asked anew at each scrape, and how the server fares."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from peaktrade_core.base.question import ORDER, known
from peaktrade_core.control.status import Whole, whole
from peaktrade_core.halts.scope import STATES
from peaktrade_core.runs.views import Views

if TYPE_CHECKING:
    from peaktrade_core.workspace.workspace import Workspace

_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class Meter:
    """Counts what the server answers, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._took = Histogram(
            "peaktrade_http_request_duration_seconds",
            "Time from a request to its answer, by route.",
            ["route"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._answers = Counter(
            "peaktrade_http_requests",
            "Requests answered, by route and status.",
            ["route", "status"],
            registry=self.registry,
        )

    def __call__(self, handler: Any) -> None:
        """Count one answer; tornado calls this in the place of a log, so that no address is ever logged."""
        route = getattr(handler, "route_name", "other")
        self._took.labels(route).observe(handler.request.request_time())
        self._answers.labels(route, str(handler.get_status())).inc()

    def text(self, workspace: Workspace, kernels: Callable[[], int]) -> str:
        """Return everything in Prometheus' text format."""
        scrape = CollectorRegistry()
        scrape.register(MetricsCollector(workspace, kernels))
        return (generate_latest(scrape) + generate_latest(self.registry)).decode()


class MetricsCollector(Collector):
    """The workspace's figures at one moment."""

    def __init__(self, workspace: Workspace, kernels: Callable[[], int]) -> None:
        self._workspace = workspace
        self._kernels = kernels

    def describe(self) -> Iterable[Any]:
        """Return nothing: names are known when they are collected."""
        return ()

    def collect(self) -> Iterable[Any]:
        """Yield all figures; what cannot be read is missing, and ``peaktrade_up`` is 0."""
        yield _gauge("kernels", "Kernels of open pages.", self._kernels())
        begun = time.perf_counter()
        readable = known(lambda: list(self._sessions()))
        yield from readable or ()
        found = whole(self._workspace)
        yield from _status(found)
        unknown = (readable, found.runs.running, found.runs.failed, found.alerts.open)
        yield _gauge("up", "1 when everything could be read.", float(None not in unknown))
        yield _gauge("scrape_duration_seconds", "Time that reading took.", time.perf_counter() - begun)

    def _sessions(self) -> Iterable[Any]:
        stats = Views.of(self._workspace).stats()
        yield _gauges("sessions", "Sessions in the registry, by status.", ("status",), _by(stats.by_status))
        yield _gauges("sessions_by_mode", "Sessions in the registry, by mode.", ("mode",), _by(stats.by_mode))
        for name, words in (("realized_pnl", "realized PnL"), ("total_pnl", "total PnL")):
            sums = {(one.currency,): getattr(one, name) for one in stats.by_currency}
            yield _gauges(f"sessions_{name}", f"Sum of the sessions' {words}, by currency.", ("currency",), sums)


def _status(found: Whole) -> Iterable[Any]:
    """Yield the status of the whole; figures that are not known are missing."""
    parts = {"whole": found.status, **{part.name: part.status for part in found.parts}}
    parts |= {layer.code: layer.status for layer in found.layers}
    levels = {(part, level): int(status == level) for part, status in parts.items() for level in ORDER}
    yield _gauges("status", "How the whole, its parts and layers stand: 1 for what is.", ("part", "status"), levels)
    runs = {("running",): found.runs.running, ("silent",): found.runs.silent, ("died",): found.runs.died}
    if found.runs.running is not None:
        yield _gauges("runs", "Runs that have not ended, by state.", ("state",), runs)
    if found.runs.failed is not None:
        yield _gauge("sessions_failed_24h", "Sessions of the last 24 hours that failed.", found.runs.failed)
    if found.alerts.open is not None:
        yield _gauges("alerts_open", "Open alerts, by severity.", ("severity",), _by(found.alerts.by_severity))
        free = found.alerts.unacknowledged or 0
        yield _gauge("alerts_unacknowledged", "Open alerts that no one has taken on.", free)
    states = {(state,): int(state == found.trading.state) for state in STATES}
    yield _gauges("trading_state", "The worst trading state of all scopes.", ("state",), states)
    halts = {(halt.scope, halt.state): 1 for halt in found.trading.halts}
    yield _gauges("halt", "Each scope that is not ACTIVE.", ("scope", "state"), halts)


def _by(counts: dict[str, int]) -> dict[tuple[str, ...], Any]:
    """Return counts by one label."""
    return {(name,): n for name, n in counts.items()}


def _gauge(name: str, about: str, value: float) -> GaugeMetricFamily:
    """Return one figure."""
    return GaugeMetricFamily(f"peaktrade_{name}", about, value=value)


def _gauges(name: str, about: str, labels: tuple[str, ...], values: Mapping[Any, Any]) -> GaugeMetricFamily:
    """Return a figure for each combination of labels."""
    family = GaugeMetricFamily(f"peaktrade_{name}", about, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family
