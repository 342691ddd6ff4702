"""The start of a live run in small size, as far as it can ever go: the whole checklist, two people, and a locked gate.

There is nothing behind the gate. The runbook rehearses the handbook's procedure and leaves the go/no-go document; whatever
is decided in it, planning a live session raises :class:`LiveModeNotAllowedError`, and no broker could send its orders.

Source: operational runbooks 3.2, 3.3 and 11.2.
"""

from __future__ import annotations

from pathlib import Path

from peaktrade_core.base.clock import both
from peaktrade_core.base.errors import PeaktradeError
from peaktrade_core.base.files import write_atomic
from peaktrade_core.base.question import FAIL
from peaktrade_core.control.tables import workspace_state
from peaktrade_core.desk.contacts import contacts_table
from peaktrade_core.desk.readiness import ready_checks
from peaktrade_core.halts.account import Account
from peaktrade_core.halts.scope import Scope
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.runbooks import evidence as ev
from peaktrade_core.runbooks.page import ticked
from peaktrade_core.runbooks.runbook import Prompt, Runbook
from peaktrade_core.session.planning import plan_session
from peaktrade_core.show import wording
from peaktrade_core.show.table import MID, Cell, Table, markdown_cell
from peaktrade_core.trading.risk import Limits
from peaktrade_core.workspace.papers import enter_papers
from peaktrade_core.workspace.workspace import Workspace

GATE = "gate"
FOLDER = Path("reports") / "checklists"
_DECISION, _DOCUMENT = "go_no_go", "document"
_RISING = ("max_order_notional", "max_symbol_exposure_notional", "max_total_exposure_notional", "max_open_positions")
_LOSSES = ("max_daily_loss_abs", "max_daily_loss_pct", "max_drawdown_halt_pct")


class LiveStartRunbook(Runbook):
    """The start of a live run in small size, rehearsed up to its locked gate."""

    def stands(self) -> Table:
        """Return how things stand in the workspace."""
        return workspace_state(self.workspace)

    def both(self) -> Prompt:
        """Ask whether both people are here: the owner, and a second one whose name is in ``second_person``."""
        yes = ev.Option(key="yes", label="Both are here", authority="live")
        no = ev.Option(key="no", label="No", meaning="then this is a rehearsal by one", status=FAIL, supported=None)
        return self.ask("both_present", "Are the owner and a second person here, both of them?", (yes, no))

    def checklist(self) -> Table:
        """Record the checklist from testnet to live, without what this runbook does itself: two people's go, and the gate."""
        found = ready_checks(self.workspace, "live", self.given.symbol)
        checks = [one for one in found if one.id not in (GATE, "two_people")]
        return self.check("checklist", "Is the checklist from testnet to live complete?", checks)

    def tests_green(self) -> Prompt | Table:
        """Ask for the test suite."""
        return self._needed("tests_green", "Is the whole test suite green on this very version (CI, or `make test`)?")

    def keys_stored(self) -> Prompt | Table:
        """Ask where the production keys are."""
        text = "Are the production keys kept safe, out of reach of this machine, its logs and its shell history?"
        return self._needed("keys_stored", text)

    def people(self) -> Table:
        """Return who is called in an emergency."""
        return contacts_table(self.workspace)

    def contacts(self) -> Prompt | Table:
        """Ask for the emergency contacts."""
        text = "Did owner and risk officer answer today under the numbers above?"
        return self._needed("contacts", text)

    def limits(self) -> Table:
        """Return the risk limits that hold, beside those that were shipped, which are the largest for a first run."""
        ours, shipped = self.workspace.config.limits._asdict(), Limits()._asdict()
        rows = [
            (
                name,
                f"{ours[name]:g}",
                f"{shipped[name]:g}",
                Cell("▲ above", MID) if ours[name] > shipped[name] else "✓ not above",
            )
            for name in (*_RISING, *_LOSSES)
        ]
        columns = ("Limit", "Ours", "Shipped", "Conservative?")
        note = "Notionals and absolute losses in quote currency, percentages of equity. Change them only in config/config.toml."
        return Table("Risk limits", columns, rows, numbers=(1, 2), note=note)

    def limits_reviewed(self) -> Prompt | Table:
        """Ask whether both have read the limits."""
        text = "Have both of you read the limits above, and are they conservative?"
        return self._needed("limits_reviewed", text)

    def preview(self) -> Table:
        """Return what a shadow session of this strategy would order now, judged by every limit; nothing is sent."""
        return preview_table(self.workspace, self.given.strategy, self.given.symbol)

    def preview_sensible(self) -> Prompt | Table:
        """Ask whether the order is the one that was expected."""
        return self._needed("preview_sensible", "Is the order above what you expected, in side and size?")

    def go(self) -> Prompt:
        """Ask for the decision, go or no-go, with what the checklist and the answers so far support."""
        steps = [step for step in self.round.record.steps if step.id != _DECISION]
        bad = [step for step in steps if step.status in (FAIL, ev.OPEN)]
        go = ev.Option(key="go", label="Go", meaning="the gate decides", supported=not bad, authority="live")
        stay = ev.Option(key="no_go", label="No-go", meaning="stay in testnet", stops=True, supported=bool(bad))
        text = f"Go or no-go? {len(bad)} of {len(steps)} steps speak against it."
        return self.ask(_DECISION, text, (go, stay), reason=True)

    def gate(self) -> Table:
        """Record whether a live session may start, which is tried, and refused."""
        checks = [one for one in ready_checks(self.workspace, "live") if one.id == GATE]
        return self.check("gate", "May a live session start?", checks)

    def document(self) -> Table:
        """Write the go/no-go document as a step and return where it is."""
        path, home = self._path(), self.workspace.home

        def write() -> str:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, document(self.round.record, self.second_person).encode())
            enter_papers(self.workspace, path)
            return f"{path.relative_to(home).as_posix()}: {_verdict(self.round.record)}"

        return self.act(_DOCUMENT, "Write the go/no-go document", write)

    def files(self) -> tuple[Path, ...]:
        """Return the document and the configuration that was decided about."""
        return self._path(), self.workspace.config_path

    def _path(self) -> Path:
        """Return the go/no-go document of this execution."""
        return self.workspace.home / FOLDER / f"{self.round.id}_go_no_go.md"

    def _needed(self, step_id: str, text: str) -> Prompt | Table:
        """Ask what always applies."""
        return self.confirm(step_id, text, needed=True)


def preview_table(workspace: Workspace, strategy: str, symbol: str) -> Table:
    """Return what a shadow session of this strategy would order now, judged by every limit; nothing is sent."""
    from peaktrade_core.research.preview import preview

    title = "What it would order now (shadow; nothing is sent)"
    try:
        plan = plan_session(workspace, mode="shadow", strategy=strategy or None, symbol=symbol or None)
        scope = Scope.of(plan.mode, plan.config.strategy_name, plan.config.symbol)
        found = preview(plan, TradingStates.of(workspace).in_force(scope), Account.of(workspace).check)
    except PeaktradeError as error:
        return Table(title, (), [], empty=f"Cannot be said: {error}")
    currency = wording.quote_currency(found.symbol)
    side = "nothing" if found.qty is None else "buy" if found.qty > 0 else "sell"
    size = "" if found.qty is None else f" {abs(found.qty):.8g}, {wording.money(found.notional, currency)}"
    denied = f" {found.code}" if found.code else ""
    rows = [
        ("Strategy", f"{found.strategy} on {found.symbol}"),
        (
            "Decides",
            f"{wording.moment(found.ts)} UTC, close {wording.price(found.price, currency)}, {wording.many(found.bars, 'bar')}",
        ),
        ("Signal", {1.0: "+1, long", -1.0: "−1, short", 0.0: "0, flat"}.get(found.signal, f"{found.signal:g}")),
        ("Order", f"{side}{size}"),
        ("Risk", f"{found.verdict}{denied}"),
        ("Trading state", found.state),
    ]
    return Table(title, ("", ""), rows)


def document(record: ev.Evidence, second_person: str) -> str:
    """Return the go/no-go document in markdown: who, every line of the checklist, the decision and the gate."""
    lines = [
        f"# Go/no-go: live start, small size ({record.evidence_id})",
        "",
        f"**{_verdict(record)}**",
        "",
        f"- Owner: {markdown_cell(record.operator)} ({record.role})",
        f"- Second person: {markdown_cell(second_person or 'none named')}",
        f"- Begun: {both(record.began_at)}",
        f"- Kind: {'rehearsal on a fixed clock' if record.rehearsal else 'operations'}",
    ]
    return "\n".join([*lines, *ticked(record, without=_DOCUMENT)]) + "\n"


def _verdict(record: ev.Evidence) -> str:
    """Return in a sentence how it stands; it is locked in every case."""
    step = record.step(_DECISION)
    answer = step.answer if step else None
    chosen = answer.key if answer else ""
    go = f"Two people said go: {answer.by} with {answer.agreed}" if answer else ""
    said = {"go": markdown_cell(go), "no_go": "Decided: no-go"}.get(chosen, "Not decided")
    return f"LOCKED. {said}; no live session can be started with this program."
