"""An incident as a report that people read: markdown beside the record, and the post-mortem when there is one."""

from __future__ import annotations

from pathlib import Path

from peaktrade_core.base.clock import local
from peaktrade_core.base.files import write_atomic
from peaktrade_core.incidents.incident import Incident, response_checks
from peaktrade_core.show.templates import templates


def write_pages(folder: Path, incident: Incident) -> None:
    """Write an incident's report, and its post-mortem if there is one.

    Raises:
        EnvironmentFault: the folder cannot be written.
    """
    write_atomic(folder / "incident.md", report_text(incident).encode())
    if incident.postmortem is not None:
        text = templates().get_template("post_mortem.md.j2").render(i=incident, p=incident.postmortem, local=local)
        write_atomic(folder / "post_mortem.md", text.encode())


def report_text(incident: Incident) -> str:
    """Return an incident's report as markdown."""
    template = templates().get_template("incident.md.j2")
    return template.render(i=incident, checks=response_checks(incident), local=local)
