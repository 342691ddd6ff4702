"""Orders of one bar on their way to a venue: each on the disk before it is sent, none after one that was refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peaktrade_core.trading import book as bk
from peaktrade_core.trading import events as ev
from peaktrade_core.trading.risk import DENY_CODES, OK, STATE_HALTED, check_sending

if TYPE_CHECKING:
    from peaktrade_core.session.loop import Loop

NOT_SENT = "not sent: an order before it was refused"


def submit(loop: Loop, placed: list[ev.Order], reasons: list[str]) -> int:
    """Ask the venue about orders, in their order, and return how many it refused; the rest is then withdrawn.

    Each order is on the disk before it is sent. One that may not be sent any more is denied, and its code added to
    ``reasons``: the answer to the one before may have taken long.
    """
    for n, order in enumerate(placed):
        opening = order.purpose == "open"
        ending = loop.look(force=True)
        verdict = check_sending(loop.book, opening)
        if verdict.code != OK or (ending and opening):
            code = DENY_CODES[verdict.code if verdict.code != OK else STATE_HALTED]
            loop.append(ev.Denial, code, order.qty, order.price, verdict.value, verdict.limit, order.order_id)
            loop.teller.withdraw(order, loop.book)
            reasons.append(code)
            continue
        loop.append(ev.Submission, order.order_id)
        loop.journal.commit()
        answer = loop.plan.broker.submit(order)
        loop.append(ev.VenueAnswer, order.order_id, answer.accepted, answer.message, answer.raw)
        if not answer.accepted:
            loop.refusal = answer.message
            for other in placed[n + 1 :]:
                loop.append(ev.VenueAnswer, other.order_id, False, NOT_SENT)
            for refused in placed[n:]:
                loop.teller.withdraw(refused, loop.book)
            loop.book[bk.REJECTS] += 1.0
            return len(placed) - n
        loop.book[bk.REJECTS] = 0.0
    return 0
