"""What the notebooks of research ask, a function a cell; ids stay out of their tables, as they change with the code."""

from __future__ import annotations

from peaktrade_core.base.clock import moved
from peaktrade_core.base.errors import UnknownNameError
from peaktrade_core.base.typed import read
from peaktrade_core.candles.store import stored_folder
from peaktrade_core.research.experiments.analysis import analyse
from peaktrade_core.research.experiments.page import heat_map
from peaktrade_core.research.experiments.rows import ExperimentQuery, Experiments
from peaktrade_core.research.experiments.surface import Surface
from peaktrade_core.research.experiments.tables import ANALYSES, EXPERIMENTS, RANKED
from peaktrade_core.research.findings.run import FindingRecord, run_finding
from peaktrade_core.research.findings.spec import find_finding
from peaktrade_core.research.findings.tables import FOUND
from peaktrade_core.research.forward.now import Source, symbols_of
from peaktrade_core.research.forward.outcome import Evaluation, evaluate
from peaktrade_core.research.forward.scan import MODES, Mode, ScanRecord, ScanWish, run_scan
from peaktrade_core.research.forward.signals import ComponentSignal, write_signals
from peaktrade_core.research.forward.tables import ASKED, OUTCOMES, SCANNED, SERIES, scan_columns
from peaktrade_core.research.portfolio.preset import Component
from peaktrade_core.research.trials.cli import TRIALS
from peaktrade_core.research.trials.ranking import BEST, UNRANKED, leading
from peaktrade_core.research.trials.spec import Judge, Null, Sweep, WalkForward, grid_of
from peaktrade_core.research.trials.sweep import SweepRecord, SweepStore, prepare, run_sweep
from peaktrade_core.research.trials.verdict import told
from peaktrade_core.show import wording
from peaktrade_core.show.checklist import check_table
from peaktrade_core.show.table import Table
from peaktrade_core.workspace.workspace import Workspace

SOURCES: tuple[Source, ...] = ("stored", "synthetic")


def _one_of(what: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise UnknownNameError(what, value, known)
    return value


def _source(feed: str) -> Source:
    return "stored" if _one_of("feed", feed, SOURCES) == "stored" else "synthetic"


def scan_markets(workspace: Workspace, strategy: str, symbols: str, mode: str, timeframe: str, feed: str) -> ScanRecord:
    """Ask one strategy on several markets, separated by commas; raises as :func:`run_scan`."""
    picked: Mode = "forward" if _one_of("mode", mode, MODES) == "forward" else "backtest-lite"
    wish = ScanWish(strategy, symbols_of(symbols), picked, timeframe=timeframe or None, source=_source(feed))
    return run_scan(workspace, wish)


def scanned_table(record: ScanRecord) -> Table:
    """Return a scan without its id."""
    return SCANNED.table("Markets", record.rows, scan_columns(record.mode))


def write_forward(workspace: Workspace, strategy: str, symbols: str, timeframe: str) -> list[ComponentSignal]:
    """Write forward signals of a strategy on several markets; raises as :func:`write_signals`."""
    given = {"strategy": strategy, "timeframe": timeframe}
    return write_signals(workspace, [read({**given, "symbol": symbol}, Component) for symbol in symbols_of(symbols)])


def forward_table(asked: list[ComponentSignal]) -> Table:
    """Return what was written."""
    return ASKED.table("Forward signals", asked, "market signal stands bar")


def evaluate_forward(workspace: Workspace, days: float) -> Evaluation:
    """Return what became of the signals of the last days; raises as :func:`evaluate`."""
    return evaluate(workspace, moved(workspace.clock.now(), days=-days))


def forward_sums(found: Evaluation) -> Table:
    """Return what forward signals came to, by decision and market."""
    return SERIES.table("By decision and market", found.series, empty="No signal was written in this time.")


def forward_outcomes(found: Evaluation) -> Table:
    """Return what became of each of the newest signals."""
    return OUTCOMES.table("The newest signals", found.outcomes[:BEST], empty="No signal was written in this time.")


def ask_finding(workspace: Workspace, name: str, feed: str) -> FindingRecord:
    """Ask a finding over stored candles, or over markets made up; raises as :func:`run_finding`."""
    return run_finding(workspace, find_finding(workspace, name), _source(feed))


def finding_verdict(record: FindingRecord) -> Table:
    """Return what can be said of a finding, answered."""
    return check_table(record.verdict, f"{record.finding.question} {told(record.verdict)}")


def finding_states(record: FindingRecord) -> Table:
    """Return what follows each state."""
    return FOUND.table(f"The return over {wording.many(record.finding.horizon, 'bar')} after each state", record.rows)


def settings_in(text: str) -> list[str]:
    """Return settings that a notebook's parameter gives as ``fast 20; slow 50``, without an equals sign, as ``fast=20``."""
    return ["=".join(part.split(maxsplit=1)) for part in text.split(";") if part.strip()]


def sweep_of(
    workspace: Workspace, strategy: str, symbol: str, timeframe: str, grid: str, question: str, least_trades: int,
    shuffles: int = 0,
) -> Sweep:  # fmt: skip
    """Return a sweep over the stored candles of a market, as a notebook asks for it.

    Args:
        grid: ``fast 5:20:5; slow 30,60``: a notebook's parameters hold no equals sign. least_trades: of the best trial.
        shuffles: shuffled markets.

    Raises:
        ConfigError: a setting is wrong; DataError: nothing like it is stored.
    """
    return Sweep(
        name=f"{strategy} in a notebook", question=question, strategy=strategy, symbol=symbol,
        timeframe=timeframe,  # type: ignore[arg-type]  # checked as it is built
        candles=str(stored_folder(workspace, symbol, timeframe)), parameters=grid_of(" ".join(settings_in(grid))),
        judge=Judge(metric="return", least_trades=least_trades), walk_forward=WalkForward(windows=3),
        null=Null(shuffles=shuffles),
    )  # fmt: skip


def try_grid(
    workspace: Workspace, strategy: str, symbol: str, timeframe: str, grid: str, question: str, least_trades: int
) -> SweepRecord:
    """Run the sweep of :func:`sweep_of`, without shuffled markets; raises as it and :func:`run_sweep`."""
    asked = sweep_of(workspace, strategy, symbol, timeframe, grid, question, least_trades)
    return run_sweep(workspace, prepare(workspace, asked))


def sweep_verdict(record: SweepRecord) -> Table:
    """Return what speaks against the best trial of a sweep, answered."""
    return check_table(record.verdict, f"{record.sweep.question} {told(record.verdict)}")


def sweep_counts(record: SweepRecord) -> Table:
    """Return what a sweep counted, read and left alone."""
    since = f", since {wording.moment(record.since)} UTC" if record.since else ""
    pairs = {
        "Trials": f"{record.trials:,}", "Ever begun on this market": f"{record.counted:,}", "Bars read": f"{record.bars:,}",
        "Bars held back": f"{record.held:,}{since}",
    }  # fmt: skip
    return Table.pairs(pairs, "Counted before the first trial")


def sweep_map(workspace: Workspace, record: SweepRecord) -> Table:
    """Return what a sweep is judged by over its two longest parameters, the best trial with a star."""
    heat = heat_map(Surface(record.sweep, list(SweepStore(workspace).trials(record.sweep_id))))
    if heat is None:
        return Table("Map", ("",), (), empty="Nothing was varied, or a parameter has too many values for a map.")
    rows = [
        (
            f"{heat.up} {value}".strip(),
            *(
                "" if cell is None else f"{'★ ' * (heat.best == (row, column))}{heat.said(cell)}"
                for column, cell in enumerate(heat.cells[row])
            ),
        )
        for row, value in enumerate(heat.rows)
    ]
    numbers = range(1, len(heat.columns) + 1)
    heads = ["", *(f"{heat.across} {value}" for value in heat.columns)]
    figure = "Daily Sharpe" if heat.figure == "sharpe" else "Return [%]"
    title = f"{figure}, best over {', '.join(heat.more)}" if heat.more else figure
    return Table(title, heads, rows, numbers=numbers)


def sweep_trials(workspace: Workspace, record: SweepRecord) -> Table:
    """Return the best trials of a sweep, or its first where none has what it takes to be judged."""
    few, ranked = leading(list(SweepStore(workspace).trials(record.sweep_id)), record.sweep.judge)
    return TRIALS.table("Best trials" if ranked else UNRANKED, few)


def experiments_table(workspace: Workspace, run_type: str = "all", strategy: str = "", tag: str = "") -> Table:
    """Return what was tried, newest first, without ids; ``all`` and empty texts narrow nothing down."""
    query = ExperimentQuery(
        run_type=None if run_type == "all" else run_type, strategy=strategy or None, tag=tag or None, limit=30
    )
    shown = "asked type market trials verdict sharpe gained tags"
    return EXPERIMENTS.table("Tried", Experiments(workspace).rows(query), shown, empty="Nothing was tried yet.")


def experiments_ranked(workspace: Workspace, strategy: str = "", tag: str = "") -> Table:
    """Return the trials and backtests with the largest return, each with the verdict of its experiment before it."""
    query = ExperimentQuery(strategy=strategy or None, tag=tag or None)
    found = Experiments(workspace).top(query, "return", BEST)
    shown = "verdict strategy market parameters sharpe total drawdown trades"
    return RANKED.table("Largest returns", found, shown, empty="Nothing was tried yet.")


def experiments_together(workspace: Workspace) -> Table:
    """Return what the runs of each strategy say together: allow, warn or block."""
    found = analyse(Experiments(workspace).rows(), workspace.config.research.analysis)
    return ANALYSES.table("By strategy", found, empty="Nothing was tried yet.")
