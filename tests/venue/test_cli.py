"""The command line on a venue: what an operator types, and what is said when the venue or a key is missing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rig import give_keys, on_venue

from peaktrade_core.testing import LoopbackVenue, MarketSource
from peaktrade_core.workspace.workspace import Workspace

Run = Callable[..., Any]
KEYS = ("KRAKEN_TESTNET_API_KEY", "KRAKEN_TESTNET_API_SECRET")


def test_testnet_without_credentials_says_where_they_belong_and_writes_nothing(
    home: Path, peaktrade: Run, configure: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    configure('mode = "shadow"', 'mode = "testnet"')
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)
    ended = peaktrade(
        "session",
        "run",
        "--mode",
        "testnet",
        "--steps",
        10,
        env={"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"},
    )
    assert ended.code == 8
    assert "no credentials for kraken: set KRAKEN_TESTNET_API_KEY and KRAKEN_TESTNET_API_SECRET" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert [path for path in home.rglob("*") if path.is_file()] == [home / "config" / "config.toml"]


def test_a_venue_that_refuses_connections_fails_the_session_with_a_clear_error(
    home: Path, peaktrade: Run, configure: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    with LoopbackVenue(MarketSource.synthetic(seed=7)) as venue:
        on_venue(Workspace(home), venue, configure, monkeypatch)
        configure("patience_s = 900.0", "patience_s = 0.5")
        venue.refuse()
        ended = peaktrade("session", "run", "--feed", "exchange", "--steps", 5, "--warmup-candles", 20)
    assert ended.code == 1
    assert "ExchangeNetworkError: kraken GET http://127.0.0.1:" in ended.stdout
    assert "Traceback" not in ended.stderr
    (record,) = [json.loads(path.read_text()) for path in (home / "reports" / "experiments").rglob("*.json")]
    assert (record["status"], record["metrics"]["steps"]) == ("failed", 0)


def test_testnet_on_the_embedded_market_validates_its_orders_at_the_venue(
    home: Path, peaktrade: Run, configure: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    with LoopbackVenue(MarketSource.synthetic(seed=7)) as venue:
        on_venue(Workspace(home), venue, configure, monkeypatch)
        ended = peaktrade(
            "session",
            "run",
            "--mode",
            "testnet",
            "--feed",
            "synthetic",
            "--steps",
            150,
            "--param",
            "fast=2",
            "--param",
            "slow=5",
            "--json",
        )
        sent = venue.requests_to("AddOrder")
        assert venue.orders == ()
    assert ended.code == 0
    record = json.loads(ended.stdout)
    assert (record["mode"], record["run_type"]) == ("testnet", "live_session_testnet")
    assert (record["env_name"], record["config"]["feed"]) == ("kraken (loopback)", "synthetic")
    assert len(sent) == record["metrics"]["orders_generated"] > 5
    assert {request.params["validate"] for request in sent} == {"true"}


def test_without_the_switch_no_testnet_session_starts(home: Path, peaktrade: Run) -> None:
    ended = peaktrade("session", "run", "--mode", "testnet", "--feed", "synthetic", "--steps", 10)
    assert ended.code == 2
    assert 'testnet is switched off: [environment] mode = "shadow" in config/config.toml' in ended.stderr
    assert [path for path in home.rglob("*") if path.is_file()] == [home / "config" / "config.toml"]


def test_the_environment_is_the_venue_that_is_asked_and_no_label(
    home: Path, peaktrade: Run, configure: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def planned(*given: str) -> dict[str, Any]:
        return json.loads(peaktrade("session", "run", "--dry-run", "--json", *given).stdout)

    with LoopbackVenue(MarketSource.synthetic(seed=7)) as venue:
        on_venue(Workspace(home), venue, configure, monkeypatch)
        give_keys(monkeypatch, "krakenfutures", venue.credentials)
        plan = planned("--mode", "testnet")
        assert (plan["env_name"], plan["config"]["feed"]) == ("kraken (loopback)", "exchange")
        plan = planned("--mode", "testnet", "--env", "kraken_futures_testnet", "--symbol", "BTC/USD-PERP")
        assert plan["env_name"] == "krakenfutures (loopback)"
        assert planned()["env_name"] == "synthetic"
        assert planned("--env", "kraken_futures_testnet")["env_name"] == "synthetic"  # nobody is asked
        perpetual = ("--feed", "exchange", "--env", "krakenfutures", "--symbol", "BTC/USD-PERP")
        assert planned(*perpetual)["env_name"] == "krakenfutures (loopback)"
        ended = peaktrade("session", "run", "--mode", "testnet", "--env", "krakan")
    assert ended.code == 2
    assert "unknown environment 'krakan'; known: kraken" in ended.stderr


def test_a_dry_run_on_the_exchange_feed_asks_nobody(
    home: Path, peaktrade: Run, configure: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    with LoopbackVenue(MarketSource.synthetic(seed=7)) as venue:
        on_venue(Workspace(home), venue, configure, monkeypatch)
        ended = peaktrade("session", "run", "--feed", "exchange", "--dry-run")
        assert venue.requests == ()
    assert ended.code == 0
    assert "exchange" in ended.stdout
    assert "None" not in ended.stdout


def test_a_base_url_elsewhere_is_refused(home: Path, peaktrade: Run, configure: Callable[[str, str], None]) -> None:
    configure('base_url = ""', 'base_url = "https://api.kraken.com"')
    ended = peaktrade("session", "run", "--feed", "exchange")
    assert ended.code == 2
    assert "must be on this machine" in ended.stderr
