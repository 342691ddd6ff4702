"""A small selection of ``benchmarks/kill_everything.py``: each scene is killed a few times at points drawn from a seed."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.conftest import REPO

KILLS = 33  # three of each scene, of drills and retention two


def test_nothing_acknowledged_is_lost_wherever_a_process_is_killed() -> None:
    script = [sys.executable, str(REPO / "benchmarks" / "kill_everything.py"), "--kills", str(KILLS), "--seed", "11"]
    done = subprocess.run(script, capture_output=True, text=True, timeout=600)
    found = json.loads(done.stdout)
    assert found["faults"] == [], done.stderr
    assert set(found["kills"]) == {
        "sessions", "fleet", "kill switch", "alerts", "watcher", "incidents", "evidence", "drills", "jobs", "retention",
    }  # fmt: skip
    assert all(count >= 2 for count in found["kills"].values())
    assert done.returncode == 0
