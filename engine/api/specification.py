"""The OpenAPI specification: `openapi.yaml`, and what each KPI's file says of its JSON.

The KPIs are left out of `openapi.yaml`: their schemas, the figures of the trend and of `others`,
and the ids that the v1 route knows.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Any

from engine import kpis
from engine.kpis.model import COUNT_SCHEMA, Json


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


def _add_counts(schema: Json, figures: Iterable[str]) -> None:
    """Let an object have these figures, each of them always."""
    schema["required"] = [*schema.get("required", []), *figures]
    schema["properties"] = schema.get("properties", {}) | dict.fromkeys(figures, COUNT_SCHEMA)
