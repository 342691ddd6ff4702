"""What a link to a notebook does in JupyterLab: make a clean copy, filled in, and open it.

An extension of the Jupyter server that ``peaktrade lab`` starts. It answers a signed-in person only, and no link of
another site; a copy is all that it makes.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import url_path_join
from tornado.web import HTTPError, authenticated

from peaktrade_core.base.errors import PeaktradeError
from peaktrade_core.runbooks.notebooks.lab import OPEN, copy_of
from peaktrade_core.workspace.workspace import Workspace


class OpenNotebook(JupyterHandler):  # type: ignore[misc]
    """``GET /peaktrade/open/NAME?parameter=value``: a redirect to a copy of the notebook with these parameters."""

    @authenticated  # type: ignore[untyped-decorator]
    def get(self, name: str) -> None:
        """Make the copy and lead to it.

        Raises:
            HTTPError: another site asks, or the notebook or a parameter is wrong; it says which.
        """
        if self.request.headers.get("Sec-Fetch-Site") == "cross-site":
            raise HTTPError(403, "another site may not open notebooks here")
        given = {key: self.get_query_argument(key) for key in self.request.query_arguments if key != "token"}
        try:
            workspace = Workspace()
            path = copy_of(name, given, workspace)
        except PeaktradeError as error:
            raise HTTPError(400, str(error).replace("%", "%%")) from None
        where = path.relative_to(workspace.home).as_posix()
        self.redirect(url_path_join(self.base_url, "doc/tree", quote(where)))


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": __name__}]


def _load_jupyter_server_extension(server: Any) -> None:
    """Add the address to a Jupyter server."""
    address = url_path_join(server.web_app.settings["base_url"], OPEN, r"([A-Za-z0-9_]+)")
    server.web_app.add_handlers(".*$", [(address, OpenNotebook)])
