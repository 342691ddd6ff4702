"""What each setting is: which way makes it tighter, who decides on it, and what must be known before it is loosened.

Pure data and the rules that read it. What is not known to be tighter counts as not tighter: a key that is taken away leaves
a default that nobody named, and a new rule may be one that stops less.

Source: operational runbooks 11.2 (who decides on limits); 8.4 (limits are never loosened without a reason).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Literal, NamedTuple

import msgspec

Direction = Literal["tighter", "neutral", "looser"]
TIGHTER: Direction = "tighter"
NEUTRAL: Direction = "neutral"
LOOSER: Direction = "looser"
Needs = Literal["", "sweep", "verdict"]
_RULE = "alerts.rule."
STOPS = (
    "drawdown",
    "daily_loss",
    "failed_in_row",
    "rejects_in_row",
    "stale_feed",
)  # kinds that ship where a file has none
_FREE_SPACE = "disk_free"  # the one kind of rule whose thresholds are tighter the larger they are
LOWER, HIGHER, MORE = "lower", "higher", "more"  # which way is tighter: a smaller or larger figure, a longer list
_ACTIONS = ("off", "none", "reduce", "halt", "kill_switch")  # the loosest first
_SCOPES = ("session", "global")
_TIERS = ("core", "aux", "legacy", "r_and_d")

FREE = ("contacts", "ui")  # tables of config.toml that say nothing about trading: anybody may edit them
CODE, TIER, ALERTS, SCHEDULE = "code.", "tier.", "alerts.", "schedule."  # how keys begin that are not of config.toml

WAYS: tuple[tuple[str, str | tuple[object, ...]], ...] = (
    ("live_risk.duplicate_window_s", HIGHER),
    ("live_risk.*", LOWER),
    ("session.position_fraction", LOWER),
    ("environment.mode", ("testnet", "shadow")),
    ("kill_switch.confirm_within_s", LOWER),
    ("triggers.*.threshold", LOWER),
    ("triggers.*.action", _ACTIONS),
    ("triggers.*.scope", _SCOPES),
    ("research.holdout", HIGHER),
    ("research.promotion_sessions", HIGHER),
    ("research.analysis.least_runs", HIGHER),
    ("research.analysis.warn_drawdown", LOWER),
    ("research.analysis.block_drawdown", LOWER),
    ("research.analysis.block_median_return", HIGHER),
    ("exchange.patience_s", LOWER),
    ("exchange.order_pace_s", HIGHER),
    ("journal.fsync", (False, True)),
    ("fleet.max_runs", LOWER),
    ("fleet.min_free_disk_mb", HIGHER),
    ("fleet.restart.policy", ("on-failure", "never")),
    ("fleet.restart.max_restarts", LOWER),
    ("retention.*_days", HIGHER),
    ("retention.action", ("delete", "archive")),
    ("schedule.jobs.*.enabled", (False, True)),
    ("tier.*", _TIERS),
    *((f"alerts.rule.*.{name}", LOWER) for name in (
        "threshold_pct", "warning_pct", "critical_pct", "max_loss", "max_silence_s", "max_errors", "max_denials", "sessions",
        "orders", "critical_orders", "max_age_s", "max_bars", "late_s", "for_s", "quiet_s",
    )),
    ("alerts.rule.*.enabled", (False, True)),
    ("alerts.rule.*.action", _ACTIONS),
    ("alerts.rule.*.scope", _SCOPES),
    ("alerts.rule.*.severity", ("info", "warning", "critical")),
    ("alerts.rule.*.channels", MORE),
    ("alerts.rule.*.escalate_to", MORE),
)  # fmt: skip
"""Which way is tighter, by the first pattern that fits; a tuple names the values from the loosest to the tightest."""

DECIDES: tuple[tuple[str, str, Needs], ...] = (
    ("live_risk.*", "limits", "sweep"),
    ("triggers.*", "limits", ""),
    ("kill_switch.*", "limits", ""),
    ("session.position_fraction", "limits", ""),
    ("code.*", "code", "verdict"),
    ("tier.*", "code", "verdict"),
    ("strategy.*", "code", "verdict"),
    ("strategy_modules", "code", ""),
    ("alerts.*", "alerts", ""),
    ("*", "configuration", ""),
)
"""Who decides on a key (of the decision matrix), and what is needed where it does not become tighter; the first that fits."""

STRICTEST = ("limits", "code", "alerts", "configuration")  # who may decide on the first may decide on those after it
EVIDENCE: dict[Needs, str] = {
    "": "",
    "sweep": "a `risk sweep` of the new limits over recorded sessions",
    "verdict": "the verdict of a sweep, or a replay",
}


class KeyChange(msgspec.Struct, frozen=True, kw_only=True):
    """One key that becomes something else.

    Attributes:
        key: ``live_risk.max_order_notional``, ``alerts.rule.drawdown.critical_pct``, ``code.ma_crossover``.
        old, new: None where it is not there; direction: whether it becomes tighter or looser.
    """

    key: str
    old: Any
    new: Any
    direction: Direction

    @property
    def told(self) -> str:
        """It in a line: ``live_risk.max_order_notional 1000 → 2000 (looser)``."""
        return f"{self.key} {shown(self.old)} → {shown(self.new)} ({self.direction})"


class Ruling(NamedTuple):
    """What follows from items: their direction together, who decides, and what must be known before."""

    direction: Direction
    authority: str
    needs: tuple[Needs, ...]


def items_of(before: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[KeyChange, ...]:
    """Return the keys that differ, by name, with their directions."""
    found, stops = [], {value for key, value in before.items() if key.startswith(_RULE) and key.endswith(".kind")}
    for key in sorted({*before, *now}):
        old, new = before.get(key), now.get(key)
        if old != new or isinstance(old, bool) is not isinstance(new, bool):
            was, kind = before.get(_kind_key(key)), now.get(_kind_key(key))
            way = direction(key, old, new, (was, kind))
            hides = old is None and was is None and kind in STOPS and kind not in stops  # the one that ships
            found.append(KeyChange(key=key, old=old, new=new, direction=LOOSER if hides else way))
    return tuple(found)


def _kind_key(key: str) -> str:
    """Return the key that says of which kind the alert rule of a key is, empty for other keys."""
    return f"{_RULE}{key.split('.')[2]}.kind" if key.startswith(_RULE) else ""


def direction(key: str, old: Any, new: Any, kinds: tuple[Any, Any] = (None, None)) -> Direction:
    """Return whether a key becomes tighter or looser with a new value; neutral where nobody can tell.

    Args:
        key: of a setting; old, new: None where it is not there. What is taken away is looser, and what takes the place of
            a default that stood for something, too: nobody named that default.
        kinds: of the alert rule that the key is of, before and then; a rule of another kind is another rule.
    """
    if old is None:
        way = _way(key)
        if isinstance(way, tuple) and new == way[-1] and not key.startswith(TIER):
            return NEUTRAL if kinds[0] is None else TIGHTER
        hides_default = (
            kinds[0] is not None or key.startswith(("triggers.", TIER)) or (key.endswith(".enabled") and not new)
        )
        return LOOSER if hides_default else NEUTRAL
    if new is None:
        return NEUTRAL if key.startswith((CODE, TIER)) else LOOSER
    if kinds[0] != kinds[1]:
        return NEUTRAL
    way = _way(key)
    if isinstance(way, tuple):
        if old not in way or new not in way:
            return NEUTRAL
        return TIGHTER if way.index(new) > way.index(old) else LOOSER
    if way == MORE:
        return TIGHTER if _holds(new, old) else LOOSER
    if not way or not _number(old) or not _number(new):
        return NEUTRAL
    if kinds[0] == _FREE_SPACE and key.endswith("_pct"):
        way = HIGHER
    return TIGHTER if (new < old) is (way == LOWER) else LOOSER


def _way(key: str) -> str | tuple[object, ...]:
    return next((way for pattern, way in WAYS if fnmatchcase(key, pattern)), "")


def _holds(whole: object, part: object) -> bool:
    return isinstance(whole, list) and isinstance(part, list) and set(part) <= set(whole)


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def ruling(items: Sequence[KeyChange]) -> Ruling:
    """Return what follows from some items; the loosest and the strictest of them count."""
    ways = {one.direction for one in items}
    whole = LOOSER if LOOSER in ways else TIGHTER if ways == {TIGHTER} else NEUTRAL
    decided = [(one, *_decides(one.key)) for one in items]
    authorities = {authority for _, authority, _ in decided}
    needs = {need for one, _, need in decided if need and one.direction != TIGHTER}
    return Ruling(
        whole,
        next((one for one in STRICTEST if one in authorities), STRICTEST[-1]),
        tuple(name for name in EVIDENCE if name in needs),
    )


def _decides(key: str) -> tuple[str, Needs]:
    return next((authority, need) for pattern, authority, need in DECIDES if fnmatchcase(key, pattern))


def shown(value: Any) -> str:
    """Return a value as people read it: figures without needless zeros, lists with commas, ``not there`` for none."""
    if value is None:
        return "not there"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return f"{value:,.15g}" if isinstance(value, (int, float)) else str(value) or "empty"


def some(items: Sequence[KeyChange], most: int = 5) -> str:
    """Return items in a line, the loosest first, so many of them and how many more there are."""
    order = sorted(items, key=lambda one: (LOOSER, NEUTRAL, TIGHTER).index(one.direction))
    more = f"; {len(order) - most} more" if len(order) > most else ""
    return "; ".join(one.told for one in order[:most]) + more
