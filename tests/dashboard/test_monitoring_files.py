"""What is shipped for Grafana and Prometheus asks only for figures that ``/metrics`` has, with labels that they have."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from peaktrade_core.dashboard.metrics import Meter
from peaktrade_core.halts.scope import GLOBAL
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.workspace.workspace import Workspace

FOLDER = Path(__file__).resolve().parents[2] / "templates" / "monitoring"
DASHBOARD = json.loads((FOLDER / "grafana-dashboard.json").read_text())
RULES = yaml.safe_load((FOLDER / "prometheus-rules.yml").read_text())["groups"][0]["rules"]
QUERIES = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
EXPRESSIONS = QUERIES + [rule["expr"] for rule in RULES]
PROMETHEUS_OWN = {"job", "instance", "le"}


class _Handler:
    """Stands in for an answered request."""

    class request:  # noqa: N801 - tornado's name
        @staticmethod
        def request_time() -> float:
            return 0.01

    @staticmethod
    def get_status() -> int:
        return 200


@pytest.fixture
def labels(workspace: Workspace, run_shadow) -> dict[str, set[str]]:
    """Return the labels of each figure of a workspace in which something happened."""
    run_shadow(steps=20)
    TradingStates.of(workspace).set(GLOBAL, "HALTED", by="ada", reason="drill", now=workspace.clock.now())
    meter = Meter()
    meter(_Handler())
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(meter.text(workspace, lambda: 0)):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def test_every_figure_and_label_is_there(labels: dict[str, set[str]]) -> None:
    assert len(EXPRESSIONS) > 20
    for expression in EXPRESSIONS:
        names = re.findall(r"\bpeaktrade_\w+", expression.replace('job="peaktrade"', ""))
        assert names or expression.startswith("up{"), expression
        for name, chosen in re.findall(r"\b(peaktrade_\w+)(?:\{([^}]*)\})?", expression):
            assert name in labels, f"{name} in {expression}"
            used = set(re.findall(r"(\w+)\s*(?:=~|!=|=)", chosen or ""))
            assert used <= labels[name] | PROMETHEUS_OWN, expression
        grouped = {label.strip() for by in re.findall(r"by \(([^)]*)\)", expression) for label in by.split(",")}
        assert grouped <= set().union(*(labels[name] for name in names)) | PROMETHEUS_OWN, expression


def test_what_is_shown_of_a_rule_are_labels_that_it_has(labels: dict[str, set[str]]) -> None:
    for rule in RULES:
        names = re.findall(r"\bpeaktrade_\w+", rule["expr"].replace('job="peaktrade"', ""))
        shown = set(re.findall(r"\$labels\.(\w+)", json.dumps(rule["annotations"])))
        assert shown <= set().union(PROMETHEUS_OWN, *(labels[name] for name in names))
        assert rule["labels"]["severity"] in ("info", "warning", "critical")


def test_the_panels_lie_side_by_side_and_say_what_they_are() -> None:
    taken = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken
        assert at["x"] + at["w"] <= 24
        taken |= cells
        assert panel["description"].endswith(".")
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
