"""The description of the API is true, complete, and a page that needs nobody."""

import re
from copy import deepcopy
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import yaml
from hypothesis import HealthCheck, Phase, settings
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis.checks import CHECKS, load_all_checks

from engine.api import documentation
from engine.api.answers import json_bytes
from engine.api.specification import specification
from tests.api.web import Client, Hotspot, an_app

SPEC = specification()
load_all_checks()


def test_the_description_is_valid() -> None:
    """As OpenAPI 3.1, every reference resolved."""
    OpenAPIV31SpecValidator(SPEC).validate()


def test_the_kpis_of_v1_are_described_in_the_same_words() -> None:
    """Their schemas are those of `kpis-of-v1.yaml`, wherever they are made; others may be added."""
    expected = yaml.safe_load(Path(__file__).with_name("kpis-of-v1.yaml").read_text("utf-8"))
    schemas = deepcopy(SPEC["components"]["schemas"])
    listed = schemas["KpiValue"].pop("anyOf"), expected["schemas"]["KpiValue"].pop("anyOf")
    assert [schema for schema in listed[0] if schema in listed[1]] == listed[1]
    assert {name: schemas[name] for name in expected["schemas"]} == expected["schemas"]
    parameters = SPEC["paths"]["/api/v1/kpis/{kpi_id}/values"]["get"]["parameters"]
    assert parameters[0]["description"] == expected["description"]
    period = schemas["PeriodWithNeighbours"]["allOf"][1]["properties"]
    for name, of in (("others", period["others"]), ("trend", period["trend"]["items"])):
        figures = {key: {"$ref": "#/components/schemas/Count"} for key in expected[name]}
        assert of["properties"] | figures == of["properties"]
        assert [figure for figure in of["required"] if figure in figures] == expected[name]


def test_every_route_is_described_and_every_description_has_a_route(hotspot: Hotspot) -> None:
    """The table of routes and the description are two lists of the same things."""
    app = an_app(hotspot.open_report)
    rules = {route.rule for route in app.routes}
    names = {"kind": "agg_kind"}
    routes = {
        re.sub(r"<(\w+)>", lambda m: "{" + names.get(m[1], m[1]) + "}", rule) for rule in rules
    }
    helpers = {"/api", "/api/", "/api/v1", "/api/v1/documentation.css"}
    dashboard = {"/", "/<path:path>"}
    assert routes - helpers - dashboard == set(SPEC["paths"])


def test_the_description_is_served_as_it_is_written(client: Client) -> None:
    """For programs, under the path that FastAPI uses too."""
    reply = client.get("/api/v1/openapi.json")
    assert reply.json == SPEC
    assert reply.headers["content-type"] == "application/json"


@pytest.mark.parametrize("path", sorted(SPEC["paths"]))
def test_the_examples_are_true(client: Client, path: str) -> None:
    """Each example command of the page is answered with 200 or says that nothing is stored."""
    operation = SPEC["paths"][path]["get"]
    query = []
    for item in operation.get("parameters", []):
        parameter = documentation.resolved(SPEC, item)
        if parameter["in"] == "path":
            path = path.replace("{" + parameter["name"] + "}", str(parameter["example"]))
        else:
            query.append(f"{parameter['name']}={parameter['example']}")
    assert client.get(path + ("?" + "&".join(query) if query else "")).status == 200


@pytest.mark.parametrize("number", range(3))
def test_the_recipes_work_and_come_first(client: Client, number: int) -> None:
    """Each command of the recipes is answered, and the page begins with them."""
    recipe = SPEC["x-recipes"][number]
    query = "&".join(f"{name}={value}" for name, value in recipe["query"].items())
    assert client.get(f"{recipe['path']}?{query}").status == 200
    page = client.get("/api/v1/").body.decode()
    assert page.index("Three recipes") < page.index(recipe["title"]) < page.index("<nav")
    for name, value in recipe["query"].items():
        assert f"--data-urlencode &#x27;{name}={value}&#x27;" in page


def put_in_order(query: dict[str, Any]) -> None:
    """What a schema cannot say of `from` and `to`: in that order, and of at most two years."""
    days = [str(query.get(name)) for name in ("from", "to")]
    if all(re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", day) for day in days):
        near = [f"202{5 + int(day[3]) % 2}{day[4:]}" for day in days]
        query.pop("lang", None)  # of files only
        query["from"], query["to"] = sorted(day.replace("-02-29", "-02-28") for day in near)


def schema() -> Any:
    return schemathesis.openapi.from_dict(SPEC)


API = schema()


@API.include(method="GET").parametrize()  # type: ignore[untyped-decorator]
@settings(
    max_examples=60,
    derandomize=True,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_answers_are_as_described(case: Any, hotspot: Hotspot) -> None:
    """Whatever is asked, right or wrong: status, type, shape and headers are in the description."""
    app = an_app(hotspot.open_report)
    case.headers.update({"Host": "localhost", "Accept-Encoding": "identity"})
    put_in_order(case.query)
    response = case.call(app=app)
    case.validate_response(response, checks=CHECKS.get_all())


class Page(HTMLParser):
    """Collects what the policy would block, what leads elsewhere, and what leads nowhere."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.inline: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)
        for name, value in attrs:
            if name in ("href", "src"):
                self.links.append(value or "")
            if name == "id":
                self.ids.append(value or "")
            if name == "style" or name.startswith("on"):
                self.inline.append(name)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_works_without_the_internet_and_under_our_policy(client: Client) -> None:
    """No script, no inline style, nothing from elsewhere; every link leads to something."""
    reply = client.get("/api/v1/")
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    page = Page()
    page.feed(reply.body.decode())
    assert page.open == []
    assert not {"script", "style", "iframe", "img", "form"} & set(page.tags)
    assert page.inline == []
    assert len(page.ids) == len(set(page.ids))
    for link in page.links:
        if link == "data:,":
            continue  # no icon, and no request for one
        if link.startswith("#"):
            assert link[1:] in page.ids
        else:
            assert link.startswith("/")
            assert client.get(link).status == 200
    css = client.get("/api/v1/documentation.css")
    assert css.headers["content-type"] == "text/css; charset=utf-8"
    assert b"url(" not in css.body
    assert b"@import" not in css.body


def test_the_page_says_everything_once(client: Client) -> None:
    """Each route with a command to try, each object with its fields."""
    html = client.get("/api/v1/").body.decode()
    for path, methods in SPEC["paths"].items():
        assert f'<article id="{methods["get"]["operationId"]}">' in html
        assert path in html
    for name in SPEC["components"]["schemas"]:
        assert f'<article id="schema-{name}">' in html
    assert html.count("curl ") == len(SPEC["paths"]) + len(SPEC["x-recipes"])
    assert len(json_bytes(SPEC)) < 40_000
    assert len(client.get("/api/v1/", Accept_Encoding="gzip").body) < 10_000
