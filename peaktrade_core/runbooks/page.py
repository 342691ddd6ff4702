"""An evidence record as a page that can be read on a phone and printed, beside the record."""

from __future__ import annotations

from pathlib import Path

from peaktrade_core.base.files import write_atomic
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.evidence import Evidence
from peaktrade_core.show import wording
from peaktrade_core.show.templates import css, template


def write_page(book: EvidenceBook, record: Evidence) -> Path:
    """Write a record's page and return its path.

    Raises:
        EnvironmentFault: the folder cannot be written.
    """
    path = book.folder / f"{record.evidence_id}.html"
    write_atomic(path, page_of(book, record).encode())
    return path


def page_of(book: EvidenceBook, record: Evidence) -> str:
    """Return a record's page as HTML that needs nothing else."""
    marks = {**wording.MARKS, "open": "? open"}
    return template("evidence.html.j2").render(e=record, head=book.chain.head(), css=css(), marks=marks)
