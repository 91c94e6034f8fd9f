"""Prints what the dashboard knows of the API: `static/src/kpis.ts`, made by `make static`.

A type for the JSON of each KPI, from its schema, a list of ids, units and names of figures, and the
types of the routes of figures and packages, from `engine/api/openapi.yaml`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from engine import kpis
from engine.api.specification import specification
from engine.kpis.model import COUNT_SCHEMA, NO_DATA, Json

HEAD = """\
// Made by `make static` from engine/kpis/, where each KPI has its file, and
// engine/api/openapi.yaml: change those instead.

import type { Kpi } from './api'
"""
PLAIN = {
    "string": "string",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "null": "null",
}
OF_ROUTES = (
    "FiguresTotal",
    "FiguresRow",
    "HourOfWeek",
    "PackageFigures",
    "Comparison",
    "Figures",
    "PackageEntry",
    "PackageList",
)
"""Schemas of `openapi.yaml` that are types of the dashboard."""
ALIASES = {"Count": "number", "Instant": "number", "Label": "string"}


def typescript(schema: Json) -> str:
    """The TypeScript of a JSON schema, of those parts that KPIs and routes use."""
    if schema == COUNT_SCHEMA:
        return "number"
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return ALIASES.get(name, name)
    if "enum" in schema:
        return " | ".join(json.dumps(value) for value in schema["enum"])
    if "anyOf" in schema:
        return " | ".join(typescript(of) for of in schema["anyOf"])
    kind = schema.get("type")
    if isinstance(kind, list):
        return " | ".join(typescript({"type": one}) for one in kind)
    if kind == "array":
        items = typescript(schema["items"])
        return f"({items})[]" if " | " in items else f"{items}[]"
    if kind == "object":
        fields = (f"{name}: {of}" for name, of in fields_of(schema).items())
        return "{ " + "; ".join(fields) + " }"
    try:
        return PLAIN[str(kind)]
    except KeyError:
        raise SystemExit(f"tools/kpi_types.py does not know this schema: {schema}") from None


def record(name: str, about: str, fields: dict[str, str]) -> Iterator[str]:
    """An interface."""
    yield f"/** {about} */"
    yield f"export interface {name} {{"
    yield from (f"  {field}: {of}" for field, of in fields.items())
    yield "}"


def lines() -> Iterator[str]:
    """The whole file."""
    yield HEAD
    values = {kpi.name: typescript(kpi.schema) for kpi in kpis.ALL}
    yield from record("KpiValues", "The JSON of each KPI, by its name.", values)
    headlines = dict.fromkeys(kpis.headlines(), "number")
    yield from record("Headlines", "The figures of the trend, of all KPIs.", headlines)
    others = dict.fromkeys(kpis.others(), "number")
    yield from record("Others", "What lies beyond the top ten, of all KPIs.", others)
    yield "export const KPIS: readonly Kpi[] = ["
    for kpi in kpis.ALL:
        fields: dict[str, Any] = {
            "id": kpi.id,
            "name": kpi.name,
            "unit": kpi.unit.name,
            "headline": [*kpi.headline(kpi.compute(NO_DATA))],
            "others": [*kpi.others(NO_DATA)],
            "addsUp": kpi.adds_up,
        }
        yield f"  {json.dumps(fields)},"
    yield "]"
    schemas = specification()["components"]["schemas"]
    for name in OF_ROUTES:
        yield from record(name, schemas[name].get("description", name), fields_of(schemas[name]))


def fields_of(schema: Json) -> dict[str, str]:
    """The fields of an object: name -> type."""
    required = schema["required"]
    return {
        name if name in required else f"{name}?": typescript(of)
        for name, of in schema["properties"].items()
    }


if __name__ == "__main__":
    print("\n".join(lines()))
