"""What commands print and write: JSON that agrees with the record, reports in every form, nothing on a dry run."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import mistune
import msgspec
import pytest

from peaktrade_core.records.registry import Query, Registry
from peaktrade_core.reports.session_reports import figures_of
from peaktrade_core.runs.run import item_of
from peaktrade_core.runs.trades import told
from peaktrade_core.runs.views import Views
from peaktrade_core.show import wording
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.workspace import Workspace

Command = Callable[..., Any]


@pytest.fixture
def three(run_shadow: Callable[..., SessionRecord]) -> list[SessionRecord]:
    """Return three sessions: two that ended well and one that failed."""
    return [
        run_shadow(seed=1, steps=400, notes="the first"),
        run_shadow(seed=2, steps=300, symbol="ETH/EUR", strategy="donchian_breakout"),
        run_shadow(seed=3, steps=5, warmup_candles=0, params={"fast": 1, "slow": 2}, tags=("t",)),
    ]


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_json_of_a_run_is_its_record_and_nothing_else(peaktrade: Command, workspace: Workspace) -> None:
    ended = peaktrade(
        "session", "run", "--steps", 300, "--seed", 7, "--notes", "by hand", "--tag", "a", "--tag", "b", "--json"
    )
    assert (ended.code, ended.stderr) == (0, "")
    said = json.loads(ended.stdout)
    assert said == msgspec.to_builtins(Views.of(workspace).record(said["session_id"]), str_keys=True) | {
        name: said[name] for name in ("started_at", "finished_at", "created_at")
    }
    on_disk = json.loads(Registry.of(workspace).entries()[0].path.read_bytes())
    assert on_disk == {name: value for name, value in said.items() if name != "extra"}
    assert (said["config"]["notes"], said["config"]["tags"], said["config"]["seed"]) == ("by hand", ["a", "b"], 7)
    assert said["cli_args"][:3] == ["peaktrade", "session", "run"]
    assert json.loads(peaktrade("session", "show", said["session_id"], "--json").stdout) == said


def test_the_list_as_json_is_the_rows_of_the_views(
    peaktrade: Command, workspace: Workspace, three: list[SessionRecord]
) -> None:
    rows = json.loads(peaktrade("session", "list", "--json").stdout)
    assert rows == json.loads(msgspec.json.encode([item_of(row) for row in Views.of(workspace).rows()]))
    assert [row["session_id"] for row in rows] == [record.session_id for record in reversed(three)]


@pytest.mark.parametrize(
    ("options", "query"),
    [
        (["--limit", "2"], Query(limit=2)),
        (["--symbol", "ETH/EUR", "--limit", "1"], Query(limit=1, symbol="ETH/EUR")),
        (["--strategy", "ma_crossover"], Query(limit=20, strategy="ma_crossover")),
        (["--mode", "live"], Query(limit=20, mode="live")),
        (["--status", "completed", "--run-type", "live_session_shadow"], Query(limit=20, status="completed")),
    ],
)
def test_filters_of_the_list(
    peaktrade: Command, workspace: Workspace, three: list[SessionRecord], options: list[str], query: Query
) -> None:
    rows = json.loads(peaktrade("session", "list", "--json", *options).stdout)
    assert rows == json.loads(msgspec.json.encode([item_of(row) for row in Views.of(workspace).rows(query)]))


def test_the_same_figure_in_list_show_report_and_views(
    peaktrade: Command, workspace: Workspace, three: list[SessionRecord]
) -> None:
    record = three[0]
    row = Views.of(workspace).run(record.session_id)
    assert row.realized_pnl == record.metrics["realized_pnl"] != 0.0
    (line,) = [text for text in peaktrade("session", "list").stdout.splitlines() if record.session_id in text]
    assert f" {wording.signed(row.realized_pnl, 'EUR')} " in line
    assert f" {wording.signed(row.total_pnl, 'EUR')} " in line
    assert row.total_pnl == record.metrics["equity_end"] - 10_000.0
    assert f" {wording.percent(row.max_drawdown)} " in line
    shown = peaktrade("session", "show", record.session_id).stdout
    markdown = peaktrade("session", "report", "--stdout").stdout
    html = peaktrade("session", "report", "--stdout", "--output-format", "html").stdout
    for name, value in figures_of(record):
        assert re.search(rf"{re.escape(name)} +{re.escape(value)}", shown), name
        assert f"| {name} | {value} |" in markdown
        assert wording.tied(f"<dt>{name}</dt><dd>{value}</dd>") in html
    traded = told(Views.of(workspace).look(record.session_id).trades)
    assert "net of fees" in traded
    assert "holding it would have brought" in traded
    assert traded in markdown
    assert wording.tied(traded) in html
    stats = Views.of(workspace).stats()
    assert stats.realized_pnl == pytest.approx(sum(one.metrics["realized_pnl"] for one in three))
    assert stats.total_pnl == pytest.approx(sum(one.metrics["equity_end"] - 10_000.0 for one in three))
    sums = f"**Total PnL:** {wording.signed(stats.total_pnl, 'EUR')} · **Realized PnL:** "
    assert sums + wording.signed(stats.realized_pnl, "EUR") in markdown
    assert f"**Average max drawdown:** {wording.percent(stats.avg_drawdown)}" in markdown


def test_every_way_of_writing_a_report(peaktrade: Command, home: Path, three: list[SessionRecord]) -> None:
    for form, suffixes in (("markdown", [".md"]), ("html", [".html"]), ("both", [".html", ".md"])):
        ended = peaktrade("session", "report", "--output-format", form, "--output-dir", home / form)
        assert ended.code == 0, ended.stderr
        assert sorted(path.suffix for path in (home / form).iterdir()) == suffixes
        assert len(ended.stdout.splitlines()) == len(suffixes)
        for path in (home / form).iterdir():
            assert all(record.session_id in path.read_text() for record in three)
    peaktrade("session", "report")
    assert [path.suffix for path in (home / "reports" / "daily").iterdir()] == [".md"]
    both = peaktrade("session", "report", "--stdout", "--output-format", "both")
    assert (both.code, "--stdout prints one format" in both.stderr) == (2, True)


def test_a_summary_has_the_figures_and_no_session(peaktrade: Command, three: list[SessionRecord]) -> None:
    summary = peaktrade("session", "report", "--summary-only", "--stdout").stdout
    assert "- **Sessions:** 3" in summary
    assert "completed: 3" in summary
    assert not any(record.session_id in summary for record in three)


def test_a_report_covers_what_its_filters_say(peaktrade: Command, three: list[SessionRecord]) -> None:
    report = peaktrade("session", "report", "--stdout", "--symbol", "ETH/EUR").stdout
    assert "- **Sessions:** 1" in report
    assert [record.session_id in report for record in three] == [False, True, False]
    assert "symbol = ETH/EUR" in report
    newest = peaktrade("session", "report", "--stdout", "--limit", 1).stdout
    assert [record.session_id in newest for record in three] == [False, False, True]


def test_an_empty_registry_is_said_with_the_next_step(peaktrade: Command) -> None:
    assert peaktrade("session", "list").stdout == "No sessions yet. Run the first with `peaktrade session run`.\n"
    assert json.loads(peaktrade("session", "list", "--json").stdout) == []
    for form in ("markdown", "html"):
        said = peaktrade("session", "report", "--stdout", "--output-format", form)
        assert (said.code, "peaktrade session run" in said.stdout) == (0, True)
    assert peaktrade("session", "show").code == 4


def test_filters_that_match_nothing_are_said_so(peaktrade: Command, three: list[SessionRecord]) -> None:
    assert (
        peaktrade("session", "list", "--symbol", "X").stdout
        == "No session matches these filters (3 in the registry).\n"
    )


EVIL = "<script>alert(1)</script>"


class Tags(HTMLParser):
    """Collects the tags of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)


def test_nothing_in_a_record_can_become_html(workspace: Workspace, peaktrade: Command) -> None:
    Registry.of(workspace).folder.mkdir(parents=True)
    record = {
        "session_id": EVIL,
        "mode": EVIL,
        "status": EVIL,
        "symbol": f"BTC/{EVIL}",
        "env_name": f'"{EVIL}',
        "error": f"Error: {EVIL}",
        "strategy_tier": EVIL,
        "cli_args": [EVIL],
        "config": {"notes": EVIL, "strategy_name": EVIL, "params": {EVIL: EVIL}, "timeframe": EVIL},
        "metrics": {"risk_status": EVIL, "deny_codes": {EVIL: EVIL}},
    }
    (Registry.of(workspace).folder / "evil.json").write_text(json.dumps(record))
    (Registry.of(workspace).folder / f"{EVIL.replace('/', '')}.json").write_text("{")
    html = peaktrade("session", "report", "--stdout", "--output-format", "html").stdout
    assert "&lt;script&gt;alert(1)" in html
    assert "script" not in Tags(html).tags
    markdown = peaktrade("session", "report", "--stdout").stdout
    assert "alert(1)" in markdown
    assert "script" not in Tags(markdown).tags


def test_notes_cannot_break_the_table_of_a_report(peaktrade: Command, run_shadow: Callable[..., SessionRecord]) -> None:
    run_shadow(steps=5, notes="a | b\n# c `d`")
    assert "- **Notes:** a \\| b # c 'd'\n" in peaktrade("session", "report", "--stdout").stdout


LINKS = (
    "[x](javascript:alert(1))", "![x](http://host.example/y.png)", "[x]: javascript:alert(1)", "<javascript:alert(1)>",
    "`` [x](javascript:alert(1)) ``", "` [x](javascript:alert(1))", "a ` b ` c ` [x](javascript:alert(1))",
    "\\[x](javascript:alert(1))", "\\![x](http://host.example/y.png)", "[x\n](javascript:alert(1))",
    "| [x](javascript:alert(1)) |",
    "[x][1]\n\n[1]: javascript:alert(1)", "\n# title\n[x](data:text/html,1)", "&lt;img src=x&gt;[x](javascript:alert(1))",
)  # fmt: skip


@pytest.mark.parametrize("text", LINKS)
def test_no_link_and_no_image_of_a_record_lives_in_a_markdown_report(
    workspace: Workspace, peaktrade: Command, run_shadow: Callable[..., SessionRecord], text: str
) -> None:
    run_shadow(steps=5, notes=text, tags=(text,), cli_args=("peaktrade", "session", "run", "--notes", text))
    Registry.of(workspace).folder.joinpath("foreign.json").write_text(
        json.dumps(
            {"session_id": text, "mode": text, "status": "failed", "symbol": text, "error": text, "cli_args": [text]}
        )
    )
    page = mistune.html(peaktrade("session", "report", "--stdout").stdout)
    assert not {"a", "img", "script"} & set(Tags(page).tags), page
    assert "alert(1)" in page or "host.example" in page or "text/html" in page


@pytest.mark.parametrize("as_json", [True, False])
def test_a_dry_run_says_what_would_run_and_writes_nothing(peaktrade: Command, home: Path, as_json: bool) -> None:
    before = files(home)
    ended = peaktrade("session", "run", "--dry-run", "--duration", "1h", "--symbol", "ETH/EUR", *(["--json"] * as_json))
    assert ended.code == 0
    assert files(home) == before
    if as_json:
        config = json.loads(ended.stdout)["config"]
        assert (config["symbol"], config["steps"], config["risk_limits"]["max_order_notional"]) == (
            "ETH/EUR",
            60,
            1000.0,
        )
    else:
        assert "nothing was written" in ended.stdout
        assert "ETH/EUR 1m (spot)" in ended.stdout


@pytest.mark.parametrize(
    ("duration", "timeframe", "steps"),
    [("30", "1m", 30), ("90s", "1m", 2), ("1h", "5m", 12), ("2d", "1d", 2), ("1s", "1d", 1), ("15m", "1s", 900)],
)
def test_a_duration_is_market_time(
    workspace: Workspace, peaktrade: Command, duration: str, timeframe: str, steps: int
) -> None:
    ended = peaktrade("session", "run", "--dry-run", "--json", "--duration", duration, "--timeframe", timeframe)
    assert json.loads(ended.stdout)["config"]["steps"] == steps


def test_strategies_are_listed_with_their_configured_parameters(
    peaktrade: Command, configure: Callable[[str, str], None]
) -> None:
    configure("fast = 20", "fast = 11")
    found = json.loads(peaktrade("strategies", "--json").stdout)
    assert {s["name"]: s["tier"] for s in found} == {
        "armstrong_cycle": "r_and_d", "donchian_breakout": "core", "el_karoui_vol_model": "r_and_d",
        "ma_crossover": "core", "rsi_reversion": "core", "trend_following": "core",
    }  # fmt: skip
    assert next(s for s in found if s["name"] == "ma_crossover")["parameters"] == {"fast": 11, "slow": 50}
    assert json.loads(peaktrade("session", "run", "--list-strategies", "--json").stdout) == found


def test_a_strategy_of_ones_own_runs_from_a_file(peaktrade: Command, home: Path) -> None:
    (home / "mine.py").write_text(
        "from typing import NamedTuple\n"
        "from peaktrade_core.trading.strategies import register\n"
        "class Always(NamedTuple):\n"
        "    side: float = 1.0\n"
        "@register('always', Always, slots=lambda p: 0, warmup=lambda p: 0, tier='core')\n"
        "def always(p, s, o, h, l, c, v):\n"
        "    '''Hold, whatever comes.'''\n"
        "    return p.side\n"
    )
    options = ("--strategy-module", "mine.py", "--strategy", "always", "--steps", 50, "--json")
    record = json.loads(peaktrade("session", "run", *options).stdout)
    assert (record["status"], record["strategy_tier"], record["metrics"]["num_orders"]) == ("completed", "core", 1)


@pytest.mark.parametrize(
    ("returns", "status", "says"),
    [
        ("1 / 0", "failed", "StrategyError: strategy 'odd' failed on the bar at 2026-01-01 "),
        ("'up'", "failed", "StrategyError: strategy 'odd' failed"),
        ("None", "failed", "StrategyError: strategy 'odd' failed"),
        ("float('nan')", "completed", "BAD_SIGNAL"),
        ("0.5", "completed", "BAD_SIGNAL"),
    ],
)
def test_a_strategy_that_fails_ends_its_session_and_says_why(
    peaktrade: Command, home: Path, returns: str, status: str, says: str
) -> None:
    (home / "odd.py").write_text(
        "from typing import NamedTuple\n"
        "from peaktrade_core.trading.strategies import register\n"
        "class Odd(NamedTuple):\n"
        "    bars: int = 1\n"
        "@register('odd', Odd, slots=lambda p: 0, warmup=lambda p: 0, tier='core')\n"
        "def odd(p, s, o, h, l, c, v):\n"
        f"    return {returns}\n"
    )
    ended = peaktrade("session", "run", "--strategy-module", "odd.py", "--strategy", "odd", "--steps", 20, "--json")
    record = json.loads(ended.stdout)
    assert (ended.code, record["status"]) == (int(status == "failed"), status)
    assert says in f"{record['error']} {record['metrics']['deny_codes']}"
    assert record["metrics"]["num_orders"] == 0
    assert record["metrics"]["equity_end"] == 10_000.0


@pytest.mark.parametrize(
    "args", [("session", "report", "--stdout"), ("session", "list"), ("session", "list", "--json")]
)
def test_a_reader_that_goes_away_is_no_error(
    three: list[SessionRecord], start: Callable[..., Any], args: tuple[str, ...]
) -> None:
    process = start(*args)
    process.stdout.close()
    assert process.wait(timeout=30) == 0
    assert process.stderr.read() == ""


def test_a_session_goes_on_when_nobody_watches_any_more(workspace: Workspace, start: Callable[..., Any]) -> None:
    process = start("session", "run", "--timeframe", "1s", "--pace", "400", "--steps", "300")
    process.stderr.close()
    process.wait(timeout=30)
    record = Views.of(workspace).latest()
    assert (record.status, record.metrics["steps"]) == ("completed", 300)


def test_a_week_of_sessions_is_listed(peaktrade: Command, three: list[SessionRecord]) -> None:
    begun = three[0].started_at
    year, week, _ = begun.isocalendar()
    listed = json.loads(peaktrade("session", "list", "--week", f"{year}-W{week:02d}", "--json").stdout)
    assert {row["session_id"] for row in listed} == {record.session_id for record in three}
    before = (begun - timedelta(days=7)).isocalendar()
    other = peaktrade("session", "list", "--week", f"{before.year}-W{before.week:02d}")
    assert (other.code, "No session matches" in other.stdout) == (0, True)
    both = peaktrade("session", "list", "--week", f"{year}-W{week:02d}", "--since", "2026-01-01")
    assert (both.code, "not both" in both.stderr) == (2, True)


def test_a_note_of_operations_is_kept_as_it_was_written(peaktrade: Command) -> None:
    assert peaktrade("ops", "note", "cable \x1b[31mpulled", "--by", "Ada").code == 0
    assert "cable" in peaktrade("ops", "notes").stdout
    assert [note["by"] for note in json.loads(peaktrade("ops", "notes", "--json").stdout)] == ["Ada"]
    assert peaktrade("ops", "note", "  ", "--by", "Ada").code == 2
    assert peaktrade("ops", "note", "x", "--by", " ").code == 2


def test_evidence_by_hand_is_countersigned_by_another_person_only(peaktrade: Command, home: Path) -> None:
    (home / "log.txt").write_text("what was seen")
    added = json.loads(
        peaktrade("evidence", "add", "--tag", "cable", "--text", "seen", "log.txt", "--by", "Ada", "--json").stdout
    )
    name = added["evidence_id"]
    assert re.fullmatch(r"EV-\d{8}-CABLE", name)
    assert (home / "reports" / "evidence" / name / "log.txt").read_text() == "what was seen"
    same = peaktrade("evidence", "countersign", name, "--by", "ada")
    assert (same.code, "Ada" in same.stderr) == (2, True), same.stderr
    assert peaktrade("evidence", "countersign", "EV-20260101-NONE", "--by", "Bo").code == 2
    assert peaktrade("evidence", "countersign", name, "--by", "Bo", "--note", "looked at it").code == 0
    assert "Bo" in peaktrade("evidence", "show", name).stdout
    assert peaktrade("evidence", "verify").code == 0
    (home / "reports" / "evidence" / f"{name}.json").write_text("{}")
    assert peaktrade("evidence", "verify").code == 1
    assert peaktrade("evidence", "countersign", name, "--by", "Cy").code != 0
