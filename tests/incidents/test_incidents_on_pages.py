"""Incidents where people look: the page of alerts and the page of the session."""

from __future__ import annotations

from collections.abc import Callable

from peaktrade_core.alerts.alerts import Raised
from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.dashboard.panels import Page
from peaktrade_core.incidents.book import IncidentBook
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.workspace import Workspace


def shown(workspace: Workspace, name: str, subject: str | None = None) -> str:
    return Page(lambda: workspace, "", subject).panel(name)


def test_the_page_of_alerts_shows_what_is_not_closed_and_which_alert_led_to_it(workspace: Workspace) -> None:
    assert "Open incidents" not in shown(workspace, "alerts_open")
    alert = Raised(at=workspace.clock.now(), alert_id="A-1", rule_id="r", key="", severity="critical", message="loss")
    Alerts.of(workspace).log.append(lambda _: [alert])
    who = {"by": "Ada", "role": "operator"}
    book = IncidentBook.of(workspace)
    one = book.open("other", "Odd <b>smell</b>", subject="x", severity="high", alerts=("A-1",), **who).incident_id
    drill = book.open("other", "Exercise", subject="x", severity="high", drill="D-1", **who).incident_id
    html = shown(workspace, "alerts_open")
    assert html.count(f">{one}</a>") == html.count(f'href="/papers/incident/{one}"') == 2  # by its alert, and by itself
    assert f'<code>peaktrade incident show <span class="kept">{one}</span></code>' in html
    assert drill not in html
    assert "<b>smell</b>" not in html
    book.path(drill).write_text("{")
    assert "restore it from a backup" in shown(workspace, "alerts_open")  # what cannot be read is not hidden
    book.close(one, "Ada", "dust", "cleaned")
    assert one not in shown(workspace, "alerts_open")


def test_the_page_of_a_session_shows_its_incidents(
    workspace: Workspace, run_shadow: Callable[..., SessionRecord]
) -> None:
    mine, other = run_shadow(steps=20).session_id, run_shadow(steps=21).session_id
    who = {"by": "Ada", "role": "operator", "severity": "medium"}
    one = IncidentBook.of(workspace).open("other", "Odd", subject=mine, **who).incident_id
    assert one in shown(workspace, "session_papers", mine)
    assert one not in shown(workspace, "session_papers", other)
