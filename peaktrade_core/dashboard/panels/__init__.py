"""The panels of the pages: each is one question to the read side and one template, filled with escaping on.

A view notebook shows them when the page is opened; the server makes the same ones again, by name, for the refresh. So
what a notebook arranges and what a refresh brings cannot differ. A panel that fails says so in words, in its own place.
"""

from peaktrade_core.dashboard.panels import (  # noqa: F401
    activity,
    alerts,
    control,
    home,
    labs,
    listing,
    live_track,
    runs,
    session,
    session_lists,
    system,
    trust,
    wall,
)
from peaktrade_core.dashboard.panels.base import (
    CONFIG_PATH,
    PANELS,
    SUBJECT,
    Html,
    Page,
    Visit,
    fill,
    open_page,
    panel,
)
from peaktrade_core.dashboard.research import panels as _research  # noqa: F401

__all__ = [
    "CONFIG_PATH",
    "PANELS",
    "SUBJECT",
    "Html",
    "Page",
    "Visit",
    "fill",
    "open_page",
    "panel",
]
