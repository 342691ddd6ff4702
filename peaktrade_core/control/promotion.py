"""What a strategy needs before it may run: a verdict, one look at the hold-out, a go/no-go document, two people.

From ``r_and_d`` or ``legacy`` to ``aux``; from there to ``core`` also shadow sessions that did what their backtests say.
Nothing here changes a strategy: a promotion is a line in a chained log, and belongs to the code that was judged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from peaktrade_core.base.errors import ConfigError, UnknownNameError
from peaktrade_core.base.people import same_person
from peaktrade_core.base.question import FAIL, PASS, WARN, Check, Found, Question, Status, answers, question
from peaktrade_core.changes.code import code_digest
from peaktrade_core.people.approval import Approval
from peaktrade_core.people.approvals import Approvals
from peaktrade_core.records.registry import Query
from peaktrade_core.research.divergence_session import compare_session
from peaktrade_core.research.trials.holdout import HoldOut
from peaktrade_core.research.trials.sweep import SweepRecord, SweepStore
from peaktrade_core.research.trials.trial import Trial, decided
from peaktrade_core.research.trials.verdict import told
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.by_hand import countersignatures
from peaktrade_core.runbooks.evidence import Evidence
from peaktrade_core.runbooks.index import SEALED, evidence_rows
from peaktrade_core.runs.views import Views
from peaktrade_core.session.identity import decision_id
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.tiers import Promotion, Promotions
from peaktrade_core.show.wording import many
from peaktrade_core.trading.strategies import AUX, CORE, TIERS, Strategy, get_strategy
from peaktrade_core.workspace.workspace import Workspace

STEPS = {AUX: TIERS[2:], CORE: (AUX,)}  # the tiers from which one comes to another
_MOST_SESSIONS = 50  # newest shadow sessions among which those that agree are looked for


class Opened(NamedTuple):
    """A trial of the strategy that was run on the hold-out: its sweep, itself, and how often its market was opened."""

    name: str
    sweep: SweepRecord
    trial: Trial
    own: int
    others: int


class Candidate:
    """A strategy that is to be promoted, and what was found for it in the workspace; looked up once."""

    def __init__(self, workspace: Workspace, strategy: Strategy, to: str) -> None:
        self.workspace, self.strategy, self.to = workspace, strategy, to
        self._opened: Opened | None = None

    def opened(self) -> Opened | None:
        """Return the trial of the strategy that was run last on a hold-out, None where there is none."""
        store = SweepStore(self.workspace)
        ids = set(store.ids())
        markets = [held.openings for held in ([] if self._opened else HoldOut(self.workspace).status())]
        found = [([one for one in every if self._is_of(store, ids, one.trial)], every) for every in markets]
        own, every = max((pair for pair in found if pair[0]), key=lambda pair: pair[0][-1].at, default=([], ()))
        if own:
            sweep, trial = store.load(own[-1].trial.partition("#")[0]), store.trial(own[-1].trial)
            self._opened = Opened(own[-1].trial, sweep, trial, len(own), len(every) - len(own))
        return self._opened

    def _is_of(self, store: SweepStore, ids: set[str], trial: str) -> bool:
        sweep_id = trial.partition("#")[0]
        return sweep_id in ids and store.load(sweep_id).sweep.strategy == self.strategy.name

    def document(self) -> Evidence | None:
        """Return the newest go/no-go document about the strategy: evidence entered by hand, sealed, with a file."""
        book = EvidenceBook.of(self.workspace)
        rows = evidence_rows(book, subject=self.strategy.name)
        records = [book.load(row.evidence_id) for row in rows if row.state == SEALED and not row.rehearsal]
        return next((one for one in records if one.artefacts), None)

    def agreeing(self) -> tuple[list[str], list[str]]:
        """Return the ids of shadow sessions of this code over recorded or real bars: with no rest, and with one."""
        rows = Views.of(self.workspace).rows(
            Query(mode="shadow", strategy=self.strategy.name, status="completed", limit=_MOST_SESSIONS)
        )
        good: list[str] = []
        bad: list[str] = []
        for row in rows:
            if row.counted and row.feed != "synthetic":
                explained = compare_session(self.workspace, row.run_id).explained
                (good if explained else bad).append(row.run_id)
        return good, bad


@question("step", "Is it a step of one tier?", "r_and_d and legacy go to aux, aux goes to core.")
def step(one: Candidate) -> Found:
    """Compare the tier that holds with the wanted one."""
    now = Promotions(one.workspace).tier(one.strategy)
    return now in STEPS[one.to], f"{one.strategy.name} is {now}"


@question("verdict", "Does a sweep of this very code speak for it?", "`peaktrade sweep run`, and take its best trial.")
def verdict(one: Candidate) -> Found:
    """Look at the verdict of the sweep whose trial was opened, and whether the code is still that of the trial."""
    found = one.opened()
    if found is None:
        return False, "none of its trials was run on a hold-out"
    sweep, trial = found.sweep, found.trial
    plan = plan_session(one.workspace, **sweep.asked.wishes())
    if decision_id(decided(plan.decision, trial.params)) != trial.decision_id:
        return False, f"{found.name}: code, costs or limits are others by now", "Run the sweep again with this code."
    if sweep.best != trial.number:
        return False, f"{found.name} is not the best trial of its sweep"
    against = any(check.status == FAIL for check in sweep.verdict)
    return not against and bool(sweep.verdict), f"{found.name}: {told(sweep.verdict)}"


@question("holdout", "Was the hold-out opened for it, once?", "`peaktrade holdout open SWEEP#TRIAL --by … --reason …`.")
def opened_once(one: Candidate) -> Found:
    """Count the openings of the market."""
    found = one.opened()
    if found is None:
        return False, "never"
    times = f"{found.name} on {found.sweep.asked.symbol or 'its market'}, opened {many(found.own, 'time')} for it"
    others = f", {many(found.others, 'time')} for other strategies" if found.others else ""
    status: Status = FAIL if found.own > 1 else WARN if found.others else PASS
    return (
        status,
        times + others,
        "What was seen twice is not unseen: wait for new candles, or say why in the document.",
    )


@question(
    "document",
    "Is there a go/no-go document about it?",
    "`peaktrade evidence add --tag GO-NAME --text … --by … --about STRATEGY FILE`.",
)
def documented(one: Candidate) -> Found:
    """Look for evidence about the strategy, with a file."""
    found = one.document()
    return found is not None, f"{found.evidence_id} by {found.operator}" if found else f"none about {one.strategy.name}"


@question("two_people", "Did a second person confirm it?", "`peaktrade evidence countersign EV-… --by …`.")
def two_people(one: Candidate) -> Found:
    """Look for a countersignature; where people have keys, two sign the promotion itself."""
    found = one.document()
    if Approvals.of(one.workspace).keyed():
        return True, "two people sign the promotion itself"
    second = _second(one, found) if found else ""
    told = Approval(people=(found.operator, second)).told if found and second else "it is not countersigned"
    return bool(second), told


@question(
    "sessions", "Did its shadow sessions do what their backtests say?", "`peaktrade session diff` says what differs."
)
def sessions(one: Candidate) -> Found:
    """Count shadow sessions over recorded or real bars whose difference from the backtest has no rest."""
    least = one.workspace.config.research.promotion_sessions
    good, bad = one.agreeing()
    said = f"{len(good)} agree, {len(bad)} do not; at least {least} are needed, none may differ"
    return len(good) >= least and not bad, said


_ALWAYS: tuple[Question[Candidate], ...] = (step, verdict, opened_once, documented, two_people)
NEEDED: dict[str, tuple[Question[Candidate], ...]] = {AUX: _ALWAYS, CORE: (*_ALWAYS, sessions)}


def next_tier(tier: str) -> str | None:
    """Return the tier that comes after one, None after the last."""
    return next((to for to, before in STEPS.items() if tier in before), None)


def promotion_checks(workspace: Workspace, name: str, to: str) -> list[Check]:
    """Return whether a strategy has what a tier needs.

    Raises:
        UnknownNameError: no such strategy, or no tier that one is promoted to.
    """
    return answers(NEEDED[_wanted(to)], Candidate(workspace, get_strategy(name), to))


def promote(workspace: Workspace, name: str, to: str, *, by: str) -> tuple[list[Check], Promotion | None]:
    """Promote a strategy where nothing is missing; return the answers, and the promotion where there is one.

    Args:
        workspace, name, to: which strategy to which tier; by: who does it, without keys one of the two of the document.

    Raises:
        WaitsForApproval: nothing is missing, and two people must sign it; it was asked for.
        ConfigError: no name, or one that is not of those two; UnknownNameError: as :func:`promotion_checks`.
        ArtefactError, EnvironmentFault: the log is broken or cannot be written.
    """
    one = Candidate(workspace, get_strategy(name), _wanted(to))
    found = answers(NEEDED[to], one)
    opened, document = one.opened(), one.document()
    if any(check.status == FAIL for check in found) or opened is None or document is None:
        return found, None
    if Approvals.of(workspace).keyed():
        made = _signed(one, opened, document, by)
        return found, made
    second = _second(one, document)
    if not any(same_person(by, known) for known in (document.operator, second)):
        raise ConfigError(
            f"{by} is neither of the two who signed {document.evidence_id}: {document.operator}, {second}"
        )
    return found, _promoted(one, opened, document, (document.operator, second))


def _signed(one: Candidate, opened: Opened, document: Evidence, by: str) -> Promotion:
    """Promote a strategy once two people have signed that, with this code and this document."""
    sealed = EvidenceBook.of(one.workspace).chain.sealed()[document.evidence_id]
    told = (one.strategy.name, one.to, code_digest(one.strategy), opened.name, sealed)
    binds = hashlib.sha256("\0".join(told).encode()).hexdigest()
    about = f"{one.strategy.name} to {one.to}, {opened.name}, {document.evidence_id}"
    reason = document.title or document.evidence_id
    made = Approvals.of(one.workspace).require("promotion", about, binds, by=by, reason=reason)
    return _promoted(one, opened, document, made.people, made.request)


def _promoted(
    one: Candidate, opened: Opened, document: Evidence, people: Sequence[str], request: str = ""
) -> Promotion:
    """Write a promotion down and return it."""
    made = Promotion(
        strategy=one.strategy.name, before=Promotions(one.workspace).tier(one.strategy), to=one.to,
        code=code_digest(one.strategy), trial=opened.name, evidence=document.evidence_id, by=people[0],
        second=" and ".join(people[1:]), at=one.workspace.clock.now(), request=request,
        sessions=tuple(one.agreeing()[0]) if one.to == CORE else (),
    )  # fmt: skip
    Promotions(one.workspace).add(made)
    return made


def _wanted(to: str) -> str:
    if to not in NEEDED:
        raise UnknownNameError("tier to promote to", to, list(NEEDED))
    return to


def _second(one: Candidate, document: Evidence) -> str:
    """Return who countersigned a document, empty where nobody did."""
    signed = countersignatures(EvidenceBook.of(one.workspace), document.evidence_id)
    return next((sign.by for sign in signed if not same_person(sign.by, document.operator)), "")
