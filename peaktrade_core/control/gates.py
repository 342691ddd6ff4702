"""The seven required gates of a change, as a snapshot: PASS or FAIL where it is known, else UNKNOWN.

Two gates are asked each time. The others take minutes: ``peaktrade gates run`` runs them (`make test` does) and keeps
what came out, with the commit and a hash of the sources. Once a source has changed the result says nothing any more.

Source: workflow overview, required checks; a gate about which nothing is known is UNKNOWN, never PASS.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from peaktrade_core.base.checkout import broken_links, documents, git_commit, is_checkout, sources_digest
from peaktrade_core.base.errors import ConfigError, PeaktradeError, UnknownNameError, why
from peaktrade_core.base.files import as_json, read_plain, write_atomic
from peaktrade_core.base.question import FAIL, PASS, UNKNOWN, WORDS, Check, Status, check, worst
from peaktrade_core.base.resources import share_dir
from peaktrade_core.control.live_lock import lock_checks
from peaktrade_core.show import wording
from peaktrade_core.workspace.workspace import Workspace

GATE_WORDS = {**WORDS, PASS: "PASS"}
RESULTS = Path(".cache") / "gates.json"
Command = tuple[str, ...]


class ReleaseGate(NamedTuple):
    """A gate: its name, what it asks, and the commands that answer it; none for one that is asked each time."""

    name: str
    question: str
    commands: tuple[Command, ...] = ()


_SEPARATE = ("--ignore=tests/notebooks", "--ignore=tests/browser")
GATES = (
    ReleaseGate("lint", "Is the code clean and in form?", (("ruff", "check", "."), ("ruff", "format", "--check", "."))),
    ReleaseGate("types", "Do all types agree?", (("mypy",),)),
    ReleaseGate("tests", "Does the package do what it promises?", (("pytest", "-n", "2", "-q", *_SEPARATE),)),
    ReleaseGate(
        "notebooks", "Does every notebook show what it would today?", (("pytest", "-n", "2", "-q", "tests/notebooks"),)
    ),
    ReleaseGate("browser", "Do the pages work in a browser?", (("pytest", "-n", "2", "-q", "tests/browser"),)),
    ReleaseGate("docs-reference-targets", "Does every link in the documents lead somewhere?"),
    ReleaseGate("no-live", "Is live trading locked?"),
)


class GateResult(msgspec.Struct, frozen=True, kw_only=True):
    """How a gate stands.

    Attributes:
        status: ``pass``, ``fail`` or ``unknown``; text: what that is known from; next_step: empty when it passes.
        at, commit: when it was answered, for which commit; null and empty where it never was.
        run_id, attempt: of the run that answered it, and how often these sources were tried; empty and 0 where none did.
        change: the pull request that it was run for, empty for none.
    """

    gate: str
    question: str
    status: Status
    text: str
    next_step: str = ""
    at: datetime | None = None
    commit: str = ""
    run_id: str = ""
    attempt: int = 0
    change: str = ""


class GateRun(msgspec.Struct, frozen=True, kw_only=True):
    """What came out of a gate that was run; ``sources`` is the hash of what it was run on."""

    status: Status
    at: datetime
    commit: str
    sources: str
    seconds: float
    run_id: str = ""
    attempt: int = 1
    change: str = ""

    @property
    def told(self) -> str:
        """When, on what, and in which run it was answered."""
        change = f", change {self.change}" if self.change else ""
        return (
            f"{wording.minute(self.at)} UTC, commit {self.commit[:10] or 'unknown'}{change}, {self.seconds:g} s, "
            f"run {self.run_id or 'unknown'}, attempt #{self.attempt}"
        )


def gate_results(workspace: Workspace) -> list[GateResult]:
    """Return how the seven gates stand; none raises."""
    checkout = share_dir()
    kept = _read(workspace.home) if is_checkout(checkout) else {}
    sources = sources_digest(checkout) if kept else ""
    return [_result(gate, workspace, checkout, kept.get(gate.name), sources) for gate in GATES]


def run_gates(
    workspace: Workspace, names: Sequence[str] = (), say: Callable[[str], None] = print, *, change: str = ""
) -> list[GateResult]:
    """Run gates, keep what came out, and return how they stand.

    Args:
        workspace: where the results are kept.
        names: of gates; none for all.
        say: told before each command; the commands' own output goes where this process's goes.
        change: the pull request that they are run for; empty for what the CI says of itself, if it says so.

    Raises:
        UnknownNameError: there is no such gate.
        ConfigError: this is no checkout, so that there is nothing to run.
    """
    checkout, known = share_dir(), [gate.name for gate in GATES]
    for name in names:
        if name not in known:
            raise UnknownNameError("gate", name, known)
    if not is_checkout(checkout):
        raise ConfigError(f"{checkout} is no checkout: gates are for the sources, not for an installed package")
    for gate in GATES:
        if gate.commands and (not names or gate.name in names):
            sources, began = sources_digest(checkout), time.monotonic()
            code = 0
            for command in gate.commands:
                say(f"{gate.name}: {' '.join(command)}")
                code = code or _run(command, checkout)
            now, before = workspace.clock.now(), _read(workspace.home)
            last = before.get(gate.name)
            result = GateRun(
                status=FAIL if code else PASS,
                at=now,
                commit=git_commit(checkout) or "",
                sources=sources,
                seconds=round(time.monotonic() - began, 1),
                run_id=os.environ.get("GITHUB_RUN_ID") or f"{now:%Y%m%dT%H%M%S}",
                attempt=last.attempt + 1 if last and last.sources == sources else 1,
                change=change or _change(os.environ.get("GITHUB_REF", "")),
            )
            kept = {**before, gate.name: result}
            write_atomic(workspace.home / RESULTS, as_json(kept))
    return [result for result in gate_results(workspace) if not names or result.gate in names]


def _change(ref: str) -> str:
    """Return the number of the pull request that a CI runs for, from its name of the branch; empty for none."""
    parts = ref.split("/")
    return f"#{parts[2]}" if parts[:2] == ["refs", "pull"] and len(parts) > 2 else ""


def commits(found: Sequence[GateResult]) -> Check:
    """Return whether every gate that is run was run on the sources as they are, each with its commit, time and attempt."""
    run = [one for one in found if any(gate.name == one.gate and gate.commands for gate in GATES)]
    left = [one.gate for one in run if one.at is None]
    told = ", ".join(f"{one.gate} {one.commit[:10] or 'no commit'} #{one.attempt}" for one in run if one.at is not None)
    return check(
        "commits",
        "Was every gate run on the sources as they are, with its commit, time and attempt on record?",
        not left,
        f"not on these sources: {', '.join(left)}" if left else told,
        "`make test`, or `peaktrade gates run`, in the checkout.",
        otherwise=UNKNOWN,
    )


def _run(command: Command, checkout: Path) -> int:
    """Run a command of this environment in the checkout and return its exit code."""
    done = subprocess.run([sys.executable, "-m", *command], check=False, cwd=checkout)  # noqa: S603  (from GATES)
    return done.returncode


def _read(home: Path) -> dict[str, GateRun]:
    """Return what is kept of the gates that were run; a file that cannot be read tells nothing."""
    try:
        return msgspec.json.decode(read_plain(home / RESULTS), type=dict[str, GateRun])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return {}


def _result(gate: ReleaseGate, workspace: Workspace, checkout: Path, kept: GateRun | None, sources: str) -> GateResult:
    """Return how one gate stands."""
    if gate.commands:
        return _of_run(gate, checkout, kept, sources)
    try:
        return _docs(gate, checkout) if gate.name == "docs-reference-targets" else _no_live(gate, workspace)
    except (PeaktradeError, OSError) as error:
        return GateResult(
            gate=gate.name, question=gate.question, status=UNKNOWN, text=f"could not be asked: {why(error)}"
        )


def _of_run(gate: ReleaseGate, checkout: Path, kept: GateRun | None, sources: str) -> GateResult:
    """Return a gate from its last run, if that still says something."""
    step = f"`peaktrade gates run {gate.name}`"
    if not is_checkout(checkout):
        step = "The checkout that this version was built from knows."
        return _unknown(gate, "this is an installed package, not a checkout", step)
    if kept is None:
        return _unknown(gate, "never run here", step)
    if kept.sources != sources:
        return _unknown(gate, f"{kept.status} at {kept.told}, but the sources have changed since", step)
    return GateResult(
        gate=gate.name,
        question=gate.question,
        status=kept.status,
        text=kept.told,
        next_step="" if kept.status == PASS else f"`peaktrade gates run {gate.name}` shows what fails; mend it first.",
        at=kept.at,
        commit=kept.commit,
        run_id=kept.run_id,
        attempt=kept.attempt,
        change=kept.change,
    )


def _unknown(gate: ReleaseGate, text: str, step: str) -> GateResult:
    return GateResult(gate=gate.name, question=gate.question, status=UNKNOWN, text=text, next_step=step)


def _docs(gate: ReleaseGate, checkout: Path) -> GateResult:
    """Follow every link of the documents now."""
    if not is_checkout(checkout):
        return _unknown(gate, "this is an installed package, without its documents", "")
    broken = [f"{path.name}: {target}" for path in documents(checkout) for target in broken_links(path)]
    return GateResult(
        gate=gate.name,
        question=gate.question,
        status=FAIL if broken else PASS,
        text="; ".join(broken[:5]) or "each of them does, followed just now",
        next_step="Correct the target, or set what is no link as `code`." if broken else "",
    )


def _no_live(gate: ReleaseGate, workspace: Workspace) -> GateResult:
    """Try now what must be impossible."""
    checks = lock_checks(workspace, brokers=False)
    bad = [check for check in checks if check.status == FAIL]
    return GateResult(
        gate=gate.name,
        question=gate.question,
        status=FAIL if worst(checks) == FAIL else PASS,
        text="; ".join(check.told for check in bad) or checks[0].evidence,
        next_step=bad[0].next_step if bad else "",
    )
