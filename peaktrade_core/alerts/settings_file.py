"""Reading ``config/alerts.toml``; a workspace without one has the rules that come with peaktrade."""

from __future__ import annotations

from pathlib import Path

from peaktrade_core.alerts.settings import AlertSettings, read_settings
from peaktrade_core.base.files import read_toml
from peaktrade_core.base.resources import share_dir

ALERTS = Path("config") / "alerts.toml"


def load_alert_settings(path: Path) -> AlertSettings:
    """Read channels and rules.

    Raises:
        ConfigError: no such file, no TOML, or something in it is wrong; says where.
    """
    return read_settings(read_toml(path), str(path))


def workspace_alert_settings(home: Path) -> AlertSettings:
    """Read the file of a workspace, else the one that comes with peaktrade; raises as :func:`load_alert_settings`."""
    path = home / ALERTS
    return load_alert_settings(path if path.exists() else share_dir() / ALERTS)
