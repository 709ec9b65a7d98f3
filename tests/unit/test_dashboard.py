"""The Grafana dashboard as a file: tests/integration/test_observe.py runs its queries."""

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from maskgate.audit.report import TARGETS
from tests.promql import metrics_of

GRAFANA = Path(__file__).parent.parent.parent / "deploy" / "observe" / "grafana"
DASHBOARD: dict[str, Any] = json.loads((GRAFANA / "dashboards" / "maskgate.json").read_text())
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
SHOWN = {panel["title"]: panel for panel in PANELS if panel["type"] != "row"}


def test_it_has_a_row_for_each_question() -> None:
    assert [panel["title"] for panel in PANELS if panel["type"] == "row"] == [
        "Now",
        "Decisions",
        "Throughput and latency",
        "Refused, expired, dead letters",
        "Audit",
        "Cameras",
        "Redis and RabbitMQ",
    ]


def test_its_panels_are_distinct_and_do_not_overlap() -> None:
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    assert len(SHOWN) == len([panel for panel in PANELS if panel["type"] != "row"])
    cells = [cells_of(panel["gridPos"]) for panel in PANELS]
    assert not [1 for one, other in combinations(cells, 2) if one & other]
    assert all(x < 24 for panel in cells for x, _ in panel)


def cells_of(place: dict[str, int]) -> set[tuple[int, int]]:
    columns = range(place["x"], place["x"] + place["w"])
    return {(x, y) for x in columns for y in range(place["y"], place["y"] + place["h"])}


@pytest.mark.parametrize("title", SHOWN)
def test_a_panel_says_what_it_shows_and_asks_the_provisioned_source(title: str) -> None:
    panel = SHOWN[title]
    assert panel["description"]
    assert panel["fieldConfig"]["defaults"]["unit"]
    sources = yaml.safe_load((GRAFANA / "datasources" / "datasources.yml").read_text())
    uids = {source["uid"]: source["type"] for source in sources["datasources"]}
    for asked in (panel, *panel["targets"]):
        assert uids[asked["datasource"]["uid"]] == asked["datasource"]["type"] == "prometheus"
    assert all(metrics_of(target["expr"]) for target in panel["targets"])


@pytest.mark.parametrize(
    ("title", "measure"),
    [
        ("Precision and recall, newest", "precision"),
        ("Precision and recall, 30d", "recall"),
        ("Coverage, newest", "coverage"),
        ("Audit: precision", "precision"),
    ],
)
def test_the_target_line_is_where_the_audit_has_its_target(title: str, measure: str) -> None:
    steps = SHOWN[title]["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert [step["value"] for step in steps] == [None, TARGETS[measure]]
