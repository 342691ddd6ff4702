"""A venue that answers with recordings of the real one, so that a client replays what once happened.

A recording is a JSON file with ``method, url, request_body, status, date, content_type, body``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from peaktrade_core.base.clock import as_utc
from peaktrade_core.base.errors import DataError, why
from peaktrade_core.base.files import read_plain
from peaktrade_core.testing.clock import VenueClock
from peaktrade_core.testing.faults import VenueFault
from peaktrade_core.testing.kraken.signing import LOOPBACK
from peaktrade_core.testing.venue import Venue
from peaktrade_core.testing.wire import Reply, VenueRequest, json_reply


class Recording(msgspec.Struct, frozen=True):
    """One exchange with the real venue."""

    method: str
    url: str
    request_body: dict[str, Any] | None
    status: int
    date: str
    content_type: str
    body: str
    name: str = ""

    @property
    def path(self) -> str:
        """Return the path of the request, without the query."""
        return urlsplit(self.url).path

    @property
    def ts(self) -> float:
        """Return when it was answered [s since epoch]."""
        return as_utc(parsedate_to_datetime(self.date)).timestamp()

    @property
    def params(self) -> dict[str, str]:
        """Return the parameters of query and body, without those that say nothing."""
        sent = dict(parse_qsl(urlsplit(self.url).query)) | (self.request_body or {})
        return {name: _text(value) for name, value in sent.items() if value not in (None, False)}


class RecordedVenue(Venue):
    """Answers each request with the recording that fits it best: of those with most equal parameters, the latest.

    Public requests need all their parameters equal; for private ones the closest recording answers, except that a
    validated order is never answered by a real one, nor the other way round. Signatures are not checked.

    Kraken's dark pools (``XXBTZEUR.d``), long closed, are in older recordings of AssetPairs. ccxt takes them for the
    open market of the same symbol, so they are left out of the answer unless asked for.
    """

    def __init__(self, recordings: Iterable[Recording], port: int = 0, *, dark_pools: bool = False) -> None:
        """Take the recordings; the clock stands at the time of the latest.

        Args:
            recordings: in any order.
            port: 0 for any free one.
            dark_pools: whether AssetPairs keeps its dark pools.

        Raises:
            DataError: there are none.
            EnvironmentFault: the port is taken or may not be used.
        """
        self.recordings = sorted(recordings, key=lambda recording: recording.ts)
        if not self.recordings:
            raise DataError("there are no recordings to answer with")
        self.dark_pools = dark_pools
        self._pinned: dict[str, Recording] = {}
        super().__init__(VenueClock(self.recordings[-1].ts), port, LOOPBACK)

    def pin(self, recording: Recording) -> None:
        """Answer every request to the recording's path with it from now on."""
        self._pinned[recording.path] = recording

    def unpin(self) -> None:
        """Choose the recordings by themselves again."""
        self._pinned.clear()

    def answer(self, request: VenueRequest, fault: VenueFault | None) -> Reply:  # noqa: ARG002 - candles are as recorded
        """Return the recording that fits, or Kraken's words for a method that does not exist."""
        found = self._pinned.get(request.path) or self._closest(request)
        if found is None:
            return json_reply({"error": ["EGeneral:Unknown method"]}, 404)
        body = found.body if self.dark_pools or request.endpoint != "AssetPairs" else _without_dark_pools(found.body)
        return Reply(found.status, body.encode(), found.content_type)

    def _closest(self, request: VenueRequest) -> Recording | None:
        wanted = request.params
        fitting = [one for one in self.recordings if (one.method, one.path) == (request.method, request.path)]
        if "/public/" in request.path:
            fitting = [one for one in fitting if one.params == wanted]
        fitting = [one for one in fitting if ("validate" in one.params) == ("validate" in wanted)]
        return max(fitting, key=lambda one: (len(one.params.items() & wanted.items()), one.ts), default=None)


def read_recordings(folder: Path | str) -> list[Recording]:
    """Return the recordings of a folder, by name.

    Raises:
        DataError: the folder holds none, or a file is no recording.
    """
    paths = sorted(Path(folder).glob("*.json"))
    if not paths:
        raise DataError(f"{folder}: no recordings (*.json) there")
    return [_read(path) for path in paths]


def _read(path: Path) -> Recording:
    try:
        recording = msgspec.json.decode(read_plain(path), type=Recording)
    except (OSError, msgspec.MsgspecError) as error:
        raise DataError(f"{path}: is no recording: {why(error)}") from None
    unfolded = re.sub(r"\\n +", " ", recording.body)  # some tapes folded long lines inside the JSON's strings
    return msgspec.structs.replace(recording, name=path.stem, body=unfolded)


def _without_dark_pools(body: str) -> str:
    """Return the body of an AssetPairs answer without the pairs whose names end in ``.d``."""
    answer = msgspec.json.decode(body)
    answer["result"] = {name: pair for name, pair in answer["result"].items() if not name.endswith(".d")}
    return msgspec.json.encode(answer).decode()


def _text(value: Any) -> str:
    """Return a recorded parameter as it would be sent."""
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
