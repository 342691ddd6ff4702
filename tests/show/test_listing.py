"""The listing: an address is read strictly and told back the same, and things in memory are found as a plain loop would."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peaktrade_core.base.errors import ConfigError, UnknownNameError
from peaktrade_core.show.listing import Chosen, Facet, Found, Listing, among, query_of
from peaktrade_core.show.table import Column, Columns

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


class Thing(NamedTuple):
    """Something to list."""

    id: str
    kind: str
    tag: tuple[str, ...]
    score: float | None
    began: datetime


COLUMNS = Columns[Thing](
    name=Column("Name", lambda one: f"the {one.kind}"), score=Column("Score", form="number"), began=Column("Began")
)
THINGS = Listing[Thing](
    name="things",
    path="/things",
    columns=COLUMNS,
    lead="name",
    shown="score",
    more="began",
    facets=(Facet("kind", ("a", "b", "c"), {"c": "a"}), Facet("tag")),
    sorts=("score", "began"),
    latest="began",
    key=lambda one: one.id,
    link=lambda one: f"/thing/{one.id}",
    item=lambda one: one,
    ask=lambda things, chosen: among(THINGS, things, chosen, NOON, when="began"),
)
made = st.builds(
    Thing,
    id=st.text("xyz", min_size=1, max_size=4),
    kind=st.sampled_from("ab"),
    tag=st.lists(st.sampled_from(["Ä", "q"]), unique=True).map(tuple),
    score=st.one_of(st.none(), st.floats(-5, 5)),
    began=st.integers(0, 9).map(lambda days: NOON - timedelta(days=days)),
)
asked = st.fixed_dictionaries(
    {},
    optional={
        "q": st.sampled_from(["x", "THE b", "ä", "nothing"]),
        "kind": st.sampled_from("abc"),
        "tag": st.sampled_from(["q", "Ä"]),
        "since": st.sampled_from(["2026-01-01", "2026-01-02T12:00"]),
        "until": st.sampled_from(["2026-01-04", "2026-01-05T11:00"]),
        "sort": st.sampled_from(["score", "began"]),
        "order": st.sampled_from(["asc", "desc"]),
        "limit": st.integers(1, 5).map(str),
        "offset": st.integers(0, 5).map(str),
    },
)


@given(st.lists(made, max_size=12), asked)
def test_what_is_found_is_what_a_plain_loop_finds(things: list[Thing], fields: dict[str, str]) -> None:
    things.sort(key=lambda one: one.began, reverse=True)
    chosen = THINGS.read("&".join(f"{name}={value}" for name, value in fields.items()))
    since, until = chosen.range(NOON)

    def fits(one: Thing, free: str = "") -> bool:
        text = f"{one.id}\nthe {one.kind}\n{one.score}\n{one.began:%Y-%m-%d %H:%M:%S}".casefold()
        kind, tag = chosen.facets.get("kind"), chosen.facets.get("tag")
        return (
            all(word in text for word in chosen.words)
            and (free == "kind" or kind in (None, one.kind))
            and (free == "tag" or tag is None or tag in one.tag)
            and (since is None or one.began >= since)
            and (until is None or one.began <= until)
        )

    found: Found[Thing] = THINGS.ask(things, chosen)
    wanted = [one for one in things if fits(one)]
    assert found.total == len(wanted)
    assert dict(found.facets["kind"]) == {
        kind: n for kind in "ab" if (n := sum(one.kind == kind for one in things if fits(one, "kind")))
    }
    if not chosen.sort:
        wanted = wanted[::-1] if chosen.rising else wanted
        assert list(found.rows) == wanted[chosen.offset :][: chosen.limit]
    else:
        every = THINGS.ask(things, chosen._replace(limit=100, offset=0)).rows
        scores = [one.score for one in every if one.score is not None]
        assert scores == sorted(scores, reverse=not chosen.rising)
        assert [one.score for one in every][len(scores) :] == [None] * (len(every) - len(scores))
        assert Counter(every) == Counter(wanted)


@given(asked)
def test_an_address_says_what_was_asked(fields: dict[str, str]) -> None:
    chosen = THINGS.read("&".join(f"{name}={value}" for name, value in fields.items()))
    told = THINGS.address(chosen, offset=chosen.offset)
    assert THINGS.read(told.partition("?")[2]) == chosen


def test_an_address_is_read_strictly() -> None:
    assert THINGS.read("") == Chosen()
    assert THINGS.read("q=&kind=&since=&columns=score&other=1&sort=began") == Chosen()
    assert query_of(THINGS.read("columns=began&columns=score")) == {"columns": "began,score"}
    assert THINGS.read("until=2026-01-05").until == datetime(2026, 1, 5, 23, 59, 59, 999999, tzinfo=UTC)
    assert THINGS.read("kind=c").facets == {"kind": "a"}
    backwards = THINGS.read("since=2026-01-06&until=2026-01-05")  # a fair question that nothing answers
    assert backwards.since is not None
    assert backwards.until is not None
    assert backwards.since > backwards.until
    for query in ("kind=z", "sort=name", "order=up", "columns=nope"):
        with pytest.raises(UnknownNameError):
            THINGS.read(query)
    for query in ("limit=0", "limit=1001", "limit=1e3", "limit=²", "offset=-1", "days=0", "days=x", "since=soon",
                  f"q={'x' * 301}", "&".join("a=1" for _ in range(200))):  # fmt: skip
        with pytest.raises(ConfigError):
            THINGS.read(query)
