"""What people see of a portfolio: the verdict, its sleeves, the account, correlations, and the one curve."""

from __future__ import annotations

from peaktrade_core.base.clock import from_seconds
from peaktrade_core.base.errors import UnknownNameError
from peaktrade_core.research.portfolio.figures import PortfolioFigures, SleeveFigures
from peaktrade_core.research.portfolio.prepare import prepare
from peaktrade_core.research.portfolio.preset import Portfolio, find_preset, presets_of
from peaktrade_core.research.portfolio.record import PortfolioRecord, backtest_portfolio
from peaktrade_core.research.trials.verdict import told
from peaktrade_core.show import wording
from peaktrade_core.show.chart import TONES, Chart, Line, Shade
from peaktrade_core.show.checklist import check_table
from peaktrade_core.show.table import BAD, Cell, Column, Columns, Table
from peaktrade_core.trading.risk import DAY_S
from peaktrade_core.workspace.command import Part
from peaktrade_core.workspace.workspace import Workspace

FEEDS = ("stored", "synthetic")
MADE_UP = "The market is made up: nothing was counted or kept, and no figure says anything about a real one."


def portfolio_parts(record: PortfolioRecord) -> list[Part]:
    """Return a portfolio for a terminal: the verdict first."""
    return [
        *portfolio_title(record),
        "",
        portfolio_verdict(record),
        portfolio_sleeves(record),
        portfolio_account(record),
        *([portfolio_correlations(record)] if len(record.figures.sleeves) > 1 else []),
    ]


def portfolio_presets(workspace: Workspace) -> Table:
    """Return the presets, shipped ones and those of the workspace; of a file that cannot be read, why."""
    return preset_table(presets_of(workspace))


def preset_table(found: list[tuple[str, Portfolio | str]]) -> Table:
    """Return presets by name, a row each."""
    return PRESETS.table("Presets", found, empty="No preset is there.")


def run_preset(workspace: Workspace, preset: str, feed: str = "stored", days: float = 365.0) -> PortfolioRecord:
    """Run a preset over stored candles, or over so many days of a market made up (``feed`` = ``synthetic``).

    Raises:
        ConfigError: the preset or the feed is unknown or wrong; DataError: candles are missing, or have no common period.
    """
    if feed not in FEEDS:
        raise UnknownNameError("feed", feed, FEEDS)
    ready = prepare(workspace, find_preset(workspace, preset).portfolio, days=days if feed == "synthetic" else None)
    return backtest_portfolio(workspace, ready)


def portfolio_title(record: PortfolioRecord) -> list[str]:
    """Return in a few sentences what ran."""
    own, names = record.portfolio, record.portfolio.summary
    when = f"{wording.minute(record.begin)} to {wording.minute(record.end)} UTC"
    size = wording.many(len(record.figures.sleeves), "sleeve")
    said = [f"{record.portfolio_id or 'not kept'} {own.name} ({own.risk}){f': {names}' if names else ''}"]
    if not record.portfolio_id:
        return [*said, f"{size}, {when}. {MADE_UP}"]
    tries = f"{wording.many(record.counted, 'try', 'tries')} ever begun on these markets"
    held = f"; {record.held:,} bars are held back" if record.held else ""
    return [*said, f"{size}, {when}; {tries}{held}"]


def portfolio_verdict(record: PortfolioRecord) -> Table:
    """Return what may speak against a portfolio, answered."""
    return check_table(record.verdict, "Verdict: " + told(record.verdict))


def portfolio_sleeves(record: PortfolioRecord) -> Table:
    """Return the sleeves, a row each, and their sum."""
    figures = record.figures
    total = (
        "All",
        "100 %",
        wording.signed(figures.equity - record.start_balance),
        None,
        None,
        f"{figures.trades:,}",
        None,
        None,
    )
    shown = SLEEVES.table(
        "Sleeves", figures.sleeves, gained=f"Earned {record.currency}".strip(), more=[tuple(map(_dash, total))]
    )
    return shown if len(figures.sleeves) > 1 else SLEEVES.table("Sleeve", figures.sleeves)


def portfolio_account(record: PortfolioRecord) -> Table:
    """Return the figures of the account."""
    one, currency = record.figures, record.currency
    refused = ", ".join(f"{code} {n:,}" for code, n in sorted(one.refused.items())) or "none"
    figures = {
        "Equity at the end": f"{wording.money(one.equity, currency)} ({wording.percent(one.total_return)})",
        "Daily Sharpe": f"{one.sharpe:.3f} over {one.days:,} UTC days" if one.sharpe is not None else _few(one),
        "Largest drawdown": wording.drawdown(one.max_drawdown),
        "Positions over equity": f"{wording.percent(one.exposure)} on average, {wording.percent(one.most_exposure)} at most",
        "Fees": wording.money(one.fees, currency),
        "Rebalances that moved cash": f"{one.transfers:,}",
        "Orders the account refused": refused,
    }
    return Table.pairs(figures, "Account")


def _few(one: PortfolioFigures) -> str:
    return f"not told of {one.days:,} UTC days" if one.days else "there is no whole UTC day"


def portfolio_correlations(record: PortfolioRecord) -> Table:
    """Return the correlations of the sleeves' UTC-day returns, below the diagonal."""
    names = [one.name for one in record.figures.sleeves]
    columns = [
        Column[object]("Correlation"),
        *(Column[object](str(n), form="number") for n in range(1, len(names) + 1)),
    ]
    rows = [
        (f"{n} {name}", *(wording.NOTHING if one is None else f"{one:.2f}" for one in record.figures.correlations[n - 1][:n]),
         *([""] * (len(names) - n)))
        for n, name in enumerate(names, 1)
    ]  # fmt: skip
    return Table("", columns, rows)


def portfolio_figure(record: PortfolioRecord) -> Chart | Table:
    """Return the gain of the account and of each sleeve at the end of each UTC day, with the cash moved told apart."""
    marks = record.figures.marks
    if not marks.day:
        return Table("Gain", ("",), (), empty="There is no whole UTC day.")
    ts = [from_seconds((day + 1) * DAY_S) for day in marks.day]
    whole = Line("account", ts, [one - record.start_balance for one in marks.equity], "ink", 2.5)
    gain = record.figures.equity - record.start_balance
    lines = [
        Line(sleeve.name, ts, list(gained), TONES[n % len(TONES)], 1.5)
        for n, (sleeve, gained) in enumerate(zip(record.figures.sleeves, marks.gained, strict=True))
    ]
    return Chart(
        name="portfolio",
        title=f"What the account and its sleeves earned, {record.portfolio.name}",
        lines=[whole, *lines],
        unit=record.currency,
        label=f"{wording.signed(gain, record.currency)} in {record.figures.days:,} UTC days",
        zero=True,
        spans=[Shade(record.since, record.until, "purple", 0.18)] if record.since and record.until else [],
        ends=[record.until] if record.until else (),
    )


def _dash(value: object) -> object:
    return wording.NOTHING if value is None else value


def _remark(one: SleeveFigures) -> str:
    said = [f"halted {one.halted_at:%Y-%m-%d}"] if one.halted_at else []
    if one.refused:
        said.append(f"{sum(one.refused.values()):,} refused by the account")
    own = {code: n - one.refused.get(code, 0) for code, n in one.denied.items()}
    said += [f"{n:,} {code}" for code, n in sorted(own.items()) if n]
    return ", ".join(said)


SLEEVES = Columns[SleeveFigures](
    name=Column("Sleeve", lambda one: one.name),
    weight=Column("Weight", lambda one: f"{100.0 * one.weight:.0f} → {100.0 * one.last_weight:.0f} %", "number"),
    gained=Column("Earned", lambda one: wording.signed(one.contribution), "number"),
    sharpe=Column(
        "Daily Sharpe", lambda one: None if one.sharpe is None else f"{one.sharpe:.3f}", "number", priority=2
    ),
    drawdown=Column("Drawdown", lambda one: wording.drawdown(one.max_drawdown), "number", priority=2),
    trades=Column("Trades", lambda one: f"{one.trades:,}", "number"),
    exposure=Column("In position", lambda one: wording.percent(one.exposure, 0), "number", priority=3),
    remark=Column("Remark", _remark, "words"),
)
PRESETS = Columns[tuple[str, "Portfolio | str"]](
    name=Column("Preset", lambda one: one[0]),
    risk=Column("Risk", lambda one: one[1].risk if isinstance(one[1], Portfolio) else None),
    components=Column(
        "Components", lambda one: len(one[1].component) if isinstance(one[1], Portfolio) else None, "number"
    ),
    weights=Column("Weights", lambda one: _weights(one[1]) if isinstance(one[1], Portfolio) else None),
    summary=Column(
        "What it is", lambda one: one[1].summary if isinstance(one[1], Portfolio) else Cell(one[1], BAD), "words"
    ),
)


def _weights(one: Portfolio) -> str:
    again = "" if one.weights.rebalance == "never" else f", {one.weights.rebalance}"
    return f"{one.weights.method}{again}"
