"""What may stand in ``config/alerts.toml``: channels and rules, and what is wrong with a file that is not sound.

An error names the rule or channel, the key and what is allowed. A secret is never in the file: a channel's address
with a password or token comes from an environment variable or the keyring.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta

from peaktrade_core.alerts.alerts import WARNING
from peaktrade_core.alerts.rules.kinds import AnyRule, DailyLoss, Drawdown, FailedInRow, RejectsInRow, StaleFeed
from peaktrade_core.alerts.rules.rule import NONE
from peaktrade_core.base.errors import ConfigError, UnknownNameError
from peaktrade_core.base.typed import Checked, read
from peaktrade_core.runs.handbook import handbook
from peaktrade_core.workspace.settings import OFF, Trigger, Triggers

STOPS: dict[str, type] = {
    "drawdown": Drawdown,
    "daily_loss": DailyLoss,
    "failed_in_a_row": FailedInRow,
    "rejects_in_a_row": RejectsInRow,
    "stale_feed": StaleFeed,
}
"""The kinds of rules that stop sessions, by their names in ``[triggers]``: a file that leaves one out does not switch it off."""

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_OPEN_ADDRESSES = ("json", "jsons", "xml", "xmls", "form", "forms", "mailto", "mailtos")
_OPEN_OPTIONS = {"from", "to", "name", "cc", "bcc", "mode", "smtp", "format", "verify"}
_BEFORE = {"": "none", "pause": "halt"}  # how actions were written once


class Channel(Checked, frozen=True, kw_only=True):
    """Where notifications go.

    Attributes:
        kind: ``console``, ``log`` (logs/alerts.log) or ``apprise``, which takes one of the next three.
        url: an Apprise address without any secret in it.
        url_env: environment variable that holds the address; keyring: entry of the keyring that does.
        timeout_s: for one attempt to connect, and to read [s].
        deadline_s: how long an undelivered notification is tried again [s].
        max_chars: longest text that its receiver takes, title and markup included; 0 for what Apprise knows of it.
    """

    kind: Literal["console", "log", "apprise"] = "apprise"
    url: str = ""
    url_env: str = ""
    keyring: str = ""
    timeout_s: Annotated[float, Meta(ge=0.1, le=120.0)] = 10.0
    deadline_s: Annotated[float, Meta(ge=1.0, le=30 * 86_400.0)] = 21_600.0
    max_chars: Annotated[int, Meta(ge=0, le=1_000_000)] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        given = sum(map(bool, (self.url, self.url_env, self.keyring)))
        if given != (self.kind == "apprise"):
            raise ConfigError(
                "an apprise channel takes exactly one of url, url_env and keyring; console and log take none"
            )
        if self.url and not _without_secret(self.url):
            raise ConfigError(
                "url: an address with a token, a user or a password in it does not belong into a file; put it into an "
                'environment variable and name that: url_env = "PEAKTRADE_ALERT_…"'
            )


class AlertSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file.

    Attributes:
        rules: those that are enabled; disabled: the others.
        page: address of the dashboard's page of alerts, as it can be opened by those who read the channels; may be empty.
    """

    channels: dict[str, Channel]
    rules: tuple[AnyRule, ...]
    disabled: tuple[AnyRule, ...] = ()
    page: str = ""

    def rule(self, rule_id: str) -> AnyRule:
        """Return a rule by its name.

        Raises:
            UnknownNameError: there is none, or it is disabled.
        """
        for rule in self.rules:
            if rule.id == rule_id:
                return rule
        raise UnknownNameError("alert rule", rule_id, [r.id for r in self.rules], "peaktrade alerts rules")

    @property
    def keep_s(self) -> float:
        """How far back the farthest-looking rule looks into a run [s]."""
        return max((rule.window for rule in self.rules), default=0.0)


def read_settings(raw: dict[str, Any], source: str) -> AlertSettings:
    """Return the settings that a TOML document holds.

    Args:
        raw: the document; source: its file, for messages.

    Raises:
        ConfigError: an unknown key, a wrong type, a value out of range, a name twice; says where.
    """
    if unknown := set(raw) - {"channels", "rule", "page"}:
        raise ConfigError(
            f"{source}: unknown table {sorted(unknown)[0]!r}; there are page, [channels.NAME] and [[rule]]"
        )
    page = raw.get("page", "")
    if not isinstance(page, str) or not re.fullmatch(r"(https?://[^\s/@]+(/\S*)?)?", page):
        raise ConfigError(
            f"{source}: page = {page!r} must be the http address of the page of alerts, without a password"
        )
    channels = {}
    for name, table in _tables(raw.get("channels", {}), dict, source, "channels"):
        if not NAME.fullmatch(name):
            raise ConfigError(f"{source}: channel {name!r}: a name has lower-case letters, digits, - and _")
        channels[name] = read(table, Channel, f"{source}: channels.{name}")
    rules: list[AnyRule] = []
    for where, table in _tables(raw.get("rule", []), list, source, "rule"):
        rule = _read_rule(table, f"{source}: {where}", channels)
        if any(rule.id == other.id for other in rules):
            raise ConfigError(f"{source}: there are two rules with the id {rule.id!r}")
        rules.append(rule)
    enabled, disabled = (tuple(rule for rule in rules if rule.enabled is on) for on in (True, False))
    return AlertSettings(channels=channels, rules=enabled, disabled=disabled, page=page)


def with_stops(given: AlertSettings, shipped: AlertSettings, triggers: Triggers) -> AlertSettings:
    """Return a file's settings with every kind of stop, each as ``[triggers]`` says where that says something.

    Args:
        given: the file's; shipped: those that come with peaktrade, for what the file leaves out.
        triggers: of ``config/config.toml``.
    """
    told = {kind: trigger for name, kind in STOPS.items() if (trigger := getattr(triggers, name)) is not None}
    said = (*given.rules, *given.disabled)
    rules = list(given.rules)
    for kind in STOPS.values():
        acts = kind in told and told[kind].action != OFF
        if not any(isinstance(rule, kind) for rule in (given.rules if acts else said)):
            rules += [_stop(rule, given, said) for rule in shipped.rules if isinstance(rule, kind)]
    found = tuple(_triggered(rule, told[type(rule)]) if type(rule) in told else rule for rule in rules)
    return msgspec.structs.replace(given, rules=found)


def _stop(rule: AnyRule, given: AlertSettings, said: tuple[AnyRule, ...]) -> AnyRule:
    """Return a shipped rule as it stands beside those of a file: told on all its channels, under a name of its own."""
    name = f"{rule.id}-shipped" if any(one.id == rule.id for one in said) else rule.id
    channels = tuple(given.channels)
    return msgspec.structs.replace(rule, id=name, channels=channels, escalate_to=(), escalate_after_s=0.0)


def _triggered(rule: AnyRule, trigger: Trigger) -> AnyRule:
    """Return a rule that becomes critical where a trigger says, and then does what the trigger says."""
    from_ = trigger.threshold
    changes: dict[str, Any] = {}
    match rule:
        case Drawdown():
            changes = {"critical_pct": from_, "warning_pct": min(rule.warning_pct, from_)}
        case DailyLoss():
            changes = {"max_loss": from_}
        case FailedInRow():
            changes = {"sessions": math.ceil(from_)}
        case RejectsInRow():
            most = math.ceil(from_)
            changes = {"critical_orders": most, "orders": min(rule.orders, most), "severity": WARNING}
        case StaleFeed():
            changes = {"late_s": from_}
    action = NONE if trigger.action == OFF else trigger.action
    return msgspec.structs.replace(rule, action=action, scope=trigger.scope, **changes)


def _tables(given: Any, kind: type, source: str, name: str) -> list[tuple[str, Any]]:
    """Return the tables of the file with their names: ``mail``, or ``rule 1 (pnl-drop)``."""
    if not isinstance(given, (dict, list)) or type(given) is not kind:
        raise ConfigError(f"{source}: {name} must be written as " + ("[[rule]]" if kind is list else "[channels.NAME]"))
    if isinstance(given, dict):
        return list(given.items())
    return [(f"rule {n} ({_id_of(table)})", table) for n, table in enumerate(given, 1)]


def _id_of(table: Any) -> str:
    return str(table.get("id", "without id")) if isinstance(table, dict) else "no table"


_KINDS = {kind.__struct_config__.tag: kind for kind in get_args(AnyRule)}


def _read_rule(table: Any, where: str, channels: dict[str, Channel]) -> AnyRule:
    kind = table.get("kind") if isinstance(table, dict) else None
    if not isinstance(kind, str) or kind not in _KINDS:
        raise ConfigError(f"{where}: kind = {kind!r} must be one of: {', '.join(map(str, _KINDS))}")
    if isinstance(action := table.get("action"), str):
        table = {**table, "action": _BEFORE.get(action, action)}
    rule: AnyRule = read(table, _KINDS[kind], where)
    if not NAME.fullmatch(rule.id):
        raise ConfigError(f"{where}: id = {rule.id!r} must be of lower-case letters, digits, - and _")
    _one_of(where, "runbook", rule.chapter, handbook().chapter)
    if rule.action != NONE and not (rule.wide or rule.stops_sessions):
        raise ConfigError(f'{where}: {kind} is not about a session: write scope = "global", or no action')
    for channel in (*rule.channels, *rule.escalate_to):
        _one_of(where, "channels", channel, channels)
    if bool(rule.escalate_after_s) != bool(rule.escalate_to):
        raise ConfigError(f"{where}: escalate_after_s and escalate_to belong together")
    return rule


def _one_of(where: str, key: str, value: str, known: Iterable[str]) -> None:
    if value not in known:
        names = ", ".join(name or '""' for name in known) or "none"
        raise ConfigError(f"{where}: {key} = {value!r} must be one of: {names}")


def _without_secret(url: str) -> bool:
    """Return whether an address may stand in a file: of a plain kind, without user, password or unknown option."""
    schema, _, rest = url.partition("://")
    address, _, query = rest.partition("?")
    options = {part.partition("=")[0] for part in re.split("[&;]", query) if part}  # Apprise takes either
    return schema in _OPEN_ADDRESSES and "@" not in address and options <= _OPEN_OPTIONS
