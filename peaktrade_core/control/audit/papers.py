"""What the ledger proves of papers: reports, pages of evidence, copies, research; and of the files that follow from a log.

Nothing is written here.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from peaktrade_core.alerts.alerts import SEVERITIES
from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.alerts.log import LOG, RunLine, run_lines
from peaktrade_core.base.files import sha256_of
from peaktrade_core.base.log import whole_lines
from peaktrade_core.base.question import FAIL, PASS, WARN, Found, Status, question
from peaktrade_core.show.wording import first_of
from peaktrade_core.workspace.ledger import Ledger
from peaktrade_core.workspace.papers import GONE
from peaktrade_core.workspace.papers import papers as entered
from peaktrade_core.workspace.workspace import Workspace

SHOWN = 5  # names in a sentence
PAPERS = (  # where papers lie, below reports; what of it no entry knows is counted
    "daily/*", "yearly/*", "weekly/*", "sessions/*", "runbooks/*", "checklists/*", "live/status_*", "evidence/*.html",
    "evidence/*/*", "incidents/*/artefacts/*", "experiments/*s/bt_*", "experiments/*s/*/*.json",
)  # fmt: skip
Fault = tuple[str, str]  # name, and what is wrong


@question("papers", "Is every report, page, copy and research record as it was written?", "Restore it from a backup.")
def papers(place: Workspace) -> Found:
    """Compare each paper with the ledger: one that was changed fails, one that is gone warns."""
    faults, known = list(paper_faults(place)), entered(Ledger.of(place))
    changed = [name for name, what in faults if what != "gone"]
    told = [_named(changed, "changed"), _named([name for name, what in faults if what == "gone"], "gone")]
    found = (path for form in PAPERS for path in place.reports.glob(form))
    never = sum(path.is_file() and path.relative_to(place.home).as_posix() not in known for path in found)
    told.append(f"{never:,} were never entered" if never else "")
    held = sum(digest != GONE for digest in known.values()) - len(faults)
    status: Status = FAIL if changed else WARN if faults else PASS
    return status, "; ".join(filter(None, (*told, f"{held:,} as they were written")))


@question(
    "run_alerts", "Do the alerts of each run stand in the alert log?", "Delete that file; the watcher writes it anew."
)
def run_alerts(place: Workspace) -> Found:
    """Compare the ``alerts.jsonl`` of each run with the alert log, from which it follows: what it holds stood there before."""
    folders = {path.parent.name: path for path in place.runs.glob(f"*/{LOG}")}
    held = {run_id: whole_lines(path) for run_id, path in folders.items()}
    log = Alerts.of(place).log
    lines: dict[str, list[RunLine]] = {}
    for line in run_lines(log.changes(), log.refresh()):
        lines.setdefault(line.run_id, []).append(line)
    wrong, late = [], []
    for run_id in sorted({*lines, *folders}):
        if not (place.runs / run_id).is_dir():
            continue
        odd, missing = _beside(held.get(run_id, []), lines.get(run_id, []))
        wrong += [run_id] if odd else []
        late += [run_id] if missing and not odd else []
    parts = (
        _named(wrong, "says something else than the alert log"),
        _named(late, "lacks lines, or has them in another order"),
    )
    told = "; ".join(filter(None, parts))
    return FAIL if wrong else WARN if late else PASS, told or f"{len(folders):,} follow from the alert log"


def paper_faults(place: Workspace) -> Iterator[Fault]:
    """Yield each paper that is not as it was entered last, and what is wrong; one that is written anew meanwhile is not.

    Raises:
        ArtefactError: the ledger is broken; EnvironmentFault: it cannot be read.
    """
    ledger = Ledger.of(place)
    odd = [name for name, digest in entered(ledger).items() if digest not in (GONE, sha256_of(place.home / name))]
    now = entered(ledger) if odd else {}
    for name in odd:
        found = sha256_of(place.home / name)
        if now[name] not in (GONE, found):
            yield name, "gone" if found == "missing" else "changed"


def _beside(there: list[bytes], wanted: list[RunLine]) -> tuple[bool, bool]:
    """Return whether a line is there that must not be, and whether one is missing.

    How severe an alert was when it cleared is not kept in the log, so a line says that itself.
    """
    known = {line.seq: line for line in wanted}
    seen = set()
    for text in there:
        try:
            line = msgspec.json.decode(text, type=RunLine)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return True, False
        must = known.get(line.seq)
        if must is not None and must.state == "cleared" and line.severity in SEVERITIES:
            must = msgspec.structs.replace(must, severity=line.severity)
        if must is None or msgspec.json.encode(must) != text or line.seq in seen:
            return True, False
        seen.add(line.seq)
    numbers = [msgspec.json.decode(text, type=RunLine).seq for text in there]
    return False, len(seen) < len(known) or numbers != sorted(numbers)


def _named(names: list[str], what: str) -> str:
    """Return some names with what is wrong with them, empty for none."""
    return f"{first_of(names, SHOWN)}: {what}" if names else ""
