"""What Prometheus may know: the workspace's figures, asked anew at each scrape, and how the server fares."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from peaktrade_core.alerts.alerts import RAISED, SEVERITIES
from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.base.errors import PeaktradeError
from peaktrade_core.halts.scope import STATES
from peaktrade_core.halts.states import TradingStates
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
        scrape.register(Figures(workspace, kernels))
        return (generate_latest(scrape) + generate_latest(self.registry)).decode()


class Figures(Collector):
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
        whole = 1.0
        begun = time.perf_counter()
        for question in (self._sessions, self._runs, self._alerts, self._trading):
            try:
                yield from question()
            except (PeaktradeError, OSError, ValueError):
                whole = 0.0
        yield _gauge("up", "1 when everything could be read.", whole)
        yield _gauge("scrape_duration_seconds", "Time that reading took.", time.perf_counter() - begun)

    def _sessions(self) -> list[Any]:
        stats = Views.of(self._workspace).stats()
        return [
            _gauges("sessions", "Sessions in the registry, by status.", "status", stats.by_status),
            _gauges("sessions_by_mode", "Sessions in the registry, by mode.", "mode", stats.by_mode),
            *(
                _gauges(f"sessions_{name}", f"Sum of the sessions' {words}, by currency.", "currency", sums)
                for name, words, sums in (
                    ("realized_pnl", "realized PnL", {one.currency: one.realized_pnl for one in stats.by_currency}),
                    ("total_pnl", "total PnL", {one.currency: one.total_pnl for one in stats.by_currency}),
                )
            ),
        ]

    def _runs(self) -> list[Any]:
        states = {"running": 0, "silent": 0, "died": 0}
        for row in Views.of(self._workspace).runs(limit=500):
            if row.state in states:
                states[row.state] += 1
        return [_gauges("runs", "Runs that have not ended, by state.", "state", states)]

    def _alerts(self) -> list[Any]:
        counts = dict.fromkeys(SEVERITIES, 0)
        for row in Alerts.of(self._workspace).rows(state=RAISED):
            counts[row.severity] = counts.get(row.severity, 0) + 1
        return [_gauges("alerts_open", "Open alerts, by severity.", "severity", counts)]

    def _trading(self) -> list[Any]:
        worst = TradingStates.of(self._workspace).worst().state
        states = {state: int(state == worst) for state in STATES}
        return [_gauges("trading_state", "The worst trading state of all scopes.", "state", states)]


def _gauge(name: str, about: str, value: float) -> GaugeMetricFamily:
    """Return one figure."""
    return GaugeMetricFamily(f"peaktrade_{name}", about, value=value)


def _gauges(name: str, about: str, label: str, values: dict[str, Any]) -> GaugeMetricFamily:
    """Return a figure for each value of a label."""
    family = GaugeMetricFamily(f"peaktrade_{name}", about, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family
