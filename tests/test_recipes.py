"""The recipes of CONTRIBUTING.md, followed in a copy of the tree."""

from __future__ import annotations

import ast
import csv
import io
import json
import re
from pathlib import Path

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from engine import kpis
from engine.kpis.model import NO_DATA
from tests.recipes.kpi import TEXTS, add_card, add_figures
from tests.recipes.tree import ROOT, Copy

OF_THE_OLDER_SYSTEM = "store/upstream/values.py"
"""It reads databases of offspot/metrics, whose ids are fixed."""

API = """
import json
from pathlib import Path

from engine.report import Report
from engine.store.reader import Reader
from tests.api.web import Client, an_app

client = Client(an_app(lambda: Report(Reader.open(Path("metrics.db")))))
paths = ("/api/v1/periods/D/2026-06-14", "/api/v1/aggregations/D", "/api/v1/openapi.json")
page = client.get("/api/v1/").body.decode()
print(json.dumps([*(client.get(path).json for path in paths), page]))
"""


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """The tree with another indicator, another KPI, their scenario and a card."""
    copy = Copy(tmp_path_factory.mktemp("tree"))
    before = copy.files()
    add_figures(copy)
    add_card(copy)
    after = copy.files()
    assert {name for name in after if before.get(name) != after[name]} == {
        "engine/indicators/package_requests.py",
        "engine/kpis/requests.py",
        "tests/golden/requests.yml",
        "static/src/cards/RequestsCard.vue",
        # A line in each ALL, and the texts of the card.
        "engine/indicators/__init__.py",
        "engine/kpis/__init__.py",
        "static/src/cards/index.ts",
        *(f"static/src/i18n/{lang}.json" for lang in TEXTS),
    }
    return copy


@pytest.fixture(scope="module")
def database(changed: Copy) -> Path:
    """The figures of the scenario."""
    changed.run(
        "-c",
        "from pathlib import Path; from tests.support.golden import *; "
        "s = next(s for s in read_scenarios(Path('tests/golden')) if s.name == 'requests'); "
        "s.write(Path(), '2.11'); "
        "replay(['--packages', 'packages.yml', '--database', 'metrics.db', 'log.json'])",
    )
    return changed.root / "metrics.db"


def printed(copy: Copy, database: Path, kind: str) -> str:
    """The day of the scenario as `kpis` prints it."""
    period = ("--period", "2026-06-14", "--format", kind)
    return copy.run("offspot_metrics.py", "kpis", "--database", str(database), *period)


def test_a_new_kpi_passes_its_scenario_and_changes_no_other(changed: Copy) -> None:
    """Scenarios look only at what they are about, and one that is missing is noticed."""
    chosen = "requests or every_indicator or app or file-manager"
    options = ("-q", "-p", "no:cacheprovider", "-k", chosen)
    assert " passed" in changed.run("-m", "pytest", "tests/test_golden.py", *options)


def test_a_new_kpi_is_printed(changed: Copy, database: Path) -> None:
    """As a line and a top ten of the table, as rows of CSV, and as JSON."""
    table = printed(changed, database, "table")
    assert re.search(r"Requests of all packages +3\n", table)
    assert re.search(r"# +Most requested +Requests\n *1 +Maps +2\n *2 +Wiki +1\n", table)
    found = csv.reader(io.StringIO(printed(changed, database, "csv")))
    assert [row[2:] for row in found if row[2] == "2099"] == [
        ["2099", "Requests", "Maps", "requests", "2"],
        ["2099", "Requests", "Wiki", "requests", "1"],
        ["2099", "Requests", "", "totalRequests", "3"],
    ]
    figures = json.loads(printed(changed, database, "json"))["kpis"]
    page = changed.run(
        "offspot_metrics.py", "report", "--database", str(database), "--period", "2026-06-14"
    )
    assert "Requests" in page
    assert [kpi["kpiId"] for kpi in figures] == [*kpis.BY_ID, 2099]
    assert figures[-1]["value"]["totalRequests"] == 3


def test_a_new_kpi_is_in_the_api_and_its_description(changed: Copy, database: Path) -> None:
    """In our own routes with its headline and what the top ten leave out; not in those of v1."""
    assert database.exists()
    period, aggregation, spec, page = json.loads(changed.run("-c", API))
    assert period["kpis"][-1]["value"]["items"][0] == {"package": "Maps", "requests": 2}
    assert period["trend"][-1]["totalRequests"] == 3
    assert period["others"]["requests"] == 0
    assert 2099 not in [kpi["kpiId"] for kpi in aggregation["kpis"]]
    OpenAPIV31SpecValidator(spec).validate()
    schemas = spec["components"]["schemas"]
    assert schemas["Requests"]["required"] == ["items", "totalRequests"]
    assert {"$ref": "#/components/schemas/Requests"} in schemas["KpiValue"]["anyOf"]
    more = schemas["PeriodWithNeighbours"]["allOf"][1]["properties"]
    assert set(more["others"]["required"]) == set(period["others"])
    assert set(more["trend"]["items"]["required"]) == set(period["trend"][-1])
    assert "totalRequests" in page


def test_no_two_kpis_share_a_figure_that_stands_side_by_side() -> None:
    """Headlines of all KPIs are in one object, and so is what lies beyond their top tens."""
    for names in (
        [name for kpi in kpis.ALL for name in kpi.headline(kpi.compute(NO_DATA))],
        [name for kpi in kpis.ALL for name in kpi.others(NO_DATA)],
        [kpi.name for kpi in kpis.ALL],
    ):
        assert len(names) == len(set(names))
    assert [kpi.id for kpi in kpis.ALL] == sorted(kpis.BY_ID)


def test_the_page_gets_the_types_of_a_new_kpi(changed: Copy) -> None:
    """Its JSON, its figures in the trend and beyond the ten, and its id, from its own file."""
    types = changed.make_kpi_types()
    value = "{ items: { package: string; requests: number }[]; totalRequests: number }"
    assert f"  Requests: {value}\n" in types
    for interface, figure in (("Headlines", "totalRequests"), ("Others", "requests")):
        fields = types.partition(f"export interface {interface} {{")[2].partition("}")[0]
        assert f"  {figure}: number\n" in fields
    assert '{"id": 2099, "name": "Requests", "unit": "count"' in types


def test_only_a_kpi_knows_its_figures() -> None:
    """No other module has the id of a KPI, or the name of a headline or of what `others` has."""
    figures = {*kpis.BY_ID, *kpis.headlines(), *kpis.others()}
    sources = [path for name in ("cli", "engine") for path in (ROOT / name).rglob("*.py")]
    knowing = {
        str(path.relative_to(ROOT / "engine"))
        for path in sources
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Constant) and node.value in figures
    }
    assert {name for name in knowing if not name.startswith("kpis/")} <= {OF_THE_OLDER_SYSTEM}


def test_no_id_of_a_kpi_is_written_twice() -> None:
    """Outside tests and docs, an id is in the file of its KPI alone: pages and tools ask for it."""
    ids = re.compile(r"(?<![\d:.])({})(?![\d:.])".format("|".join(map(str, kpis.BY_ID))))
    made = {"node_modules", "dist", "__pycache__", "kpis.ts", "package-lock.json"}
    kinds = {".py", ".ts", ".vue", ".css", ".mjs", ".yaml", ".json", ".html"}
    knowing = {
        str(path.relative_to(ROOT))
        for name in ("benchmarks", "cli", "engine", "static", "tools")
        for path in (ROOT / name).rglob("*")
        if path.suffix in kinds and not made & set(path.parts) and ".test." not in path.name
        if ids.search(path.read_text("utf-8"))
    }
    owners = {f"engine/kpis/{path.name}" for path in (ROOT / "engine/kpis").glob("*.py")}
    assert {name for name in knowing if name not in owners} <= {f"engine/{OF_THE_OLDER_SYSTEM}"}
    assert len(knowing & owners) == len(kpis.ALL)
