"""The OpenAPI specification: `openapi.yaml`, and what each KPI's file says of its JSON.

The KPIs are left out of `openapi.yaml`: their schemas, the figures of the trend and of `others`,
the ids that the v1 route knows, and examples.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Any

from engine import kpis
from engine.kpis.model import COUNT_SCHEMA, NO_DATA, Json

EXAMPLE_FIGURE = 120


@cache
def specification() -> Json:
    """The specification as plain dictionaries."""
    import yaml  # noqa: PLC0415  slow to import, and most runs never need it

    text = files(__package__).joinpath("openapi.yaml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = yaml.safe_load(text)
    _add_kpis(loaded)
    return loaded


def _add_kpis(spec: Json) -> None:
    [kpi_id] = (
        parameter
        for parameter in spec["paths"]["/api/v1/kpis/{kpi_id}/values"]["get"]["parameters"]
        if parameter["name"] == "kpi_id"
    )
    _add_examples(spec, kpi_id)
    known = ", ".join(f"{kpi.id} {kpi.title}" for kpi in kpis.COMPATIBLE.values())
    kpi_id["description"] = f"{known}."

    period = spec["components"]["schemas"]["PeriodWithNeighbours"]["allOf"][1]["properties"]
    _add_counts(period["others"], kpis.others())
    _add_counts(period["trend"]["items"], kpis.headlines())

    of_kpis = {kpi.name: kpi.schema for kpi in kpis.ALL}
    schemas: Json = {}
    for name, schema in spec["components"]["schemas"].items():
        schemas[name] = schema
        if name == "KpiValue":
            schema["anyOf"] = [{"$ref": f"#/components/schemas/{kpi}"} for kpi in of_kpis]
            schemas |= of_kpis
    spec["components"]["schemas"] = schemas


def _add_examples(spec: Json, kpi_id: Json) -> None:
    """Show a KPI whose figures are headlines, so that an example is one line."""
    kpi = next(kpi for kpi in kpis.COMPATIBLE.values() if not kpi.others(NO_DATA))
    value = dict.fromkeys(kpi.headline(kpi.compute(NO_DATA)), EXAMPLE_FIGURE)
    kpi_id["example"] = kpi.id
    _json_of(spec, "/api/v1/kpis/{kpi_id}/values")["example"] = {"kpiId": kpi.id, "value": value}
    year = _json_of(spec, "/api/v1/aggregations/{agg_kind}")["example"]
    [label] = year["valuesAll"]
    year["kpis"] = [{"kpiId": kpi.id, "values": [{"aggValue": label, "kpiValue": value}]}]


def _json_of(spec: Json, path: str) -> Json:
    """What is said of the JSON that a route answers."""
    found: Json = spec["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]
    return found


def _add_counts(schema: Json, figures: Iterable[str]) -> None:
    """Let an object have these figures, each of them always."""
    schema["required"] = [*schema.get("required", []), *figures]
    schema["properties"] = schema.get("properties", {}) | dict.fromkeys(figures, COUNT_SCHEMA)
