"""What is shown, without a server: the pages of one workspace as HTML, and what the API's answers are made from.

The server asks it for each request, through the :class:`Serving` of its handlers; ``peaktrade export`` asks it for files.
Nothing in here writes.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from peaktrade_core.base.errors import ArtefactError, PeaktradeError, UnknownNameError
from peaktrade_core.base.resources import share_dir
from peaktrade_core.dashboard import pages
from peaktrade_core.dashboard.labs.shelf import Shelf, read_lab
from peaktrade_core.dashboard.metrics import Meter
from peaktrade_core.dashboard.pages import PAGES, PageAddress, PageSpec
from peaktrade_core.dashboard.panels import Page
from peaktrade_core.people.approvals import Approvals
from peaktrade_core.research.experiments.rows import Experiments
from peaktrade_core.runs.views import Views
from peaktrade_core.show.language import words
from peaktrade_core.workspace.workspace import Workspace

if TYPE_CHECKING:
    from peaktrade_core.dashboard.kernels import Watchdog

SPOKEN = (
    "as_of",
    "as_of_about",
    "paused",
    "ago_s",
    "ago_m",
    "ago_h",
    "down",
    "down_next",
    "faulty",
    "lab_ended",
    "lab_ended_next",
    "check_pass",
    "check_warn",
    "check_fail",
    "check_unknown",
)

READERS = 3  # threads that ask the read side


class Site:
    """The pages of a workspace.

    Args (of the constructor):
        workspace: what they show.
        folder: of the view notebooks; None takes those that come with peaktrade.
        refresh: how often a visible page refreshes [s].
    """

    def __init__(self, workspace: Workspace, folder: Path | None = None, refresh: int = 5) -> None:
        self.workspace = workspace
        self.folder = (folder or share_dir() / "notebooks" / "dashboards").resolve()
        self.refresh = refresh
        self.assets = share_dir() / "templates" / "voila" / "templates" / "peaktrade"
        self.meter = Meter()
        self.kernels: Callable[[], int] = lambda: 0

    @property
    def language(self) -> str:
        """The language of the pages; English when the configuration cannot be read."""
        return self.workspace.config.ui.language

    @cached_property
    def told(self) -> dict[str, Any]:
        """What every page's template is told under the name ``peaktrade``.

        Raises:
            ConfigError: the workspace's configuration is wrong.
        """
        texts = words(self.language)
        return {
            "words": texts,
            "spoken": {name: text for name, text in texts.items() if name in SPOKEN or name.startswith("js_")},
            "refresh": self.refresh,
            "figures": version("plotly"),
            "version": _version(self.assets / "static"),
            "pages": [spec._asdict() for spec in pages.shown_pages(self.folder)],
        }

    @cached_property
    def shelf(self) -> Shelf:
        """The labs."""
        return Shelf.of(self.workspace, self.folder)

    def notebook_of(self, address: PageAddress) -> Path:
        """Return where a page's view notebook is, or would be.

        Raises:
            UnknownNameError: it is a lab that does not exist.
        """
        if address.spec.part == "lab":
            return self.shelf.path(address.subject or "")
        return self.folder / f"{address.spec.name}.ipynb"

    def woven(self, address: PageAddress) -> dict[str, Any]:
        """Return a page's notebook with its panels filled in.

        Raises:
            FileNotFoundError: the page has no notebook.
            ArtefactError: that is no view.
            SessionNotFoundError, UnknownNameError: nothing has the id in the address.
        """
        path = self.notebook_of(address)
        notebook = read_lab(path) if address.spec.part == "lab" else pages.read_view(path)
        self.check_subject(address)
        page = Page(lambda: self.workspace, address.query, address.subject)
        woven = pages.weave(notebook, lambda name: str(page.panel(name)))
        here = {
            "name": address.spec.name,
            "subject": address.subject or "",
            "twin": address.twin(),
            "query": address.query,
        }
        return {**woven, "metadata": {**woven["metadata"], "page": here}}

    def warm_up(self) -> None:
        """Do what would make the first viewer wait: compile the templates, import what charts are read with."""
        import pyarrow.parquet  # noqa: F401

        with suppress(PeaktradeError, OSError):
            self.page(PageAddress(PAGES[0]))

    def check_subject(self, address: PageAddress) -> None:
        """Refuse an address whose id does not exist.

        Raises:
            SessionNotFoundError, UnknownNameError: nothing has that id; says what there is.
        """
        subject = address.subject or ""
        if address.spec.part == "session_id":
            Views.of(self.workspace).check_recorded(subject)
        elif address.spec.part == "run_id":
            Views.of(self.workspace).run(subject)
        elif address.spec.part == "experiment_id":
            Experiments(self.workspace).known(subject)
        elif address.spec.part == "request_id":
            with suppress(ArtefactError):  # a ledger that cannot be read is said in the panel
                Approvals.of(self.workspace).find(subject)

    def render(self, woven: dict[str, Any], name: str) -> str:
        """Return the HTML of a page that needs no kernel."""
        return pages.render(woven, self.told, name)

    def page(self, address: PageAddress) -> str:
        """Return a page's HTML; cells that need a kernel are left out. Raises as :meth:`woven`."""
        woven = self.woven(address)
        cells = [cell for cell in woven["cells"] if cell["cell_type"] != "code"]
        return self.render({**woven, "cells": cells}, address.spec.name)


class Serving(NamedTuple):
    """What handlers share.

    Attributes:
        site: what is shown; readers: the threads that ask it; watchdog: watches the memory.
        waiting: by address, the answer that comes next.
    """

    site: Site
    readers: ThreadPoolExecutor
    watchdog: Watchdog
    waiting: dict[Hashable, Future[Any]]

    async def ask(self, question: Callable[..., Any], *values: Any) -> Any:
        """Ask something outside the event loop, so that everybody else is answered meanwhile."""
        return await asyncio.get_running_loop().run_in_executor(self.readers, question, *values)

    async def ask_together(self, address: Hashable, question: Callable[..., Any], *values: Any) -> Any:
        """Ask as everybody does who wants the same and whose answer has not been begun: one answer is made for all.

        Nobody gets an answer that is older than his question, and many viewers of a page cost little more than one.
        """
        coming = self.waiting.get(address)
        if coming is None or coming.running() or coming.done():
            coming = self.waiting[address] = self.readers.submit(question, *values)
            coming.add_done_callback(lambda ended: self._forget(address, ended))
        return await asyncio.shield(asyncio.wrap_future(coming))

    def _forget(self, address: Hashable, ended: Future[Any]) -> None:
        if self.waiting.get(address) is ended:
            del self.waiting[address]


def find_page(name: str) -> PageSpec:
    """Return a page by its notebook's name, with hyphens or underscores.

    Raises:
        UnknownNameError: there is none; lists those that exist.
    """
    known = {spec.name: spec for spec in PAGES}
    if name.replace("-", "_") not in known:
        raise UnknownNameError("page", name, sorted(known))
    return known[name.replace("-", "_")]


def _version(static: Path) -> str:
    """Return a short digest of the static files, so that a browser fetches changed ones."""
    digest = hashlib.sha256()
    for path in sorted(static.iterdir()):
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
