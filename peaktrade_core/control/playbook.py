"""Runbooks of research: one backtest, and the playbook of research and development.

Questions of method before, what speaks against the result after, and a decision that is kept with it. What is tried is
tried as everywhere: counted before it runs, without what is held back, judged before its curve is seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import msgspec

from peaktrade_core.base.question import PASS, WARN, answers
from peaktrade_core.candles.store import stored_folder
from peaktrade_core.control.method import AFTER, BEFORE, Setup
from peaktrade_core.desk.session_run import ask_to_start
from peaktrade_core.research.cells import settings_in, sweep_counts, sweep_map, sweep_of, sweep_trials
from peaktrade_core.research.experiments.analysis import analyse
from peaktrade_core.research.experiments.notes import ExperimentNotes
from peaktrade_core.research.experiments.page import ShownExperiment, curve
from peaktrade_core.research.experiments.page import shown as look_at
from peaktrade_core.research.experiments.rows import SWEEP, ExperimentQuery, Experiments
from peaktrade_core.research.experiments.tables import ANALYSES, EXPERIMENTS
from peaktrade_core.research.trials.ranking import BEST
from peaktrade_core.research.trials.recorded import backtest_and_keep
from peaktrade_core.research.trials.sweep import Prepared, SweepRecord, SweepStore, prepare, run_sweep
from peaktrade_core.research.trials.verdict import told
from peaktrade_core.runbooks.evidence import Option
from peaktrade_core.runbooks.notebook_tables import plan_table
from peaktrade_core.runbooks.runbook import Prompt, Runbook
from peaktrade_core.runs.columns import metric_figures
from peaktrade_core.runs.trades import statistics_table
from peaktrade_core.session.options import moment_given, parse_params
from peaktrade_core.session.plan import Plan
from peaktrade_core.session.planning import plan_session
from peaktrade_core.show import wording
from peaktrade_core.show.chart import Chart
from peaktrade_core.show.checklist import check_table
from peaktrade_core.show.table import Table
from peaktrade_core.workspace.workspace import Workspace

_RUN = "run"
NOT_RUN = "Nothing was tried, so there is nothing to see here."
DROP, AGAIN, OPEN = "drop", "again", "open"


class ResearchRunbook(Runbook):
    """What runbooks of research share: questions before, one try, questions after, and a decision that is noted with it."""

    _shown: ShownExperiment | None = None

    @classmethod
    def about(cls, workspace: Workspace, given: SimpleNamespace) -> str:
        """Return the strategy: a go/no-go document about it finds this evidence."""
        del workspace
        return str(given.strategy)

    @property
    def setup(self) -> Setup:
        """What is tried."""
        step = self.round.record.step(_RUN)
        own = self.given
        tried = step.result.split()[0] if step is not None and step.status == PASS else ""
        return Setup(self.workspace, own.strategy, own.symbol, own.timeframe, own.question, tried)

    def before(self) -> Table:
        """Record whether it is set up as research should be."""
        return self.check("before", "Is it set up as research should be?", answers(BEFORE, self.setup))

    def start(self) -> Prompt | Table:
        """Ask whether to begin, unless every answer so far is good."""
        return ask_to_start(self, "before")

    def run(self) -> Table:
        """Try it as a step, once; taken up again, it shows what was tried.

        Raises:
            StepOpenError: a person steps through and has not decided yet.
        """
        self.round.require_answers(_RUN)
        if not (self.spared("start") or self.chose("start", "yes")):
            return self._nothing("Try it")
        return self.act(_RUN, "Try it", self._try)

    def _try(self) -> str:
        """Run what is to be tried and return its id, and what a person should know of it."""
        raise NotImplementedError

    def found(self) -> ShownExperiment | None:
        """Return what was tried, None where nothing was."""
        if self._shown is None and self.setup.tried:
            self._shown = look_at(self.workspace, self.setup.tried)
        return self._shown

    def verdict(self) -> Table:
        """Return what speaks against it: a no is a result, and no failure of the runbook."""
        found, title = self.found(), "What speaks against it?"
        return check_table(found.checks, f"{title} {told(found.checks)}") if found else self._nothing(title)

    def figure(self) -> Chart | Table:
        """Return equity by day, with what is held back shaded."""
        found = self.found()
        return (curve(found) if found else None) or self._nothing("Equity")

    def after(self) -> Table:
        """Record whether it was tried as it should be."""
        title = "Was it tried as research should be?"
        return self.check("after", title, answers(AFTER, self.setup)) if self.setup.tried else self._nothing(title)

    def together(self) -> Table:
        """Return what all runs of the strategy say together."""
        rows = Experiments(self.workspace).rows(ExperimentQuery(strategy=self.given.strategy))
        found = analyse(rows, self.workspace.config.research.analysis)
        return ANALYSES.table("All its runs together", found, empty="No run of it has figures.")

    def decide(self) -> Prompt | Table:
        """Ask what follows, with the answer that the verdict supports."""
        found = self.found()
        if found is None:
            return self.spare("decide", "What follows?", NOT_RUN)
        return self.ask(
            "decide", "What follows?", self._ways(found, against=found.row.against is not False), reason=True
        )

    @staticmethod
    def _ways(found: ShownExperiment, *, against: bool) -> Sequence[Option]:
        """Return what may follow, with a look at what is held back where a trial can have one."""
        ways = [
            Option(key=DROP, label="Drop it", meaning="it is noted, and stays counted", supported=against),
            Option(key=AGAIN, label="Try something else", meaning="one more try that counts", status=WARN),
        ]
        if found.row.run_type == SWEEP and found.row.best is not None:
            look = f"peaktrade holdout open {found.row.id}#{found.row.best} --by … --reason …"
            label = "Look at what is held back, once"
            ways.append(
                Option(key=OPEN, label=label, meaning=look, status=WARN if against else PASS, supported=not against)
            )
        return ways

    def noted(self) -> Table:
        """Write the decision to what was tried, as a step."""
        step = self.round.record.step("decide")
        if step is None or step.answer is None:
            return self._nothing("Keep the decision with it")
        answer, tried = step.answer, self.setup.tried

        def note() -> str:
            text = f"{answer.key} by {answer.by}: {answer.reason} ({self.round.id})"
            ExperimentNotes(self.workspace).add(tried, text, (answer.key,))
            return f"{tried}: {text}"

        return self.act("noted", "Keep the decision with it", note)

    def files(self) -> Sequence[Path]:
        """Return the record of what was tried."""
        row = self.found()
        if row is None:
            return ()
        store = Experiments(self.workspace)
        return ((store.sweeps if row.row.run_type == SWEEP else store.backtests).path(row.row.id),)

    @staticmethod
    def _nothing(title: str) -> Table:
        return Table(title, (), [], empty=NOT_RUN)


class BacktestRunbook(ResearchRunbook):
    """One strategy with given parameters over stored candles."""

    def plan(self) -> Table:
        """Return what would run; nothing is counted yet."""
        return plan_table(self._planned())

    def _planned(self) -> Plan:
        own = self.given
        return plan_session(
            self.workspace, strategy=own.strategy, symbol=own.symbol, timeframe=own.timeframe, notes=own.question,
            params=parse_params(tuple(settings_in(own.params))), warmup_candles=own.warmup_candles,
            candles=str(stored_folder(self.workspace, own.symbol, own.timeframe)),
        )  # fmt: skip

    def _try(self) -> str:
        begin, end = moment_given("since", self.given.since or None), moment_given("until", self.given.until or None)
        made = backtest_and_keep(self.workspace, self._planned(), begin=begin, end=end)
        record = made.record
        trips = wording.many(record.figures.trades, "round trip")
        return f"{record.backtest_id} {wording.many(record.bars, 'bar')}, {trips}; {told(record.verdict)}"

    def figures(self) -> Table:
        """Return what it brought."""
        if not self.setup.tried:
            return self._nothing("What it brought")
        record = Experiments(self.workspace).backtests.load(self.setup.tried)
        currency = wording.quote_currency(record.config.symbol)
        return Table.pairs(dict(metric_figures(msgspec.to_builtins(record.metrics), currency)), "What it brought")

    def statistics(self) -> Table:
        """Return its statistics with their definitions."""
        if not self.setup.tried:
            return self._nothing("Statistics")
        record = Experiments(self.workspace).backtests.load(self.setup.tried)
        return statistics_table(record.statistics, wording.quote_currency(record.config.symbol), "Statistics")


class PlaybookRunbook(ResearchRunbook):
    """The playbook of research and development: a strategy that may not run yet, over a grid."""

    def plan(self) -> Table:
        """Return what would be tried; nothing is counted yet."""
        ready = self._prepared()
        pairs = {
            "Trials": f"{ready.plan.trials:,}", "Bars that may be read": f"{len(ready.bars):,}",
            "Bars held back": f"{ready.held:,}", "Shuffled markets": f"{ready.sweep.null.shuffles:,}",
            "Windows of the walk-forward": f"{ready.sweep.walk_forward.windows:,}",
        }  # fmt: skip
        return Table.pairs(pairs, "This is what will be tried. Nothing was counted yet.")

    def _prepared(self) -> Prepared:
        own = self.given
        asked_for = sweep_of(
            self.workspace,
            own.strategy,
            own.symbol,
            own.timeframe,
            own.grid,
            own.question,
            own.least_trades,
            own.shuffles,
        )
        return prepare(self.workspace, asked_for)

    def _try(self) -> str:
        record = run_sweep(self.workspace, self._prepared())
        return f"{record.sweep_id} {wording.many(record.trials, 'trial')}; {told(record.verdict)}"

    def _record(self) -> SweepRecord | None:
        return SweepStore(self.workspace).load(self.setup.tried) if self.setup.tried else None

    def counts(self) -> Table:
        """Return what was counted, read and left alone."""
        record = self._record()
        return sweep_counts(record) if record else self._nothing("Counted")

    def map(self) -> Table:
        """Return the grid as a map: a plateau, or one lucky point."""
        record = self._record()
        return sweep_map(self.workspace, record) if record else self._nothing("Map")

    def trials(self) -> Table:
        """Return the best trials."""
        record = self._record()
        return sweep_trials(self.workspace, record) if record else self._nothing("Best trials")

    def earlier(self) -> Table:
        """Return what was tried of the strategy before."""
        rows = Experiments(self.workspace).rows(ExperimentQuery(strategy=self.given.strategy, limit=BEST))
        shown = "asked type market trials verdict"
        return EXPERIMENTS.table("Tried before", rows, shown, empty="Nothing was tried yet.")
