"""``peaktrade risk replay``: a recorded session once more, under other limits."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import click
import msgspec

from peaktrade_core.base.errors import ArtefactError, ConfigError
from peaktrade_core.research.replay_limits import Counterfactual, describe, recorded_limits, replay_limits
from peaktrade_core.runs.views import Views
from peaktrade_core.show import wording
from peaktrade_core.show.output import print_json, print_table
from peaktrade_core.trading.records import SessionConfig
from peaktrade_core.workspace.config import read_limits
from peaktrade_core.workspace.options import workspace_options
from peaktrade_core.workspace.workspace import Workspace


@click.command()
@click.argument("session")
@click.option("--limits", "file", metavar="FILE", help="TOML with the limits that differ, as in [live_risk].")
@click.option("--set", "given", multiple=True, metavar="NAME=VALUE", help="One limit; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@workspace_options
def replay(
    home: str | None, config: str | None, session: str, file: str | None, given: tuple[str, ...], as_json: bool
) -> None:
    """Run a recorded session once more under other limits: what would have been blocked, and what it would have cost."""
    workspace = Workspace(home, config)
    record = Views.of(workspace).record(Views.of(workspace).resolve(session))
    try:
        recorded = msgspec.convert(record.config, SessionConfig)
    except msgspec.ValidationError as error:
        raise ArtefactError(f"the configuration of {record.session_id} cannot be replayed: {error}") from None
    changes = {**(_limits_file(Path(file)) if file else {}), **dict(map(_limit, given))}
    limits = read_limits({**recorded_limits(recorded)._asdict(), **changes})
    found = replay_limits(record.session_id, recorded, Views.of(workspace).events(record.session_id), limits)
    if as_json:
        print_json(found)
        return
    _tell(found)


def _tell(found: Counterfactual) -> None:
    """Print a counterfactual."""
    changed = ", ".join(f"{name} {old:g} -> {new:g}" for name, (old, new) in found.changed.items())
    click.echo(f"{found.session_id}: {found.bars:,} bars, {changed or 'its own limits'}")
    if found.first is None:
        click.echo("Every event is the same.")
        return
    first = found.first
    click.echo(f"First difference at {wording.moment(first.at)} UTC, step {first.step}: {first.why}")
    click.echo(f"  recorded  {describe(first.recorded)}")
    click.echo(f"  replayed  {describe(first.replayed)}")
    click.echo(f"{len(found.blocked)} orders would have been blocked, {found.allowed} denied ones allowed.")
    print_table(
        ("AT (UTC)", "ORDER", "NOTIONAL", "CODE", "VALUE", "LIMIT"),
        (
            (
                wording.moment(b.at),
                b.order_id,
                f"{b.notional:,.2f}",
                b.code,
                f"{b.value or 0.0:g}",
                f"{b.limit or 0.0:g}",
            )
            for b in found.blocked[:20]
        ),
        right=("NOTIONAL", "VALUE", "LIMIT"),
    )
    click.echo(
        f"equity at the end {found.recorded.equity_end:,.2f} -> {found.replayed.equity_end:,.2f}: "
        f"{found.pnl_difference:+,.2f}"
    )


def _limits_file(path: Path) -> dict[str, Any]:
    """Return the limits in a TOML file, in a table ``[live_risk]`` or at its top.

    Raises:
        ConfigError: there is none, or it is no TOML.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: no file of limits: {error}") from None
    found = raw.get("live_risk", raw)
    if not isinstance(found, dict):
        raise ConfigError(f"{path}: [live_risk] must be a table")
    return found


def _limit(text: str) -> tuple[str, float]:
    """Return a limit that was typed as ``name=value``.

    Raises:
        ConfigError: it is none.
    """
    name, _, value = text.partition("=")
    try:
        return name.strip(), float(value)
    except ValueError:
        raise ConfigError(f"--set {text!r} must be NAME=NUMBER") from None
