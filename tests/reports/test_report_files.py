"""Reports as files: two of the same second both stay, and nothing is left of one that could not be written."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from peaktrade_core.base.clock import FixedClock
from peaktrade_core.base.errors import EnvironmentFault
from peaktrade_core.base.files import write_new
from peaktrade_core.control.status_report import write_status_report
from peaktrade_core.reports.session_reports import write_session_report
from peaktrade_core.workspace.workspace import Workspace


def test_reports_of_one_second_do_not_replace_each_other(workspace: Workspace, tmp_path: Path) -> None:
    workspace.clock = FixedClock(datetime(2026, 1, 5, tzinfo=UTC), timedelta(0))
    for write in (
        lambda form: write_session_report(workspace, tmp_path, summary_only=True, form=form),
        lambda form: write_status_report(workspace, tmp_path, ("markdown", "html") if form == "both" else (form,)),
    ):
        first, second, third = write("markdown"), write("both"), write("html")
        assert len({*first, *second, *third}) == 4
        assert all(path.read_bytes() for path in (*first, *second, *third))
        assert [path.stem for path in second] == [f"{first[0].stem}_2"] * 2  # the two of one report belong together


def test_twenty_writers_at_once_leave_twenty_reports(tmp_path: Path) -> None:
    def write(number: int) -> list[Path]:
        return write_new(tmp_path, "report", {"md": b"%d" % number, "html": b"%d" % number})

    with ThreadPoolExecutor(20) as pool:
        written = list(pool.map(write, range(20)))
    assert len({path for pair in written for path in pair}) == 40
    for number, pair in enumerate(written):
        assert {path.read_bytes() for path in pair} == {b"%d" % number}


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "reports").write_text("in the way")
    with pytest.raises(EnvironmentFault, match="reports"):
        write_new(tmp_path / "reports", "report", {"md": b""})
