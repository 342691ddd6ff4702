"""The decision matrix: who may decide in which situation, whether two people must, and where it is written down.

Pure data and the rule that reads it. A decision of two has *seats*: each is filled by another person in one of its roles.

Source: operational runbooks 11.1 and 11.2 (roles, decision matrix); workflow 83, 6.3 (a drawdown of 10 % is escalated).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import Literal, NamedTuple, get_args

Role = Literal["operator", "risk_officer", "owner"]
ROLES: tuple[Role, ...] = get_args(Role)
HOUR = 3_600.0  # [s]
_CAREFUL: tuple[Role, ...] = ("risk_officer", "owner")
_TWO: tuple[tuple[Role, ...], ...] = (ROLES, ROLES)


class Authority(NamedTuple):
    """Who may decide in a situation, and how it is documented.

    Attributes:
        situation: in words; roles: who may decide it, alone or as the first.
        document: where it is written down.
        seats: of a decision of two: the roles that may fill each; none where one person is enough.
        within_s: how long a request for it may be signed and used [s]; 0 where none is made.
    """

    situation: str
    roles: tuple[Role, ...]
    document: str
    seats: tuple[tuple[Role, ...], ...] = ()
    within_s: float = 0.0

    @property
    def second(self) -> bool:
        """Whether another person must agree."""
        return len(self.seats) > 1


AUTHORITIES = {
    "routine": Authority("normal start or stop", ROLES, "operations.log"),
    "pause": Authority("pause because of an anomaly; the owner is told", ROLES, "incident report"),
    "resume": Authority("resume after a halt", ROLES, "operations.log"),
    "limits": Authority(
        "change of a risk limit", _CAREFUL, "configuration commit with a reason",
        (("risk_officer",), ("owner",)), 24 * HOUR,
    ),
    "alerts": Authority(
        "change of an alert rule, channel or escalation", _CAREFUL, "go/no-go in the filled checklist",
        (_CAREFUL, ROLES), 8 * HOUR,
    ),
    "configuration": Authority(
        "change of configuration", _CAREFUL, "ledger", (_CAREFUL, ROLES), 24 * HOUR
    ),
    "code": Authority("change of a strategy's code, tier or parameters", ("owner",), "ledger", (("owner",), ROLES), 72 * HOUR),
    "live": Authority("live activation", ("owner",), "approval document", (("owner",), ROLES), 8 * HOUR),
    "emergency": Authority("emergency stop; the owner is told", ROLES, "incident report"),
    "kill_switch": Authority("release of the kill switch", ROLES, "log of halts", _TWO, 900.0),
    "drawdown": Authority(
        "resume after a drawdown that halted", ROLES, "log of halts and incident report", (_CAREFUL, ROLES), 4 * HOUR
    ),
    "promotion": Authority(
        "promotion of a strategy", ROLES, "go/no-go document", (("owner",), ROLES), 72 * HOUR
    ),
    "holdout": Authority("opening of the hold-out", ROLES, "ledger", (_CAREFUL, ROLES), 72 * HOUR),
    "people": Authority("change of people, roles or keys", ROLES, "ledger", (("owner",), ROLES), 72 * HOUR),
}  # fmt: skip


def seated(authority: Authority, roles: Sequence[Sequence[str]]) -> int:
    """Return how many seats of a decision some people fill, one each, in the arrangement that fills most.

    Args:
        authority: of a decision of two; roles: of each person.
    """
    order = range(len(roles))
    ways = permutations(order, min(len(roles), len(authority.seats)))
    return max((sum(_fits(roles[one], seat) for one, seat in zip(way, seats, strict=False))
                for way in ways for seats in permutations(authority.seats)), default=0)  # fmt: skip


def _fits(roles: Sequence[str], seat: Sequence[str]) -> bool:
    return any(role in seat for role in roles)


def lacking(authority: Authority, roles: Sequence[Sequence[str]]) -> str:
    """Return in words who must still sign, given the roles of those who did; empty when nobody must."""
    best = max(
        (_filled(seats, roles) for seats in permutations(authority.seats)),
        key=lambda filled: -len(filled),
        default=(),
    )
    return told(best)


def _filled(seats: Sequence[tuple[Role, ...]], roles: Sequence[Sequence[str]]) -> tuple[tuple[Role, ...], ...]:
    """Return the seats that stay empty when each person takes the first free one that fits."""
    left = list(seats)
    for one in roles:
        seat = next((seat for seat in left if _fits(one, seat)), None)
        if seat is not None:
            left.remove(seat)
    return tuple(left)


def in_words(roles: Sequence[str]) -> str:
    """Return roles as a person says them: ``risk officer or owner``, ``anybody who is named``."""
    return "another person" if set(roles) == set(ROLES) else " or ".join(role.replace("_", " ") for role in roles)


def needed(authority: Authority) -> str:
    """Return in words who signs: ``risk officer and owner``, ``two people``."""
    return told(authority.seats)


def told(seats: Sequence[Sequence[str]]) -> str:
    """Return seats in words: ``two people``, ``risk officer and owner``."""
    if len(seats) > 1 and all(set(seat) == set(ROLES) for seat in seats):
        return "two people"
    return " and ".join(map(in_words, seats))
