"""The JSON Schema of the configuration says what the file may hold, and the shipped file's comments agree."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.trading.market import Timeframe
from peaktrade_core.trading.risk import Limits
from peaktrade_core.workspace.config import Config, load_config, read_limits
from peaktrade_core.workspace.settings import RiskLimits
from peaktrade_core.workspace.venues import VENUES

SHIPPED = Path(__file__).parents[2] / "config" / "config.toml"
SCHEMA = msgspec.json.schema(Config)


def rule_of(dotted: str) -> dict[str, Any]:
    """Return what the schema says of a key such as ``session.steps``."""
    found: dict[str, Any] = SCHEMA
    for part in dotted.split("."):
        while "$ref" in found:
            found = SCHEMA["$defs"][found["$ref"].rpartition("/")[2]]
        found = found["properties"][part]
    return found


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("session.steps", {"type": "integer", "minimum": 1, "maximum": 100_000_000, "default": 1000}),
        ("session.fee_bps", {"type": "number", "minimum": 0.0, "maximum": 1000.0, "default": 26.0}),
        ("session.timeframe", {"enum": sorted(get_args(Timeframe)), "default": "1m"}),
        ("exchange.venue", {"type": "string", "enum": list(VENUES), "default": "kraken"}),
        ("live_risk.max_daily_loss_pct", {"type": "number", "exclusiveMinimum": 0.0, "maximum": 1e15, "default": 5.0}),
        ("retention.action", {"enum": ["archive", "delete"], "default": "archive"}),
    ],
)
def test_the_schema_has_types_choices_ranges_and_defaults(key: str, says: dict[str, Any]) -> None:
    assert rule_of(key) == says


def test_every_key_of_the_shipped_file_is_in_the_schema_with_the_choices_that_its_comment_names() -> None:
    named = 0
    for table, values in tomllib.loads(SHIPPED.read_text()).items():
        for key in values if table not in ("instruments", "strategy", "fleet", "triggers") else ():
            rule = rule_of(f"{table}.{key}")
            line = re.search(rf"^{key} = .*#(.*)$", SHIPPED.read_text(), re.MULTILINE)
            choices = re.findall(r"[\w-]+", line[1]) if line and "enum" in rule else None
            if choices and " | " in line[1]:
                named += 1
                assert set(rule["enum"]) <= set(choices), key
    assert named


def test_limits_are_those_of_the_decision_code() -> None:
    assert RiskLimits.__struct_fields__ == Limits._fields
    assert Config().limits == Limits()


def test_a_whole_limit_may_be_written_with_a_point_and_other_limits_without(home: Path) -> None:
    path = home / "config" / "config.toml"
    text = path.read_text().replace("max_open_positions = 5", "max_open_positions = 4.0")
    path.write_text(text.replace("max_order_notional = 1000.0", "max_order_notional = 900"))
    limits = load_config(path).limits
    assert (limits.max_open_positions, limits.max_order_notional) == (4, 900.0)
    assert [type(limits.max_open_positions), type(limits.max_order_notional)] == [int, float]
    with pytest.raises(ConfigError, match=r"live_risk.max_open_positions = 2.5 must be a whole number from 0"):
        read_limits({"max_open_positions": 2.5})
