"""The shipped alert of the stream looks at what a subscriber counts."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client import REGISTRY
from ruamel.yaml import YAML

from shared.subscriber.reporting import report_no_days

ROOT = Path(__file__).resolve().parents[3]


def test_the_alert_names_a_count_that_begins_at_nothing() -> None:
    """Of who has just started every counter that it asks for is there, at 0: it can grow."""
    rules = YAML(typ="safe").load((ROOT / "deploy" / "prometheus" / "alerts.yaml").read_text())
    groups = {group["name"]: group["rules"] for group in rules["groups"]}
    (rule,) = groups["duebook-subscribers"]

    report_no_days("just-started")

    ((metric, outcome),) = re.findall(r'(duebook_\w+)\{outcome="(\w+)"\}', rule["expr"])
    labels = {"subscriber": "just-started", "outcome": outcome}
    assert REGISTRY.get_sample_value(metric, labels) == 0
    assert "increase(" in rule["expr"] and rule["expr"].endswith("> 0")
    assert rule["alert"] == "DayIncomplete" and rule["labels"]["severity"] == "critical"
    assert rule["annotations"]["summary"] and rule["annotations"]["description"]
