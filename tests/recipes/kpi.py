"""An indicator, a KPI and a card that nobody needs, added to a copy of the tree by the recipes."""

from __future__ import annotations

import json

from tests.recipes.tree import Copy

INDICATOR = '''"""1099 PackageRequests: how many requests a package had in the hour."""

from __future__ import annotations

from engine.indicators.folds import COUNTS
from engine.inputs.model import Input, PackageRequest

id = 1099
name = "PackageRequests"
fold = COUNTS


def on(event: Input) -> tuple[str, int] | None:
    return (event.title, 1) if isinstance(event, PackageRequest) else None
'''

KPI = '''"""2099 Requests: requests of the ten most requested packages, and of all."""

from __future__ import annotations

from engine.indicators import package_requests
from engine.kpis.model import (
    COUNT,
    COUNT_SCHEMA,
    Json,
    Row,
    Summary,
    TopTable,
    beyond_top,
    items,
    items_schema,
    object_schema,
)

id = 2099
name = "Requests"
title = "requests"
unit = COUNT
compatible = False
adds_up = True
schema = object_schema({"items": items_schema("requests"), "totalRequests": COUNT_SCHEMA})


def compute(period: Summary) -> Json:
    requests = period.sums_of(package_requests)
    return {"items": items(requests, "requests"), "totalRequests": sum(requests.values())}


def headline(value: Json) -> dict[str, int]:
    return {"totalRequests": value["totalRequests"]}


def others(period: Summary) -> dict[str, int]:
    return {"requests": beyond_top(period.sums_of(package_requests))}


def rows(value: Json) -> list[Row]:
    packages = [Row(item["package"], "requests", item["requests"]) for item in value["items"]]
    return [*packages, Row("", "totalRequests", value["totalRequests"])]


def lines(value: Json) -> list[tuple[str, str]]:
    return [("Requests of all packages", unit.text(value["totalRequests"]))]


def top_table(value: Json) -> TopTable:
    packages = [(item["package"], item["requests"]) for item in value["items"]]
    return TopTable("Most requested", "Requests", packages)
'''

SCENARIO = """sentence: Every request of a package is one.
indicators: {1099: PackageRequests}
kpi_ids: [2099]
packages:
  - {kind: app, title: Maps, url: "//maps.box/"}
  - {kind: app, title: Wiki, url: "//wiki.box/"}
log:
  - 2026-06-14T10:00:00Z GET maps.box/ 200
  - 2026-06-14T10:00:01Z GET maps.box/a 200
  - 2026-06-14T11:45:00Z GET wiki.box/ 200
lines: {counted: 3}
records:
  2026-06-14T10:
    PackageRequests: {Maps: 2}
  2026-06-14T11:
    PackageRequests: {Wiki: 1}
kpis:
  D 2026-06-14, M 2026-06, W 2026 W24, Y 2026:
    2099:
      items: [{package: Maps, requests: 2}, {package: Wiki, requests: 1}]
      totalRequests: 3
"""

CARD = """<script lang="ts">
export const card: Card = {
  kpi: 'Requests',
  title: 'requests.title',
  icon: 'chart',
  about: ['requests.about'],
  series: [{ name: 'requests.title', figure: 'totalRequests' }],
}
</script>

<script setup lang="ts">
import { computed } from 'vue'
import type { Period } from '../api'
import PackageBars from '../charts/PackageBars.vue'
import { number } from '../format'
import { t } from '../i18n'
import { ranking as rankingOf, type Card } from './model'

const props = defineProps<{ period: Period }>()
const ranking = computed(() => rankingOf(props.period, card.kpi))
</script>

<template>
  <article class="card">
    <h2>{{ t(card.title) }}</h2>
    <p class="big" :data-value="ranking.total">{{ number(ranking.total) }}</p>
    <PackageBars
      :period="period"
      :caption="t(card.title)"
      :ranking="ranking"
      :value-head="t(card.title)"
      :format="number"
    />
  </article>
</template>
"""

TEXTS = {
    "en": ("Requests", "How often anything of a package was asked for."),
    "fr": ("Requêtes", "Combien de fois un élément d’un contenu a été demandé."),
    "es": ("Peticiones", "Cuántas veces se pidió algo de un contenido."),
    "ar": ("الطلبات", "عدد المرات التي طُلب فيها شيء من حزمة."),
}
"""Title and meaning, by language."""


def add_figures(copy: Copy) -> None:
    """The indicator, the KPI and their scenario."""
    copy.write("engine/indicators/package_requests.py", INDICATOR)
    copy.write("engine/kpis/requests.py", KPI)
    copy.write("tests/golden/requests.yml", SCENARIO)
    for package, module in (("indicators", "package_requests"), ("kpis", "requests")):
        copy.insert(
            f"engine/{package}/__init__.py",
            ("ALL: Final[tuple[", f"from engine.{package} import {module}\n\nALL: Final[tuple["),
            ("\n)\n", f"\n    {module},\n)\n"),
        )


def add_card(copy: Copy) -> None:
    """The card of the KPI, and its texts."""
    copy.write("static/src/cards/RequestsCard.vue", CARD)
    imported = "import RequestsCard, { card as requests } from './RequestsCard.vue'"
    copy.insert(
        "static/src/cards/index.ts",
        (
            "import UsageCard",
            f"{imported}\nimport UsageCard",
        ),
        ("...files },\n", "...files },\n  { component: RequestsCard, ...requests },\n"),
    )
    for lang, (title, about) in TEXTS.items():
        name = f"static/src/i18n/{lang}.json"
        texts = json.loads((copy.root / name).read_text("utf-8"))
        more = {"requests.title": title, "requests.about": about}
        copy.write(name, json.dumps(texts | more, ensure_ascii=False, indent=2) + "\n")
