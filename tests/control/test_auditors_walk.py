"""The auditor's walk in docs/control.md, word by word: from a figure in a daily report to the fill, and to its proof."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from peaktrade_core.records.folder import RunFolder
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.workspace import Workspace

REPO = Path(__file__).resolve().parents[2]


class Walk:
    """The commands of the walk, for one session and its report."""

    def __init__(self, home: Path, peaktrade: Callable[..., Any], session: str, report: Path) -> None:
        self._home, self._peaktrade = home, peaktrade
        text = (REPO / "docs" / "control.md").read_text().partition("### From a figure to its proof")[2]
        lines = text.split("```")[1].strip().splitlines()
        self.commands = [line.replace("ID", session).replace("DATE", report.stem) for line in lines]

    def take(self) -> Iterator[tuple[int, str]]:
        """Yield exit code and output of each command, in the workspace."""
        for line in self.commands:
            program, *words = shlex.split(line)
            if program == "peaktrade":
                ended = self._peaktrade(*words)
                yield ended.code, ended.stdout + ended.stderr
            else:
                done = subprocess.run([program, *words], cwd=self._home, capture_output=True, text=True, check=False)
                yield done.returncode, done.stdout


@pytest.fixture
def printed(
    workspace: Workspace, run_shadow: Callable[..., SessionRecord], peaktrade: Callable[..., Any], monkeypatch: Any
) -> tuple[SessionRecord, Path]:
    """Return a session among others, and the daily report of its day."""
    monkeypatch.chdir(workspace.home)
    for seed in (1, 3):
        record = run_shadow(params={"fast": 2, "slow": 5}, seed=seed, steps=120)
    day = record.started_at.date().isoformat()
    assert peaktrade("report", "daily", "--date", day).code == 0
    run_shadow(seed=5, steps=20)  # the ledger goes on
    return record, workspace.reports / "daily" / f"{day}.html"


def test_the_five_commands_lead_from_the_figure_to_the_proof(
    workspace: Workspace, printed: tuple[SessionRecord, Path], peaktrade: Callable[..., Any], tmp_path: Path
) -> None:
    record, report = printed
    walk = Walk(workspace.home, peaktrade, record.session_id, report)
    assert len(walk.commands) == 5
    (row,) = (line for line in report.with_suffix(".md").read_text().splitlines() if record.session_id in line[:40])
    (_, trades), (found, fills), (_, replayed), (same, against), (_, _) = told = list(walk.take())
    assert [code for code, _ in told] == [0] * 5, told
    figure = re.search(r"trades realized (\S+) EUR net of fees", " ".join(trades.split()))
    assert figure is not None
    assert f"| {figure[1]} EUR |" in row
    rows = json.loads(peaktrade("session", "show", record.session_id, "--trades", "--json").stdout)["trades"]
    assert f"{sum(one['realized_pnl'] for one in rows):,.2f}".replace("-", "−") == figure[1]
    journal = [json.loads(line) for line in fills.splitlines()]
    for one in rows:  # each is there with its prices
        assert any((fill["ts"], fill["price"]) == (one["entry_ts"], one["entry_price"]) for fill in journal)
    assert (found, "byte for byte" in replayed) == (0, True)
    assert (same, "nothing was changed up to entry" in against) == (0, True)
    head = re.findall(r"[0-9a-f]{64}", report.with_suffix(".md").read_text())[-1]
    shutil.unpack_archive(workspace.home / "case.zip", tmp_path / "elsewhere")
    script = [sys.executable, "-I", "-S", str(tmp_path / "elsewhere" / "verify.py"), head]
    assert subprocess.run(script, capture_output=True, check=False).returncode == 0
    (copy,) = (tmp_path / "elsewhere").glob(f"live_runs/{record.session_id}/events.jsonl")
    assert copy.read_bytes() == RunFolder(workspace.runs, record.session_id).journal.read_bytes()


def test_a_fill_that_was_made_better_ends_the_walk(
    workspace: Workspace, printed: tuple[SessionRecord, Path], peaktrade: Callable[..., Any]
) -> None:
    record, report = printed
    path = RunFolder(workspace.runs, record.session_id).journal
    lines = path.read_bytes().splitlines(keepends=True)
    at = next(n for n, line in enumerate(lines) if b'"type":"fill"' in line and b'"purpose":"close"' in line)
    lines[at] = re.sub(rb'"price":(\d)', rb'"price":9\1', lines[at], count=1)
    path.write_bytes(b"".join(lines))
    _, _, (replay, said), (against, told), _ = Walk(workspace.home, peaktrade, record.session_id, report).take()
    assert (replay != 0, "price" in said) == (True, True), said
    assert (against, f"{record.session_id} changed or missing" in " ".join(told.split())) == (1, True), told
