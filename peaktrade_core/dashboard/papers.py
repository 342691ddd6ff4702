"""What was written down and can be opened: reports, evidence, incidents and drills. It only reads.

A paper is opened by a name that is in its list, never by a path that was asked for. Evidence, incidents and drills are made
anew from their records, so that what is shown is the record; a report is the file as it was written. Both are served under
:data:`POLICY`: no script in them runs, whatever it holds, and they load nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from html import unescape
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import msgspec
from markupsafe import Markup, escape

from peaktrade_core.base.clock import from_seconds
from peaktrade_core.base.errors import ArtefactError, PeaktradeError, UnknownNameError, why
from peaktrade_core.base.files import FileCache, read_plain
from peaktrade_core.drills.log import DrillBook
from peaktrade_core.drills.page import drill_page
from peaktrade_core.incidents.book import IncidentBook
from peaktrade_core.incidents.report import post_mortem_text, report_text
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.page import page_of
from peaktrade_core.show import wording
from peaktrade_core.show.language import spoken
from peaktrade_core.show.listing import Chosen, Facet, Found, Listing, among
from peaktrade_core.show.table import Column, Columns
from peaktrade_core.show.templates import css, template
from peaktrade_core.workspace.workspace import Workspace

PaperKind = Literal["report", "evidence", "incident", "drill"]
KINDS: tuple[PaperKind, ...] = ("report", "evidence", "incident", "drill")
POLICY = (
    "sandbox allow-same-origin; default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_ELSEWHERE = ("evidence", "archive")  # folders whose pages are not reports
_SESSION = re.compile(r"\b(?:shadow|testnet)_\d{8}_\d{6}_\w+")
_TITLE = re.compile(r"<title>([^<]+)</title>")
_KEPT = 10_000
_IDS = re.compile(r"<[^>]*>|\b(?:(?P<session>(?:shadow|testnet)_\d{8}_\d{6}_[0-9a-f]{6})|(?P<evidence>EV-\d{8}-[A-Z0-9-]+\d)|"
                  r"(?P<incident>INC-\d{8}-\d{2,4})|(?P<drill>DRILL-\d{8}-\d{2,4})|"
                  r"(?P<request>REQ-\d{8}-[0-9A-F]{8}))\b")  # fmt: skip
_ANCHOR = re.compile(r'<a class="anchor-link"[^>]*>[^<]*</a>')


class Paper(msgspec.Struct, frozen=True, kw_only=True):
    """A paper in a list.

    Attributes:
        name: its id, of a report its folder and file; at: when it was begun or written, aware UTC.
        state: how it stands or ended, in the word of its kind; by: who; fault: why it cannot be read.
        about: the sessions, alerts or others that it is about or names.
    """

    kind: PaperKind
    name: str
    title: str = ""
    at: datetime | None = None
    state: str = ""
    by: str = ""
    about: tuple[str, ...] = ()
    fault: str = ""

    @property
    def address(self) -> str:
        """Where it is opened."""
        return f"/papers/{self.kind}/{quote(self.name, safe='')}"


def paper_item(paper: Paper) -> Paper:
    """Return a paper as programs get it."""
    return paper


class Papers:
    """The papers of a workspace; each is read again only when it has changed."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._kept: FileCache[Paper] = FileCache(_KEPT)

    @classmethod
    def of(cls, workspace: Workspace) -> Papers:
        """Return the papers of a workspace, opened once."""
        return workspace.once(cls, lambda: cls(workspace))

    def listed(self, about: str = "") -> list[Paper]:
        """Return the papers, newest first.

        Args:
            about: only those that are about this session, alert or other, or name it.
        """
        found = [paper for kind in KINDS for paper in self._of(kind)]
        wanted = [paper for paper in found if not about or about in paper.about]
        return sorted(wanted, key=lambda paper: (paper.at.timestamp() if paper.at else 0.0, paper.name), reverse=True)

    def open(self, kind: str, name: str) -> str:
        """Return a paper as one page of HTML.

        Raises:
            UnknownNameError: there is no such kind, or no such paper.
            ArtefactError: it cannot be read.
        """
        if kind == "evidence":
            book = EvidenceBook.of(self._workspace)
            return page_of(book, book.load(name))
        if kind == "incident":
            incidents = IncidentBook.of(self._workspace)
            incident = incidents.load(name)
            text = report_text(incident, incidents.path(name).parent)
            return _page(name, text if incident.postmortem is None else f"{text}\n\n{post_mortem_text(incident)}")
        if kind == "drill":
            return _page(name, drill_page(self._drills.load(name)))
        if kind == "report":
            return self._report(name)
        raise UnknownNameError("kind of paper", kind, KINDS)

    @property
    def _drills(self) -> DrillBook:
        return DrillBook(self._workspace.home, self._workspace.clock)

    def _report(self, name: str) -> str:
        path = {_named(path): path for path in self._reports()}.get(name)
        if path is None:
            raise UnknownNameError(
                "report", name, [paper.name for paper in self.listed() if paper.kind == "report"][:3]
            )
        try:
            return read_plain(path).decode(errors="replace")
        except OSError as error:
            raise ArtefactError(f"cannot read {path}: {why(error)}") from error

    def _of(self, kind: PaperKind) -> Iterator[Paper]:
        """Yield the papers of a kind; one that cannot be read says so."""
        if kind == "report":
            for path in self._reports():
                yield self._read(kind, _named(path), path, partial(_of_report, path))
        elif kind == "evidence":
            book = EvidenceBook.of(self._workspace)
            for name in book.ids():
                yield self._read(kind, name, book.folder / f"{name}.json", partial(_of_evidence, book, name))
        elif kind == "incident":
            incidents = IncidentBook.of(self._workspace)
            for name in incidents.ids():
                yield self._read(kind, name, incidents.path(name), partial(_of_incident, incidents, name))
        else:
            drills = self._drills
            for name in drills.ids():
                yield self._read(kind, name, drills.path(name), partial(_of_drill, drills, name))

    def _read(self, kind: PaperKind, name: str, path: Path, read: Callable[[], Paper]) -> Paper:
        try:
            return self._kept.get(path, kind, read)
        except (PeaktradeError, OSError) as error:
            return Paper(kind=kind, name=name, fault=why(error))

    def _reports(self) -> Iterator[Path]:
        """Yield the pages that reports and runbooks wrote: plain files, one folder below ``reports``."""
        for path in self._workspace.reports.glob("*/*.html"):
            if path.parent.name not in _ELSEWHERE and not path.is_symlink() and not path.parent.is_symlink():
                yield path


def _named(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _of_report(path: Path) -> Paper:
    """Return a report as a line: what it is and of what by the page's title, and the sessions that it names."""
    text = read_plain(path).decode(errors="replace")
    titled = _TITLE.search(text)
    *of, title = unescape(titled[1]).removesuffix(" · peaktrade").split(" · ") if titled else [path.stem]
    title = " · ".join([title, *of[1:]])  # the first of them says how it came out
    at = from_seconds(path.stat().st_mtime)
    about = tuple(dict.fromkeys(_SESSION.findall(text)))
    return Paper(kind="report", name=_named(path), title=title, at=at, about=about)


def _of_evidence(book: EvidenceBook, name: str) -> Paper:
    record = book.load(name)
    return Paper(
        kind="evidence",
        name=name,
        title=record.title,
        at=record.began_at,
        state=record.outcome,
        by=record.operator,
        about=(record.subject,) if record.subject else (),
    )


def _of_incident(book: IncidentBook, name: str) -> Paper:
    incident = book.load(name)
    about = tuple(filter(None, (incident.subject, *incident.alerts, incident.evidence_id, incident.drill)))
    return Paper(
        kind="incident",
        name=name,
        title=incident.title,
        at=incident.opened_at,
        state=incident.status,
        by=incident.duties.get("commander", ""),
        about=about,
    )


def _of_drill(book: DrillBook, name: str) -> Paper:
    drill = book.load(name)
    score = "" if drill.score is None else "passed" if drill.score.passed else "failed"
    return Paper(
        kind="drill",
        name=name,
        title=drill.scenario.title,
        at=drill.began_at,
        state=score or drill.status,
        by=drill.operator,
        about=(drill.session_id,) if drill.session_id else (),
    )


def linked(text: object, own: str = "") -> Markup:
    """Return a text, escaped unless it is markup of ours, in which each id of a session, paper or request is a link to it.

    Args:
        own: the id of the page that shows it, which needs no link to itself.
    """

    def link(found: re.Match[str]) -> str:
        kind, name = found.lastgroup, found[0]
        if kind is None or name == own:  # a tag, or where the reader is
            return name
        place = {"session": "session", "request": "requests"}.get(kind, f"papers/{kind}")
        path = f"/{place}/{name}"
        return f'<a class="mono" href="{path}">{name}</a>'

    return Markup(_IDS.sub(link, str(escape(text if isinstance(text, Markup) else spoken(str(text))))))  # noqa: S704  (escaped before)


def _page(title: str, markdown: str) -> str:
    """Return markdown of ours as a page of HTML."""
    from nbconvert.filters.markdown import markdown2html

    html = _ANCHOR.sub("", markdown2html(markdown))
    body = linked(Markup(html), own=title)  # noqa: S704  (its writers make every text of others nothing but text)
    return wording.tied(template("paper.html.j2").render(title=title, body=body, css=css()))


def _ask(workspace: Workspace, chosen: Chosen) -> Found[Paper]:
    return among(PAPER_LIST, Papers.of(workspace).listed(), chosen, workspace.clock.now(), when="at")


PAPERS = Columns[Paper](
    title=Column("Paper", lambda paper: paper.title or paper.name, "words"),
    kind=Column("Kind", lambda paper: paper.kind, priority=1),
    state=Column("Status", lambda paper: paper.state or wording.NOTHING),
    at=Column("Written (UTC)", lambda paper: paper.at, priority=1),
    by=Column("By", lambda paper: paper.by or wording.NOTHING, priority=2),
    about=Column("About", lambda paper: ", ".join(paper.about) or wording.NOTHING, "words", 3),
)
PAPER_LIST = Listing[Paper](
    name="papers",
    path="/papers",
    columns=PAPERS,
    lead="title",
    shown="kind state at by about",
    more="",
    facets=(Facet("kind", KINDS), Facet("state"), Facet("by"), Facet("about")),
    sorts=("at", "title", "kind", "state", "by"),
    latest="at",
    key=lambda paper: paper.name,
    link=lambda paper: paper.address,
    item=paper_item,
    ask=_ask,
    command="peaktrade runbook list",
)
