"""Proposing a change: settings or edited files become texts, which are validated, and what speaks for them is looked up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from peaktrade_core.alerts.engine import load_alert_settings
from peaktrade_core.base.errors import ConfigError, PeaktradeError, why
from peaktrade_core.base.files import read_plain
from peaktrade_core.changes.book import Changes
from peaktrade_core.changes.change import Change
from peaktrade_core.changes.edit import BY_FILE, value_of, with_value
from peaktrade_core.changes.governed import ALERTS_FILE, CONFIG_FILE, FILES, JOBS_FILE, staged, texts
from peaktrade_core.changes.keys import ALERTS, EVIDENCE, SCHEDULE, KeyChange, ruling
from peaktrade_core.research.over_sessions.limits import LimitSweep, sweep_limits
from peaktrade_core.research.trials.sweep import SweepStore
from peaktrade_core.research.trials.verdict import told
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.index import SEALED, evidence_rows
from peaktrade_core.schedule.job_kinds import job_kinds
from peaktrade_core.schedule.schedule import read_jobs
from peaktrade_core.show import wording
from peaktrade_core.workspace.workspace import Workspace

SWEEP_DAYS = 30.0  # sessions that new limits are tried on
_LIMIT = "live_risk."


def propose(
    workspace: Workspace,
    settings: Sequence[str],
    files: Sequence[str],
    *,
    by: str,
    reason: str,
    evidence: Sequence[str] = (),
    as_it_is: bool = False,
) -> Change:
    """Propose a change and return it; who has keys is asked to sign it.

    Args:
        settings: ``KEY=VALUE`` each; files: edited files, ``FILE`` or ``NAME=FILE``; as_it_is: what is on the disk now.
        by, reason: who proposes it, and why; evidence: ids of evidence and sweeps that speak for it.

    Raises:
        ConfigError: nothing is to change, something is not sound, or required evidence lacks; says what to do.
        ArtefactError, EnvironmentFault: the ledger is broken or cannot be written.
    """
    if as_it_is and (settings or files):
        raise ConfigError("--as-it-is proposes what is on the disk; give neither settings nor files with it")
    if not (settings or files or as_it_is):
        raise ConfigError("say what to change: KEY=VALUE, --file FILE, or --as-it-is for what is on the disk already")
    held = texts(workspace)
    wanted = with_settings({**held, **_read(files)}, settings)
    validate(workspace, {name: data for name, data in wanted.items() if data != held[name]})
    edits = {} if as_it_is else {name: data for name, data in wanted.items() if data != held[name]}
    return Changes.of(workspace).propose(edits, by, reason, lambda items: evidence_for(workspace, items, evidence))


def _read(files: Sequence[str]) -> dict[str, bytes]:
    """Return the texts of edited files under the names that they are to have.

    Raises:
        ConfigError: one cannot be read, or nobody can tell which file it is to be.
    """
    found = {}
    for given in files:
        name, equals, rest = given.partition("=")
        path = Path(rest if equals and name in FILES else given).expanduser()
        name = name if equals and name in FILES else path.name
        if name not in FILES:
            raise ConfigError(f"{given} could be any file; say which: {', '.join(f'{one}=FILE' for one in FILES)}")
        try:
            found[name] = read_plain(path)
        except OSError as error:
            raise ConfigError(f"cannot read {path}: {why(error)}") from None
    return found


def with_settings(files: Mapping[str, bytes | None], settings: Iterable[str]) -> dict[str, bytes | None]:
    """Return the texts of files in which settings have other values.

    Raises:
        ConfigError: one is not KEY=VALUE, has no place, or its file is not there.
    """
    found, seen = dict(files), set[str]()
    for given in settings:
        key, equals, value = given.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"{given!r} must be KEY=VALUE, for example live_risk.max_order_notional=500")
        if key.strip() in seen:
            raise ConfigError(f"{key.strip()} is given twice; say once what it becomes")
        seen.add(key.strip())
        file, table, name, rule = _place(key.strip())
        data = found.get(file)
        if data is None:
            raise ConfigError(f"config/{file} is not there, so {key} cannot be set in it; {BY_FILE}")
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise ConfigError(f"config/{file} is not UTF-8; save it as UTF-8") from None
        found[file] = with_value(text, table, name, value_of(value.strip()), rule=rule).encode()
    return found


def _place(key: str) -> tuple[str, tuple[str, ...], str, str]:
    """Return the file, table, name and rule of a key."""
    prefixes = ((ALERTS, ALERTS_FILE), (SCHEDULE, JOBS_FILE))
    file, rest = next(
        ((one, key.removeprefix(prefix)) for prefix, one in prefixes if key.startswith(prefix)), (CONFIG_FILE, key)
    )
    *table, name = rest.split(".")
    if file == ALERTS_FILE and table[:1] == ["rule"] and len(table) == 2:
        return file, (), name, table[1]
    return file, tuple(table), name, ""


def validate(workspace: Workspace, files: Mapping[str, bytes | None]) -> None:
    """Refuse alert rules and jobs that are not sound; ``config.toml`` is read with them when the change is proposed.

    Raises:
        ConfigError: says where.
    """
    with staged(workspace, files) as folder:
        for name, data in files.items():
            if data is None or name == CONFIG_FILE:
                continue
            path = folder / name
            load_alert_settings(path) if name == ALERTS_FILE else read_jobs(path, job_kinds(workspace))


def evidence_for(workspace: Workspace, items: Sequence[KeyChange], given: Sequence[str]) -> tuple[str, ...]:
    """Return what speaks for a change, a line each.

    New limits are tried on the sessions of the last days; what else is required is named.

    Args:
        workspace: where; items: the change; given: ids of evidence and sweeps.

    Raises:
        ConfigError: what is required lacks, or an id is of nothing that is whole.
    """
    found = [_named(workspace, one) for one in given]
    for need in ruling(items).needs:
        swept = _swept(workspace, items) if need == "sweep" else ""
        if swept:
            found.append(swept)
        elif not given:
            raise ConfigError(
                f"this needs {EVIDENCE[need]}" + (", and none ended in the last 30 days" if need == "sweep" else "")
                + ": name what speaks for it with --evidence (EV-… or SWP-…); "
                "`peaktrade evidence add` enters what was found by hand"
            )  # fmt: skip
    return tuple(found)


def _named(workspace: Workspace, name: str) -> str:
    """Return in a line what a piece of evidence says."""
    book, store = EvidenceBook.of(workspace), SweepStore(workspace)
    if name in store.ids():
        return f"{name}: {told(store.load(name).verdict)}"
    row = next((one for one in evidence_rows(book) if one.evidence_id == name), None)
    if row is None or row.state != SEALED:
        state = f"is {row.state}" if row else "is neither evidence nor a sweep"
        raise ConfigError(
            f"{name} {state}; `peaktrade evidence list` and `peaktrade experiments list` show what there is"
        )
    return f"{name}: {row.title}, by {row.operator}, sha256 {book.chain.sealed()[name][:12]}"


def _swept(workspace: Workspace, items: Sequence[KeyChange]) -> str:
    """Return in a line what recorded sessions would have done under new limits; empty where there is none to try them on."""
    values = {
        one.key.removeprefix(_LIMIT): [float(one.new)]
        for one in items
        if one.key.startswith(_LIMIT) and isinstance(one.new, (int, float))
    }
    try:
        found = sweep_limits(workspace, values, SWEEP_DAYS) if values else LimitSweep(rows=(), faults={})
    except PeaktradeError as error:
        raise ConfigError(f"the new limits could not be tried on recorded sessions: {error}") from None
    lines = [
        f"{wording.many(row.sessions, 'session')} in {row.currency}: {row.blocked} more blocked, {row.allowed} more allowed, "
        f"PnL {row.pnl:,.2f} → {row.pnl_with:,.2f}, drawdown {row.drawdown:.2%} → {row.drawdown_with:.2%}"
        for row in found.rows
    ]
    return f"risk sweep over {SWEEP_DAYS:g} days: {'; '.join(lines)}" if lines else ""
