"""The drill log: one folder a drill, with its record, its page and the workspace it took place in; chained when done.

``reports/drills/DRILL-YYYYMMDD-NN/`` holds ``drill.json`` (the truth), ``drill.md`` (for people) and ``workspace/``, which
nothing of the real workspace ever looks into. While it runs, its process is present in the folder; one whose process is
gone is closed as ``aborted`` by whoever looks next (:mod:`peaktrade_core.drills.recovery`).
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import msgspec

from peaktrade_core.base.clock import Clock, iso, local
from peaktrade_core.base.errors import (
    ArtefactError,
    ConfigError,
    EnvironmentFault,
    PeaktradeError,
    UnknownNameError,
    why,
)
from peaktrade_core.base.files import as_json, found_in, read_plain, write_atomic
from peaktrade_core.base.log import append_line, locked
from peaktrade_core.base.processes import Presence
from peaktrade_core.base.question import Check
from peaktrade_core.base.sealed import SealedRecords
from peaktrade_core.base.text import meant, one_line
from peaktrade_core.base.wall_clock import by_day
from peaktrade_core.drills import drill as dr
from peaktrade_core.drills.drill import Drill, Scenario
from peaktrade_core.people.matrix import ROLES
from peaktrade_core.workspace.ledger import DRILLS, Ledger
from peaktrade_core.workspace.papers import enter_files

_ID = re.compile(r"DRILL-\d{8}-\d{2,3}")


class DrillBook:
    """The drills of a workspace.

    Args (of the constructor):
        home: the workspace; clock: its clock.
    """

    def __init__(self, home: Path, clock: Clock) -> None:
        self.home, self.clock = home, clock
        self.folder = home / "reports" / "drills"
        self.sealed = SealedRecords(self.folder, Ledger(home).section(DRILLS))
        self.chain = self.sealed.chain
        self._present: dict[str, Presence] = {}

    def begin(self, scenario: Scenario, *, operator: str, role: str = "operator", script: str = "") -> Drill:
        """Begin a drill in this process and return its record; its folder is there, its workspace is not yet.

        Raises:
            ConfigError: no name was given.
            UnknownNameError: no such role.
            EnvironmentFault: the folder cannot be written.
        """
        if not operator.strip():
            raise ConfigError("a drill needs the name of who is drilled (--operator)")
        if role not in ROLES:
            raise UnknownNameError("role", role, ROLES)
        now = self.clock.now()
        drill_id = self._claim(now)
        self._present[drill_id] = self.presence(drill_id)
        self._present[drill_id].enter()
        return self.save(
            Drill(
                drill_id=drill_id,
                scenario=scenario,
                operator=operator.strip(),
                role=role,
                script=script,
                began_at=now,
                began_local=local(now),
                workspace=f"reports/drills/{drill_id}/workspace",
            )
        )

    def save(self, drill: Drill) -> Drill:
        """Write a record and its page as they stand, and return it."""
        write_atomic(self.path(drill.drill_id), as_json(drill))
        self._write_page(drill)
        return drill

    def finish(self, drill: Drill, status: str = dr.DONE) -> Drill:
        """End a drill: write it, enter its hash and its points into the chain, note it, and return it."""
        now = self.clock.now()
        done = msgspec.structs.replace(drill, status=status, ended_at=now)
        self._keep_site(done, now)
        points = done.score.points if done.score else None
        self._seal(done, now, scenario=done.scenario.name, points=points)
        told = f"{points:g} points" if points is not None else status
        append_line(
            self.home / "logs" / "operations.log",
            f"{iso(now)} drill {done.drill_id} {done.scenario.name} {told} by {done.operator}",
        )
        if present := self._present.pop(done.drill_id, None):
            present.leave()
        return done

    def note(self, drill_id: str, lessons: str) -> Drill:
        """Write down what was learned from a drill, after what was noted before, and seal it again.

        Raises:
            UnknownNameError: there is no such drill; ConfigError: nothing was said, or it is still running.
            EnvironmentFault: it cannot be written, or others write to it for long.
        """
        drill_id = self.load(drill_id).drill_id
        if not (learned := one_line(lessons)):
            raise ConfigError("say in a sentence what was learned")
        with locked(self.folder / "notes"):
            self.settle(drill_id)
            drill = self.load(drill_id)
            if drill.status == dr.RUNNING:
                raise ConfigError(f"{drill_id} is still running")
            changed = msgspec.structs.replace(drill, lessons=" · ".join(filter(None, (drill.lessons, learned))))
            self._seal(changed, self.clock.now(), lessons=changed.lessons)
        return changed

    def _keep_site(self, drill: Drill, at: datetime) -> None:
        """Enter what the logs of the drill's workspace grew by into its own ledger, and its configuration into ours."""
        site = self.home / drill.workspace
        if site.is_dir():
            with suppress(PeaktradeError):
                Ledger(site).append(at=at)
            enter_files(Ledger(self.home), at, sorted((site / "config").glob("*.toml")))

    def _seal(self, drill: Drill, at: datetime, **more: object) -> None:
        """Write and seal a record with its page."""
        from peaktrade_core.drills.page import drill_page

        pages = {"drill.md": drill_page(drill).encode()}
        self.sealed.seal("drill", self.path(drill.drill_id), drill, at, pages, **more)

    def settle(self, drill_id: str) -> None:
        """Put a record in its place whose process died when it was sealed already."""
        self.sealed.settle(self.path(drill_id))

    def _write_page(self, drill: Drill) -> None:
        """Write the page of a drill, for people."""
        from peaktrade_core.drills.page import drill_page

        write_atomic(self.page(drill.drill_id), drill_page(drill).encode())

    def load(self, drill_id: str) -> Drill:
        """Return a drill, by its id or as of :func:`meant`.

        Raises:
            UnknownNameError: there is none of that id; names the newest.
            ArtefactError: its record cannot be read.
        """
        path = self.path(meant("drill", drill_id, self.ids(), "peaktrade drill log", "peaktrade drill list"))
        try:
            return msgspec.json.decode(read_plain(path), type=Drill)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError, ConfigError) as error:
            raise ArtefactError(f"{path}: no record of a drill: {why(error)}; restore it from a backup") from None

    def rows(self, since: datetime | None = None) -> tuple[list[Drill], list[str]]:
        """Return the drills that can be read, newest first, and what is wrong with the others."""
        found, faults = [], []
        for drill_id in self.ids():
            try:
                drill = self.load(drill_id)
            except ArtefactError as error:
                faults.append(str(error))
                continue
            if since is None or drill.began_at >= since:
                found.append(drill)
        return found, faults

    def unended(self) -> list[str]:
        """Return the ids of the drills whose record says that they run, whether or not their process does."""
        mark = f'"status": "{dr.RUNNING}"'.encode()
        return [drill_id for drill_id in self.ids() if mark in self._bytes(drill_id)]

    def _bytes(self, drill_id: str) -> bytes:
        try:
            return read_plain(self.path(drill_id))
        except OSError:
            return b""

    def ids(self) -> list[str]:
        """Return the ids of all drills, newest first; a folder without a record never was one."""
        names = [
            path.parent.name for path in found_in(self.folder, "DRILL-*/drill.json") if _ID.fullmatch(path.parent.name)
        ]
        return sorted(names, key=lambda name: (*by_day(name[6:14]), int(name[15:])), reverse=True)

    def path(self, drill_id: str) -> Path:
        """Return where the record of a drill is."""
        return self.folder / drill_id / "drill.json"

    def page(self, drill_id: str) -> Path:
        """Return where the page of a drill is."""
        return self.folder / drill_id / "drill.md"

    def presence(self, drill_id: str) -> Presence:
        """Return whether, and as whom, a process is at work on a drill."""
        return Presence(self.folder / drill_id)

    def site(self, drill: Drill) -> Path:
        """Return the folder of the workspace in which a drill takes place."""
        return self.home / drill.workspace

    def verify(self) -> Check:
        """Return whether every drill is as it was when it was sealed last."""
        question = "Is every drill as it was sealed?"
        step = "Restore the record or the chain from a backup and open an incident: evidence was changed."
        return self.sealed.check("drills", question, step)

    def _claim(self, now: datetime) -> str:
        """Return an id that nobody else has, and take its folder."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for number in range(1, 1000):
                name = f"DRILL-{now:%Y%m%d}-{number:02d}"
                try:
                    (self.folder / name).mkdir()
                except FileExistsError:
                    continue
                return name
        except OSError as error:
            raise EnvironmentFault(f"cannot write drills to {self.folder}: {why(error)}") from error
        raise EnvironmentFault(f"{self.folder} holds 999 drills of this day; clear it")
