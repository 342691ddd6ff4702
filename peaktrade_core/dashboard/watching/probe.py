"""The dashboard looked at from outside, over HTTP, as somebody who watches would: what answers, and what is refused.

Where no address is given a server of our own is started on a free port of this machine and ended again, so that the
proof needs nothing to be running. What is gathered here is judged in :mod:`pages`.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from html import unescape
from threading import Timer
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from peaktrade_core.base.errors import ConfigError, EnvironmentFault, why
from peaktrade_core.dashboard.access import is_local
from peaktrade_core.show.wording import TIED
from peaktrade_core.workspace.workspace import Workspace

WRITES = ("POST", "PUT", "PATCH", "DELETE")
FILTERED = "mode=shadow&status=completed"
ADDRESSES = (
    ("/", "the Live-Track page"),
    ("/sessions", "the page of the sessions"),
    (f"/sessions?{FILTERED}", "the same under filters"),
    ("/docs", "the API's description"),
    ("/openapi.json", "the same for programs"),
    ("/api/health", "whether it is there"),
    ("/health", "the same"),
    ("/api/live_sessions?limit=50", "the newest sessions"),
    (f"/api/live_sessions?limit=50&{FILTERED}", "the same under filters"),
    ("/api/live_sessions/stats", "figures over all sessions"),
    ("/runs", "the runs"),
    ("/api/live/status/snapshot.json", "the status snapshot"),
    ("/api/live/status/snapshot.html", "the same as a page"),
)
SNAPSHOT = "/api/live/status/snapshot.json"
STARTS_S, ANSWERS_S = 60.0, 20.0  # how long a server may take to begin, and to answer [s]
_SECRET = re.compile(r"_(KEY|SECRET|TOKEN|PASSWORD)$")
SHORTEST_SECRET = 8  # characters; a shorter value would be found anywhere


class PageReply(NamedTuple):
    """What came back: the status of HTTP (0 for nothing), the text, and how long it took [s]."""

    status: int
    body: str
    seconds: float = 0.0

    @property
    def said(self) -> str:
        """The text as a person reads it: signs instead of their escapes, plain blanks."""
        return unescape(self.body).replace(TIED, " ")

    def json(self) -> Any:
        """Return the answer as JSON, None where it is none."""
        with suppress(ValueError):
            return json.loads(self.body)
        return None


class SeenDashboard(NamedTuple):
    """What was seen of a dashboard.

    Attributes:
        fault: why it could not be looked at, empty when it could; own: whether it was started for this look.
        answers: by path, of GET; again: the status snapshot, asked a second time.
        writes: by method and path, what was answered to a request that would change something; stranger: the status
            under a foreign name.
        told: credentials of this process that stood in an answer, by the name of their variable.
    """

    fault: str = ""
    own: bool = False
    answers: dict[str, PageReply] = {}  # noqa: RUF012  (never changed)
    again: PageReply = PageReply(0, "")
    writes: dict[tuple[str, str], int] = {}  # noqa: RUF012
    stranger: int = 0
    told: tuple[str, ...] = ()

    def json(self, path: str) -> Any:
        """Return what a path answered as JSON, None where it did not."""
        return self.answers.get(path, PageReply(0, "")).json()

    def mapping(self, path: str) -> dict[str, Any]:
        """Return what a path answered as a JSON object, empty where it is none."""
        found = self.json(path)
        return found if isinstance(found, dict) else {}


def look_at_dashboard(workspace: Workspace, address: str = "", session_id: str = "") -> SeenDashboard:
    """Ask a dashboard for everything, try to change something, and return what came back; never raises for a dead one.

    Args:
        workspace: whose dashboard it is.
        address: as ``peaktrade dashboard`` prints it; empty starts one for this look and ends it again.
        session_id: a session whose page and detail are asked for as well.

    Raises:
        ConfigError: the address is none of this machine.
    """
    where = _loopback(address) if address else None
    paths = [path for path, _ in ADDRESSES]
    if session_id:
        paths += [f"/session/{quote(session_id, safe='')}", f"/api/live_sessions/{quote(session_id, safe='')}"]
    try:
        if where is not None:
            return _look(*where, paths)
        with _own_dashboard(workspace) as (host, port):
            return _look(host, port, paths)._replace(own=True)
    except (OSError, http.client.HTTPException, EnvironmentFault) as error:
        return SeenDashboard(fault=f"{address or 'a dashboard of our own'}: {why(error)}", own=not address)


def _look(host: str, port: int, paths: list[str]) -> SeenDashboard:
    """Return what a server answers."""
    answers = {path: _ask(host, port, path) for path in paths}
    again = _ask(host, port, SNAPSHOT)
    writes = {(method, path): _ask(host, port, path, method).status for path in paths for method in WRITES}
    secrets = {n: v for n, v in os.environ.items() if _SECRET.search(n.upper()) and len(v) >= SHORTEST_SECRET}
    told = sorted(name for name, value in secrets.items() if any(value in one.body for one in answers.values()))
    stranger = _ask(host, port, "/api/health", name="dashboard.example.org").status
    return SeenDashboard(answers=answers, again=again, writes=writes, stranger=stranger, told=tuple(told))


def _ask(host: str, port: int, path: str, method: str = "GET", name: str = "") -> PageReply:
    """Return what one request gets; ``name`` stands in the place of the host's."""
    wire = http.client.HTTPConnection(host, port, timeout=ANSWERS_S)
    began = time.monotonic()
    try:
        wire.request(method, path, headers={"Host": name} if name else {})
        got = wire.getresponse()
        body = got.read().decode("utf-8", "replace")
        return PageReply(got.status, body, time.monotonic() - began)
    finally:
        wire.close()


def _loopback(address: str) -> tuple[str, int]:
    """Return host and port of an address of this machine.

    Raises:
        ConfigError: it is none; nothing here asks another machine.
    """
    parts = urlsplit(address if "//" in address else f"//{address}", scheme="http")
    try:
        host, port = parts.hostname or "", parts.port or 80
    except ValueError:
        host, port = "", 0
    if parts.scheme != "http" or not is_local(host):
        raise ConfigError(
            f"dashboard = {address!r} must be an address of this machine, as `peaktrade dashboard` prints it: "
            "http://127.0.0.1:8000/; leave it empty to look at one that is started for the purpose"
        )
    return host, port


@contextmanager
def _own_dashboard(workspace: Workspace) -> Iterator[tuple[str, int]]:
    """Run a dashboard on a free port of this machine for the block.

    Raises:
        EnvironmentFault: it did not start; says what it printed.
    """
    program = (sys.executable, "-m", "peaktrade_core", "dashboard", "--port", "0")
    where = ("--home", str(workspace.home), "--config", str(workspace.config_path.resolve()))
    process = subprocess.Popen(  # noqa: S603  (our own command)
        (*program, *where), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True
    )
    late = Timer(STARTS_S, process.kill)
    late.start()
    try:
        assert process.stdout is not None
        printed = ""
        for line in process.stdout:
            printed += line
            if found := re.search(r"http://(127\.0\.0\.1):(\d+)/", line):
                late.cancel()
                yield found[1], int(found[2])
                return
        raise EnvironmentFault(f"it did not start: {printed.strip() or 'it printed nothing'}")
    finally:
        late.cancel()
        process.terminate()
        try:
            process.wait(10.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
