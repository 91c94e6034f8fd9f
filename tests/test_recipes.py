"""The recipes of CONTRIBUTING.md, followed in a copy of the tree."""

from __future__ import annotations

import ast
import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from engine import kpis
from engine.kpis.model import NO_DATA

ROOT = Path(__file__).resolve().parent.parent
COPIED = (
    "cli",
    "engine",
    "offspot_metrics.py",
    "pyproject.toml",
    "static/__init__.py",
    "tests/conftest.py",
    "tests/api/web.py",
    "tests/golden",
    "tests/support/golden.py",
    "tests/test_golden.py",
)
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

API = """
import json
from pathlib import Path

from engine.report import Report
from engine.store.reader import Reader
from tests.api.web import Client, an_app

client = Client(an_app(lambda: Report(Reader.open(Path("metrics.db")))))
paths = ("/api/v1/periods/D/2026-06-14", "/api/v1/aggregations/D", "/api/v1/openapi.json")
print(json.dumps([client.get(path).json for path in paths]))
"""


class Copy:
    """A copy of the tree, and what its programs print."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in COPIED:
            source, target = ROOT / name, root / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source, target)

    def files(self) -> dict[str, bytes]:
        """What is in it, but for what running it makes."""
        return {
            str(path.relative_to(self.root)): path.read_bytes()
            for path in self.root.rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }

    def add_to_all(self, package: str, module: str) -> None:
        """A line in `ALL`, and its import."""
        path = self.root / "engine" / package / "__init__.py"
        before, head, after = path.read_text("utf-8").partition("ALL: Final[tuple[")
        listed, end, rest = after.partition("\n)\n")
        assert head
        assert end
        before += f"from engine.{package} import {module}\n\n"
        path.write_text(f"{before}{head}{listed}\n    {module},{end}{rest}", "utf-8")

    def run(self, *arguments: str) -> str:
        """What Python prints there."""
        environment = os.environ | {"PYTHONPATH": str(self.root), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.root,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """The tree with another indicator, another KPI and their scenario."""
    copy = Copy(tmp_path_factory.mktemp("tree"))
    before = copy.files()
    (copy.root / "engine/indicators/package_requests.py").write_text(INDICATOR, "utf-8")
    (copy.root / "engine/kpis/requests.py").write_text(KPI, "utf-8")
    (copy.root / "tests/golden/requests.yml").write_text(SCENARIO, "utf-8")
    copy.add_to_all("indicators", "package_requests")
    copy.add_to_all("kpis", "requests")
    after = copy.files()
    assert {name for name in after if before.get(name) != after[name]} == {
        "engine/indicators/__init__.py",
        "engine/indicators/package_requests.py",
        "engine/kpis/__init__.py",
        "engine/kpis/requests.py",
        "tests/golden/requests.yml",
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
    assert [kpi["kpiId"] for kpi in figures] == [*kpis.BY_ID, 2099]
    assert figures[-1]["value"]["totalRequests"] == 3


def test_a_new_kpi_is_in_the_api_and_its_description(changed: Copy, database: Path) -> None:
    """In our own routes with its headline and what the top ten leave out; not in those of v1."""
    assert database.exists()
    period, aggregation, spec = json.loads(changed.run("-c", API))
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


def test_no_two_kpis_share_a_figure_that_stands_side_by_side() -> None:
    """Headlines of all KPIs are in one object, and so is what lies beyond their top tens."""
    for names in (
        [name for kpi in kpis.ALL for name in kpi.headline(kpi.compute(NO_DATA))],
        [name for kpi in kpis.ALL for name in kpi.others(NO_DATA)],
        [kpi.name for kpi in kpis.ALL],
    ):
        assert len(names) == len(set(names))
    assert [kpi.id for kpi in kpis.ALL] == sorted(kpis.BY_ID)


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
    assert {str(Path(name).parent) for name in knowing} == {"kpis"}
