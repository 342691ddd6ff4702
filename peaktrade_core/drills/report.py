"""What the notebooks of drills show: one drill as it was, all of them, what they exercised; and the drill report."""

from __future__ import annotations

from functools import cached_property

from peaktrade_core.base.question import FAIL, WARN, Check, check
from peaktrade_core.drills.coverage import EXERCISED, UNKNOWN, coverage
from peaktrade_core.drills.drill import DRILLS, SCORED, Drill, Noted
from peaktrade_core.drills.figures import drill_figure
from peaktrade_core.drills.log import DrillBook
from peaktrade_core.runbooks.notebooks.lab import notebook_link
from peaktrade_core.runbooks.pickers import NEWEST, Suggestion
from peaktrade_core.runbooks.shelf import Notebook
from peaktrade_core.show import wording
from peaktrade_core.show.chart import Chart
from peaktrade_core.show.checklist import check_table
from peaktrade_core.show.cover import Cover, needing, utc
from peaktrade_core.show.table import BAD, GOOD, MID, Cell, Table
from peaktrade_core.workspace.workspace import Workspace

NO_DRILL = "No drill was done yet. The notebook drill runs one, or peaktrade drill run."


def drills_to_pick(workspace: Workspace) -> list[Suggestion]:
    """Return the newest drills, each with what happened in it, how it stands and who was drilled."""
    drills, _ = DrillBook(workspace.home, workspace.clock).rows()
    told = ((one.drill_id, f"{one.scenario.title} · {one.status} · {one.operator}") for one in drills[:NEWEST])
    return [Suggestion(*one) for one in told]


def drill_choices(workspace: Workspace) -> list[Suggestion]:
    """Return the newest drills and what stands for the last of them, to pick one."""
    return [Suggestion("latest", "the one that began last"), *drills_to_pick(workspace)]


class DrillNotebook(Notebook):
    """What the drill runbook and the drill report both show.

    Attributes:
        rows: of the drill log that are shown.
    """

    rows = 20

    @property
    def drill(self) -> Drill | None:
        """The drill as its record stands, None when there is none."""
        raise NotImplementedError

    @property
    def days(self) -> int:
        """How far back coverage looks [days]."""
        return 90

    def expected(self) -> Table:
        """Return what was wrong, and what was expected of the operator."""
        drill = self.drill
        if drill is None:
            return Table("What was expected", (), [], empty=NO_DRILL)
        expect = drill.scenario.expect
        rows = [
            ("Injected", "; ".join(f"{fault.what}: {fault.detail}" for fault in drill.faults) or "nothing"),
            ("Alerts", ", ".join(expect.alerts)),
            ("Diagnosis", f"{' or '.join(expect.diagnosis)}, {expect.severity}"),
            ("Mitigation", " or ".join(expect.mitigation)),
            ("Does harm", ", ".join(expect.wrong) or "nothing named"),
            ("Runbook", Cell(expect.runbook, href=notebook_link(expect.runbook))),
        ]
        return Table("What was expected", ("", ""), rows)

    def events(self) -> Table:
        """Return faults, alerts and actions in the order in which they happened."""
        drill = self.drill
        if drill is None:
            return Table("What happened", (), [], empty=NO_DRILL)
        first = min((fault.at for fault in drill.faults), default=None)
        kinds: tuple[tuple[Cell, tuple[Noted, ...]], ...] = (
            (Cell("✕ fault", BAD), drill.faults),
            (Cell("▲ alert", MID), drill.alerts),
            (Cell("→ action", GOOD), drill.actions),
        )
        found = sorted(
            ((one.at, kind, one) for kind, all_ in kinds for one in all_), key=lambda row: (row[0], row[1].text)
        )
        rows = [
            (
                f"{at:%H:%M:%S}",
                wording.NOTHING if first is None else wording.duration(max(0.0, (at - first).total_seconds())),
                kind,
                one.what,
                one.by,
                f"{one.severity}: {one.detail}" if one.severity else one.detail,
            )
            for at, kind, one in found
        ]
        columns = ("At (UTC)", "After the fault", "", "What", "By", "Detail")
        clock = f"The venue's clock, which was moved: {found[0][0]:%Y-%m-%d}." if drill.script and found else ""
        return Table("What happened", columns, rows, numbers=(1,), note=clock, empty="Nothing happened.")

    def figure(self) -> Chart | Table:
        """Return what happened over time, with the time until it was detected and until the last action shaded."""
        drill = self.drill
        return Table("Detection and reaction", (), [], empty=NO_DRILL) if drill is None else drill_figure(drill)

    def phases(self) -> Table:
        """Return how each phase of the reaction went, and the sum."""
        drill = self.drill
        if drill is None or drill.score is None:
            none = (
                f"It was {drill.status}: {drill.early}."
                if drill and drill.early
                else "It has no score yet: it is not over."
            )
            return Table("Score", (), [], empty=NO_DRILL if drill is None else none)
        found = drill.score
        wrong = [(Cell("✕ wrong", BAD), "", "", f"{wording.MINUS}15", text) for text in found.wrong]
        return SCORED.table("Score", found.phases, note=_result(drill), more=wrong)

    def answers(self) -> list[Check]:
        """Return how the reaction was, answered phase by phase."""
        drill = self.drill
        if drill is None or drill.score is None:
            early = drill.early if drill else ""
            told = f"the drill was {drill.status}" if drill and early else "the drill has none yet"
            step = f"{early}." if early else "Run the drill to its end, then run this cell again."
            return [check("score", "Is there a score?", False, told, step, otherwise=WARN)]
        expect, found = drill.scenario.expect, drill.score
        checks = [
            check(
                phase.name,
                f"{phase.name.capitalize()}: in time?",
                phase.took_s is not None and phase.took_s <= phase.target_s and phase.points > 0.0,
                f"{wording.duration(phase.took_s)} of {wording.duration(phase.target_s)}: {phase.says}",
                f"Read the runbook {expect.runbook} once more, then repeat the drill.",
                otherwise=FAIL if phase.took_s is None else WARN,
            )
            for phase in found.phases
        ]
        checks.append(
            check(
                "alerts",
                "Did every expected rule fire?",
                not found.missed_alerts,
                f"never raised: {', '.join(found.missed_alerts)}" if found.missed_alerts else ", ".join(expect.alerts),
                "Mend the rules in config/alerts.toml: in earnest this would not have been told.",
            )
        )
        told = "; ".join(found.wrong) or "nothing"
        step = "Talk it through: what would have helped to know it?"
        checks.append(check("wrong", "Done that does harm", not found.wrong, told, step))
        text = f"{found.points:g} of 100 points"
        checks.append(check("passed", "Was it passed?", found.passed, text, "Repeat it within the week."))
        return checks

    def coverage(self) -> Table:
        """Return how much of each kind was exercised, and what was not."""
        found = coverage(self.workspace, self.days)
        kinds = list(dict.fromkeys(row.kind for row in found.rows))
        rows = []
        for kind in kinds:
            of = found.of(kind)
            done = [row for row in of if row.status == EXERCISED]
            unknown = [row.name for row in of if row.status == UNKNOWN]
            rest = [row.name for row in of if row.status not in (EXERCISED, UNKNOWN)]
            share = Cell(f"{len(done)} of {len(of)}", GOOD if len(done) == len(of) else MID)
            rows.append((kind, share, ", ".join(rest) or wording.NOTHING, ", ".join(unknown) or wording.NOTHING))
        columns = ("What", "Exercised", "Not exercised", "Unknown")
        note = "; ".join(found.faults)
        return Table(f"Exercised in the last {self.days} days", columns, rows, note=Cell(note, BAD) if note else "")

    def log(self) -> Table:
        """Return the drills that were done, newest first, and whether the log is as it was sealed."""
        book = DrillBook(self.workspace.home, self.workspace.clock)
        drills, faults = book.rows()
        verified = book.verify()
        text = "; ".join((f"{verified.question} {verified.evidence}", *faults))
        note = Cell(text, BAD if faults or verified.status != "pass" else "")
        return DRILLS.table("Drill log", drills[: self.rows], note=note, empty=NO_DRILL)


class DrillReport(DrillNotebook):
    """One drill as it was, and what all of them exercised."""

    @cached_property
    def drill(self) -> Drill | None:
        """The drill that is named; ``latest`` is the newest, None when there never was one.

        Raises:
            UnknownNameError: there is none of that id.
            ArtefactError: its record cannot be read.
        """
        book = DrillBook(self.workspace.home, self.workspace.clock)
        if self.given.drill_id == "latest" and not book.ids():
            return None
        return book.load(self.given.drill_id)

    @property
    def days(self) -> int:
        """How far back coverage looks [days]."""
        return int(self.given.days)

    def cover(self) -> Cover:
        """Return the drill at a glance."""
        drill = self.drill
        if drill is None:
            step = (("", Cell("`peaktrade drill run` runs one.")),)
            return Cover(subject="No drill", whose="nobody's", when="never", verdict=Cell("– none"), links=step)
        score, happened = drill.score, (drill.faults, drill.alerts, drill.actions)
        phases = score.phases if score else ()
        detected = next((phase.took_s for phase in phases), None)
        return Cover(
            subject=drill.scenario.title,
            subject_id=drill.drill_id,
            whose=f"{drill.operator} ({drill.role}), by a script that is {drill.script}"
            if drill.script
            else f"{drill.operator} ({drill.role})",
            when=f"{utc(drill.began_at)} ({drill.began_local[11:16]} in Berlin)",
            verdict=_result(drill),
            why=drill.early or "; ".join(score.wrong if score else ()),
            figures=(
                ("Score", Cell(f"{score.points:g} of 100" if score else wording.NOTHING)),
                (f"Until {phases[0].name}" if phases else "Until noticed", Cell(wording.duration(detected))),
                ("Faults, alerts, actions", Cell(" · ".join(str(len(one)) for one in happened))),
            ),
            chart=drill_figure(drill),
            needs=needing(self.answers()),
            links=(
                ("Do it again:", Cell(f"`peaktrade drill run {drill.scenario.name}`")),
                ("Runbook:", Cell(drill.scenario.expect.runbook)),
            ),
        )

    def summary(self) -> Table:
        """Return what a drill was and how it came out."""
        drill = self.drill
        if drill is None:
            return Table("Drill", (), [], empty=NO_DRILL)
        rows: list[tuple[object, object]] = [
            ("Drill", drill.drill_id),
            ("Scenario", f"{drill.scenario.name}: {drill.scenario.title}"),
            ("Operator", f"{drill.operator} ({drill.role})" + (f", a {drill.script} script" if drill.script else "")),
            ("Began", f"{wording.moment(drill.began_at)} UTC, {drill.began_local} in Berlin"),
            ("Result", _result(drill)),
            ("Session", f"{drill.session_id} {wording.badge(drill.session_status)}"),
            ("Its error", drill.session_error or "none"),
            ("Runbooks used", ", ".join(drill.runbooks) or "none left evidence"),
            ("Lessons", drill.lessons or "none noted"),
        ]
        return Table("Drill", ("", ""), rows)

    def reaction(self) -> Table:
        """Return how the reaction was, answered phase by phase."""
        return check_table(self.answers(), "What follows")


def _result(drill: Drill) -> Cell:
    if drill.score is None:
        return Cell(drill.status, MID)
    passed = drill.score.passed
    return Cell(
        f"{'✓ passed' if passed else '✕ not passed'}, {drill.score.points:g} of 100 points", GOOD if passed else BAD
    )
