"""Prints what the dashboard knows of the KPIs: `static/src/kpis.ts`, made by `make static`.

A type for the JSON of each KPI, from its schema, and a list of ids, units and names of figures.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from engine import kpis
from engine.kpis.model import COUNT_SCHEMA, NO_DATA, Json

HEAD = """\
// Made by `make static` from engine/kpis/, where each KPI has its file: change those instead.

import type { Kpi } from './api'
"""
PLAIN = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean"}


def typescript(schema: Json) -> str:
    """The TypeScript of a JSON schema, of those parts that KPIs use."""
    if schema == COUNT_SCHEMA:
        return "number"
    kind = schema.get("type")
    if kind == "array":
        return f"{typescript(schema['items'])}[]"
    if kind == "object":
        required = schema["required"]
        fields = (
            f"{name}{'' if name in required else '?'}: {typescript(of)}"
            for name, of in schema["properties"].items()
        )
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


if __name__ == "__main__":
    print("\n".join(lines()))
