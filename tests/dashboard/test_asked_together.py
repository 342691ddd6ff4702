"""Many viewers who ask the same are answered together, and nobody with something older than his question."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from peaktrade_core.dashboard.kernels import Watchdog
from peaktrade_core.dashboard.site import Serving


class Asked:
    """Answers how often it was asked; each time only when it is let go on."""

    def __init__(self) -> None:
        self.times, self.begun, self.go = 0, Event(), Event()

    def __call__(self) -> int:
        self.times += 1
        mine = self.times
        self.begun.set()
        assert self.go.wait(10)
        return mine


def desk(threads: int) -> Serving:
    return Serving(None, ThreadPoolExecutor(threads), Watchdog(), {})  # type: ignore[arg-type]


def test_who_asks_while_an_answer_is_made_shares_the_next_one():
    async def many() -> tuple[int, list[int]]:
        ours, question = desk(1), Asked()
        first = asyncio.create_task(ours.ask_together("/", question))
        await asyncio.to_thread(question.begun.wait, 10)
        later = [asyncio.create_task(ours.ask_together("/", question)) for _ in range(20)]
        await asyncio.sleep(0)
        question.go.set()
        return await first, await asyncio.gather(*later)

    first, later = asyncio.run(many())
    assert first == 1
    assert later == [2] * 20, "their question came after the first answer was begun"


def test_other_addresses_and_later_questions_have_answers_of_their_own():
    async def some() -> list[int]:
        ours, question = desk(2), Asked()
        question.go.set()
        found = [await ours.ask_together("/", question), await ours.ask_together("/", question)]
        found += await asyncio.gather(ours.ask_together("/a", question), ours.ask_together("/b", question))
        assert not ours.waiting
        return found

    assert sorted(asyncio.run(some())) == [1, 2, 3, 4]


def test_an_error_reaches_everybody_and_a_viewer_who_leaves_takes_nothing_away():
    async def fails() -> None:
        ours, question = desk(1), Asked()
        held = asyncio.create_task(ours.ask_together("held", question))
        await asyncio.to_thread(question.begun.wait, 10)

        def wrong() -> None:
            raise ValueError("no")

        waiting = [asyncio.create_task(ours.ask_together("/", wrong)) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.sleep(0)
        question.go.set()
        assert await held == 1
        for one in waiting[1:]:
            with pytest.raises(ValueError, match="no"):
                await one

    asyncio.run(fails())
