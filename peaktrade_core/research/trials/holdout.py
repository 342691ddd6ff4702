"""The part of each market that research cannot read by accident, and its openings, which cannot be taken back.

One function hands out bars for research, :meth:`HoldOut.readable`; :meth:`HoldOut.preview` shows the same to those that
may not write. Where the hold-out of a market begins is written down
at its first use and stays: candles that come later are held back, too.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import NamedTuple

import msgspec
import numpy as np

from peaktrade_core.base.clock import from_seconds, iso, utc
from peaktrade_core.base.errors import ArtefactError, ConfigError, DataError
from peaktrade_core.people.approvals import Approvals
from peaktrade_core.trading.market import Bars
from peaktrade_core.workspace.ledger import HOLDOUT, Ledger
from peaktrade_core.workspace.workspace import Workspace

SET, OPENED = "set", "opened"


class Opening(msgspec.Struct, frozen=True):
    """One look at what was held back.

    Attributes:
        trial: whose; by, reason: who wanted it, whether they signed it, and why; at: when, aware UTC.
        request: under which it was signed, empty where nobody has a key.
    """

    trial: str
    by: str
    reason: str
    at: datetime
    request: str = ""


class HeldBack(msgspec.Struct, frozen=True):
    """What is held back of a market.

    Attributes:
        symbol, timeframe: of the market; since: first bar that is held back, aware UTC.
        openings: every look at it, oldest first.
    """

    symbol: str
    timeframe: str
    since: datetime
    openings: tuple[Opening, ...]


class Split(NamedTuple):
    """Bars cut at the hold-out.

    Attributes:
        readable: what research may see; held: how many bars it may not; since: the first of those, None for none.
    """

    readable: Bars
    held: int
    since: datetime | None


class HoldOut:
    """The hold-out of a workspace, a section of its ledger."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self.chain = Ledger.of(workspace).section(HOLDOUT)

    def status(self) -> list[HeldBack]:
        """Return what is held back, by market, in the order of first use.

        Raises:
            ArtefactError: the log is broken, so what was opened is not known.
        """
        begins: dict[tuple[str, str], datetime] = {}
        openings: dict[tuple[str, str], list[Opening]] = {}
        for link, _ in self.chain.links():
            market = (str(link.data.get("symbol")), str(link.data.get("timeframe")))
            try:
                if link.kind == SET:
                    begins.setdefault(market, datetime.fromisoformat(link.data["since"]))
                elif link.kind == OPENED:
                    told = link.data
                    one = Opening(told["trial"], told["by"], told["reason"], link.at, told.get("request", ""))
                    openings.setdefault(market, []).append(one)
            except (KeyError, TypeError, ValueError) as error:
                raise ArtefactError(f"{self.chain.path}, line {link.seq + 1}: not an entry of a hold-out") from error
        return [HeldBack(*market, since, tuple(openings.get(market, ()))) for market, since in begins.items()]

    def of(self, symbol: str, timeframe: str) -> HeldBack | None:
        """Return what is held back of a market; None before its first use. Raises as :meth:`status`."""
        return next((one for one in self.status() if (one.symbol, one.timeframe) == (symbol, timeframe)), None)

    def readable(self, bars: Bars, symbol: str, timeframe: str) -> Split:
        """Return the bars of a market that research may see.

        Raises:
            ArtefactError: the log is broken: nothing may be read.
            DataError: all of them are held back.
            EnvironmentFault: the first use cannot be written down.
        """
        since = self._begin(bars, symbol, timeframe)
        if since is not None and self.of(symbol, timeframe) is None:
            share = self._workspace.config.research.holdout
            entry = {"symbol": symbol, "timeframe": timeframe, "since": iso(since), "share": share}
            self.chain.append((SET, entry), at=self._workspace.clock.now())
        return _split(bars, since, f"{symbol} {timeframe}")

    def preview(self, bars: Bars, symbol: str, timeframe: str) -> Split:
        """Return what :meth:`readable` would, and write nothing down; what was seen so is no result.

        Raises:
            ArtefactError: the log is broken: nothing may be read.
            DataError: all of them are held back.
        """
        return _split(bars, self._begin(bars, symbol, timeframe), f"{symbol} {timeframe}")

    def _begin(self, bars: Bars, symbol: str, timeframe: str) -> datetime | None:
        """Return where the hold-out of a market begins, or would with these bars; None where nothing is held back."""
        if (held := self.of(symbol, timeframe)) is not None:
            return held.since
        share = self._workspace.config.research.holdout
        return from_seconds(float(bars.ts[_cut(len(bars), share)])) if share > 0.0 else None

    def open(self, trial: str, symbol: str, timeframe: str, *, by: str, reason: str) -> HeldBack:
        """Write down that somebody looks at the hold-out of a market, before it is looked at, and return it.

        Where people have keys, two of them sign that before.

        Raises:
            WaitsForApproval: two people must sign it; it was asked for, and nothing is opened.
            ConfigError: no name or no reason, or nothing is held back there.
            ArtefactError, EnvironmentFault: the log is broken or cannot be written: nothing is opened.
        """
        if not by.strip() or not reason.strip():
            raise ConfigError("opening the hold-out takes a name and a reason; both are kept for ever")
        held = self.of(symbol, timeframe)
        if held is None:
            raise ConfigError(f"nothing of {symbol} {timeframe} is held back: no research has used it yet")
        about = f"{trial} on {symbol} {timeframe}, opened {len(held.openings)} times before"
        made = Approvals.of(self._workspace).require("holdout", about, _binds(trial, held), by=by, reason=reason)
        now = self._workspace.clock.now()
        one = Opening(trial, made.told, reason.strip(), now, made.request)
        said = {"symbol": symbol, "timeframe": timeframe, "trial": trial, "by": one.by, "reason": one.reason}
        self.chain.append((OPENED, {**said, "request": one.request} if one.request else said), at=now)
        return msgspec.structs.replace(held, openings=(*held.openings, one))


def _binds(trial: str, held: HeldBack) -> str:
    """Return the SHA-256 of a look at the hold-out: which trial, which market, after which other looks."""
    told = (trial, held.symbol, held.timeframe, iso(held.since), str(len(held.openings)))
    return hashlib.sha256("\0".join(told).encode()).hexdigest()


def _cut(n: int, share: float) -> int:
    """Return the first bar of ``n`` that is held back; at least one bar stays readable and one is held back."""
    return min(n - 1, max(1, round(n * (1.0 - share))))


def _split(bars: Bars, since: datetime | None, market: str) -> Split:
    """Return bars cut at a time.

    Raises:
        DataError: all of them are held back.
    """
    if since is None:
        return Split(bars, 0, None)
    at = int(np.searchsorted(bars.ts, since.timestamp()))
    if at == 0:
        raise DataError(
            f"all of these bars of {market} are held back since {utc(since)}: take earlier ones, "
            "or open the hold-out for one trial (peaktrade holdout open)"
        )
    return Split(bars.part(0, at), len(bars) - at, since if at < len(bars) else None)
