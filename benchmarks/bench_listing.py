"""The list of sessions over many records: whole pages as the server makes them, JSON and CSV, under what people ask.

Records are made up in a temporary workspace. The goal is 0.5 s a page over 10,000 records.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable

from bench_views import fill
from common import scratch

from peaktrade_core.dashboard.api import ROUTES
from peaktrade_core.dashboard.pages import PageAddress
from peaktrade_core.dashboard.site import Site, find_page
from peaktrade_core.records.registry import Registry
from peaktrade_core.workspace.workspace import Workspace

ASKED = {
    "newest": "",
    "older": "offset=5000",
    "searched": "q=crossover+eth",
    "narrowed": "status=failed&mode=shadow&days=3650",
    "sorted": "sort=total&order=asc",
    "everything": "q=btc&status=completed&since=2020-01-01&sort=drawdown&columns=state,total,equity,feed&limit=200",
}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--records", type=int, default=10_000)
    options.add_argument("--repeat", type=int, default=15)
    given = options.parse_args()
    with scratch() as home:
        fill(Workspace(home), given.records, 20, 50)
        site, page = Site(Workspace(home)), find_page("sessions")
        json, lines = (
            (route for route in ROUTES if route.path == path) for path in ("/api/sessions", "/api/sessions.csv")
        )
        told, file = next(json), next(lines)
        with Registry.of(site.workspace).kept_fresh(first_s=600.0):
            print(f"{given.records:,} records, {os.cpu_count()} cores\n{'':<24} {'p50 ms':>9} {'max ms':>9}")
            for name, query in ASKED.items():
                show(f"page, {name}", lambda query=query: site.page(PageAddress(page, None, query)), given.repeat)
            wanted = told.values("q=crossover&limit=50")
            show("JSON, searched", lambda: told.answer(site, **wanted), given.repeat)
            show("CSV, all", lambda: file.answer(site, **file.values("")), 3)


def show(name: str, ask: Callable[[], object], times: int) -> None:
    """Print how long a question takes [ms], after it was asked once."""
    ask()
    took = []
    for _ in range(times):
        began = time.perf_counter()
        ask()
        took.append(1000 * (time.perf_counter() - began))
    print(f"{name:<24} {statistics.median(took):9.1f} {max(took):9.1f}", flush=True)


if __name__ == "__main__":
    main()
