"""A key and a secret that nobody may find again: in no file, no output, no argument, no representation."""

from __future__ import annotations

import base64
import logging
import logging.config
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pyarrow.parquet
import pytest
from rig import give_keys, on_venue

from peaktrade_core.testing import LoopbackKey, LoopbackVenue, MarketSource, VenueFault
from peaktrade_core.workspace.workspace import Workspace

KEY = "CANARYkey0123456789+/x"
SECRET = base64.b64encode(b"canary secret that must not be seen anywhere").decode()
OTHER = LoopbackKey("CANARYkeyOfSomebodyElse+/", SECRET)


def forms(text: str) -> set[bytes]:
    """Return how a text could have been written."""
    raw = text.encode()
    inner = base64.b64decode(raw + b"=" * (-len(raw) % 4)) if text == SECRET else raw
    encoded = {base64.b64encode(raw[at:])[4:-4] for at in range(3)}
    return {raw, raw[:12], quote(text, safe="").encode(), quote(text).encode(), raw.hex().encode(), inner, *encoded}


def found_in(data: bytes) -> set[bytes]:
    return {form for secret in (KEY, SECRET, OTHER.key) for form in forms(secret) if form in data}


def texts_of(folder: Path) -> dict[Path, bytes]:
    """Return every file below a folder, parquet also decoded."""
    files = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return files | {
        path.with_suffix(".decoded"): repr(pyarrow.parquet.read_table(path).to_pylist()).encode()
        for path in files
        if path.suffix == ".parquet"
    }


def test_the_search_finds_what_is_there() -> None:
    for hidden in (KEY, f"x {quote(SECRET)} y", base64.b64encode(f"user:{KEY}".encode()).decode()):
        assert found_in(hidden.encode()), hidden


def test_after_sessions_that_failed_and_that_completed_no_trace_of_a_key_is_left(
    home: Path,
    workspace: Workspace,
    configure: Callable[[str, str], None],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})  # as Jupyter does: enables all loggers
    market = MarketSource.synthetic(seed=7, volatility=1.5)
    with LoopbackVenue(market, credentials=LoopbackKey(KEY, SECRET)) as venue, caplog.at_level(logging.DEBUG):
        desk = on_venue(workspace, venue, configure, monkeypatch)
        plan = desk.plan(mode="testnet", steps=40)
        shown = f"{plan!r} {plan.broker!r} {plan.broker._client!r} {plan.broker._client._ccxt!r} {plan.feed!r}"
        venue.faults.add(VenueFault.named("reset"), path="AddOrder", times=1)
        completed = desk.run(plan)
        give_keys(monkeypatch, "kraken", OTHER)
        refused = desk.session(mode="testnet", steps=40)
        monkeypatch.setenv("KRAKEN_TESTNET_API_SECRET", f"not-base64-{SECRET[:20]}!")
        malformed = desk.session(mode="testnet", steps=40, symbol="BTC/EUR", strategy="donchian_breakout", params={})
        sent = [request for request in venue.requests_to("AddOrder") if request.headers.get("api-key") == KEY]
    assert len(sent) > 3  # the key was really in use
    assert completed.record.status == "completed"
    assert refused.record.error == 'ExchangeAuthenticationError: kraken {"error":["EAPI:Invalid key"]}'
    assert malformed.record.error.startswith("ExchangeAuthenticationError: ")
    written = texts_of(home)
    assert len(written) > 12
    assert {path.suffix for path in written} >= {".json", ".jsonl", ".parquet", ".sqlite", ".log", ".toml"}
    output = capfd.readouterr()
    written |= {
        Path("stdout"): output.out.encode(),
        Path("stderr"): output.err.encode(),
        Path("log"): caplog.text.encode(),
        Path("argv"): Path("/proc/self/cmdline").read_bytes() + repr(sys.argv).encode(),
        Path("repr"): shown.encode(),
    }
    assert {path: hits for path, data in written.items() if (hits := found_in(data))} == {}


def test_the_command_line_shows_no_key_either(
    home: Path, peaktrade: Callable[..., object], configure: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    with LoopbackVenue(MarketSource.synthetic(seed=7), credentials=LoopbackKey(KEY, SECRET)) as venue:
        on_venue(Workspace(home), venue, configure, monkeypatch)
        give_keys(monkeypatch, "kraken", OTHER)
        ended = peaktrade(
            "session",
            "run",
            "--mode",
            "testnet",
            "--feed",
            "synthetic",
            "--steps",
            200,
            "--param",
            "fast=2",
            "--param",
            "slow=5",
        )
        assert len(venue.requests_to("AddOrder")) == 1
    assert ended.code == 1
    assert "ExchangeAuthenticationError" in ended.stdout
    assert found_in(f"{ended.stdout}{ended.stderr}".encode()) == set()
    assert {path: hits for path, data in texts_of(home).items() if (hits := found_in(data))} == {}


def test_credentials_do_not_show_themselves() -> None:
    from peaktrade_core.venue.credentials import Credentials as Ours

    assert repr(Ours(KEY, SECRET)) == str(Ours(KEY, SECRET)) == "Credentials()"
