"""What alerts cost: a turn of the rules beside an empty one, the alert log, a replay, and event to delivery.

Deliveries go to a web server on this machine, with a dead channel beside it. Baselines: the same turn with no rules, a
plain write and fsync of as many bytes, and a journal that is only read.
"""

from __future__ import annotations

import argparse
import http.server
import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from bench_fleet import finish
from common import scratch

from peaktrade_core.alerts.alerts import Notification, Raised, Silenced
from peaktrade_core.alerts.delivery import Deliveries
from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.alerts.engine import ALERTS, AlertEngine
from peaktrade_core.alerts.log import AlertLog
from peaktrade_core.alerts.rules.history import replay
from peaktrade_core.runs.views import Views
from peaktrade_core.workspace.workspace import Workspace


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--finished", type=int, default=200)
    options.add_argument("--bars", type=int, default=10_000)
    options.add_argument("--changes", type=int, default=10_000)
    options.add_argument("--runs", type=int, default=7)
    given = options.parse_args()
    with scratch("alerts.toml") as home:
        workspace = Workspace(home)
        finish(workspace, given.finished, given.bars)
        turn(workspace, given)
        log(home, given)
        history(workspace, given)
        delivery(workspace, given)


def turn(workspace: Workspace, given: argparse.Namespace) -> None:
    engine = AlertEngine(workspace, Alerts.of(workspace).log)
    engine.evaluate()
    full = middle(given.runs, engine.evaluate)
    empty = middle(given.runs, lambda: engine.look(()))
    report(f"turn of the rules, {given.finished} ended runs", full, "the facts without rules", empty)


def log(home: Path, given: argparse.Namespace) -> None:
    now, path = datetime.now(UTC), home / "alerts.jsonl"
    one = Silenced(at=now, silence_id="x", until=now + timedelta(hours=1), by="me", reason="bench", rule_id="r")
    journal = AlertLog(path)
    append = middle(100, lambda: journal.append(lambda _: [one]))
    size = path.stat().st_size // 100
    with (home / "plain").open("ab", buffering=0) as file:
        plain = middle(100, lambda: (file.write(b"x" * size), os.fsync(file.fileno())))
    report("one change, durable", append, "plain write and fsync", plain)
    raised = [Raised(at=now, alert_id=f"{n:08x}", rule_id="r", key=str(n), severity="warning", message="m")
              for n in range(given.changes)]  # fmt: skip
    journal.append(lambda _: raised)
    fold = middle(given.runs, lambda: AlertLog(path).refresh())
    read = middle(given.runs, path.read_bytes)
    report(f"reading {given.changes:,} changes anew", fold, "reading the bytes", read)


def history(workspace: Workspace, given: argparse.Namespace) -> None:
    found = Views.of(workspace).latest()
    assert found is not None
    rules = AlertEngine(workspace, Alerts.of(workspace).log).settings.rules
    events = Views.of(workspace).events(found.session_id)
    played = middle(given.runs, lambda: replay(found, events, rules))
    read = middle(given.runs, lambda: Views.of(workspace).events(found.session_id))
    report(f"replay of {len(events):,} events", played, "reading them", read)


def delivery(workspace: Workspace, given: argparse.Namespace) -> None:
    arrived: list[float] = []

    class Hook(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            arrived.append(time.monotonic())
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    channels = {"web": f"json://127.0.0.1:{server.server_port}/", "dead": "json://127.0.0.1:9/"}
    text = "".join(f'[channels.{name}]\nurl = "{url}"\n' for name, url in channels.items())
    (workspace.home / ALERTS).write_text(text)
    engine = AlertEngine(workspace, Alerts.of(workspace).log)
    deliveries = Deliveries(engine, workspace.home / "a.log", workspace.clock)
    times = []
    for n in range(given.runs):
        begin = time.monotonic()
        note = Notification(at=workspace.clock.now(), alert_ids=(), channels=("web", "dead"), severity="info",
                            title=f"{n}", body="bench")  # fmt: skip
        Alerts.of(workspace).log.append(lambda _, note=note: [note])
        deliveries.offer()
        while len(arrived) <= n:
            time.sleep(0.001)
        times.append(arrived[n] - begin)
    deliveries.close()
    server.shutdown()
    print(
        f"recorded to arrived, a dead channel beside: first {1e3 * times[0]:.0f} ms, then {1e3 * median(times[1:]):.1f} ms"
    )


def middle(runs: int, run: Callable[[], Any]) -> float:
    """Return the median time of ``runs`` runs [s]."""
    times = []
    for _ in range(runs):
        begin = time.perf_counter()
        run()
        times.append(time.perf_counter() - begin)
    return median(times)


def report(what: str, ours: float, baseline: str, other: float) -> None:
    print(f"{what}: {1e3 * ours:.2f} ms; {baseline}: {1e3 * other:.2f} ms; ratio {ours / max(other, 1e-9):.1f}")


if __name__ == "__main__":
    main()
