"""The drilled session in a process of its own, for faults that take the process or its disk: ``python -m … HOME ID``."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from peaktrade_core.base.clock import FixedClock
from peaktrade_core.drills.drill import Drill
from peaktrade_core.drills.staging.faults import Doomed
from peaktrade_core.drills.staging.site import WARMUP, wishes
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.session import run_session
from peaktrade_core.workspace.workspace import open_site


def main(home: str, session_id: str, began: str) -> int:
    """Run the session; ``began`` is the drill's time where a script is drilled, empty for the machine's pace and clock."""
    clock = FixedClock(datetime.fromisoformat(began), timedelta(milliseconds=1)) if began else None
    site = open_site(Path(home), clock)
    drill = msgspec.json.decode((site.home.parent / "drill.json").read_bytes(), type=Drill)
    plan = plan_session(site, **wishes(drill.scenario, session_id), pace=None if began else 1.0)
    fault = next(one for one in drill.scenario.fault if one.kind in ("crash", "full_disk"))
    feed = Doomed(plan.feed, fault, WARMUP, RunFolder(site.runs, session_id).journal)
    run_session(plan._replace(feed=feed), Desk.of(site))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
