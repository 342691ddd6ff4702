"""A look at what was held back: one trial, run over it once it is written down who looks and why."""

from __future__ import annotations

import numpy as np

from peaktrade_core.base.errors import DataError
from peaktrade_core.candles.replay import bars_of
from peaktrade_core.research.trials.holdout import HeldBack, HoldOut
from peaktrade_core.research.trials.sweep import SweepRecord
from peaktrade_core.research.trials.trial import Trial, try_out
from peaktrade_core.session.planning import plan_session
from peaktrade_core.workspace.workspace import Workspace


def look(workspace: Workspace, record: SweepRecord, trial: Trial, *, by: str, reason: str) -> tuple[HeldBack, Trial]:
    """Run a trial of a sweep over what is held back of its market, warmed up by the bars before, with a fresh account.

    Raises:
        WaitsForApproval: two people must sign it first.
        ConfigError: no name or reason; DataError: nothing is held back, or too few bars come before it.
        ArtefactError, EnvironmentFault: the opening cannot be written down: nothing is looked at.
    """
    plan = plan_session(workspace, **record.asked.wishes())
    config, warmup = plan.config, plan.config.warmup_candles
    hold, bars = HoldOut(workspace), bars_of(plan.feed)
    held = hold.of(config.symbol, config.timeframe)
    at = len(bars) if held is None else int(np.searchsorted(bars.ts, held.since.timestamp()))
    if at >= len(bars) or at < warmup:
        raise DataError(
            f"{record.sweep.candles} has no bars that are held back, or too few before them for the warm-up"
        )
    held = hold.open(f"{record.sweep_id}#{trial.number}", config.symbol, config.timeframe, by=by, reason=reason)
    rest = bars.part(at - warmup, len(bars))
    found, _ = try_out(trial.number, plan.decision, trial.params, rest, warmup, workspace.compiled)
    return held, found
