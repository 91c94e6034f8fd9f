"""The routes and their answers, as clients of version 1 and our own dashboard know them."""

import pytest

from tests.api.web import DAY, HOUR, NOON, STATUS, Client, Hotspot, an_app, an_hour, quoted

MISSING = {"msg": "Field required", "type": "missing"}
BAD_KIND = {"msg": "Input should be 'D', 'W', 'M' or 'Y'", "type": "enum"}


def test_stored_periods_are_listed_by_kind_then_label(client: Client) -> None:
    """`GET /aggregations` as in version 1, at most seven days of it."""
    aggregations = client.get("/api/v1/aggregations").json["aggregations"]
    assert aggregations == sorted(aggregations, key=lambda item: (item["kind"], item["value"]))
    days = [item["value"] for item in aggregations if item["kind"] == "D"]
    assert days == [f"2026-06-{day:02d}" for day in range(8, 15)]
    assert {"kind": "W", "value": "2026 W24"} in aggregations


def test_all_figures_of_one_kind(client: Client) -> None:
    """KPIs by id, values by label, and an axis."""
    answer = client.get("/api/v1/aggregations/D").json
    assert answer["aggKind"] == "D"
    assert answer["valuesAvailable"] == answer["valuesAll"]
    assert [kpi["kpiId"] for kpi in answer["kpis"]] == [2001, 2003, 2004, 2005]
    last = {kpi["kpiId"]: kpi["values"][-1] for kpi in answer["kpis"]}
    assert last[2004] == {"aggValue": "2026-06-14", "kpiValue": {"nbMinutesOn": 60}}
    assert last[2005]["kpiValue"] == {"filesCreated": 2, "filesDeleted": 0}
    assert len(last[2001]["kpiValue"]["items"]) == 10


@pytest.mark.parametrize("kind", ["D", "W", "M", "Y"])
def test_what_is_available_is_on_the_axis(
    tmp_path_factory: pytest.TempPathFactory, kind: str
) -> None:
    """`valuesAvailable` is part of `valuesAll`, also when what is kept lies far apart; a kept
    period that is off the axis is listed and has its figures.
    """
    hotspot = Hotspot(tmp_path_factory.mktemp("apart"))
    for months in range(9):
        hotspot.save(an_hour(NOON - months * 53 * DAY, visits=5))
    client = Client(an_app(hotspot.open_report))
    answer = client.get(f"/api/v1/aggregations/{kind}").json
    listed = [
        a["value"]
        for a in client.get("/api/v1/aggregations").json["aggregations"]
        if a["kind"] == kind
    ]
    assert answer["valuesAvailable"]
    assert answer["valuesAvailable"] == [v for v in answer["valuesAll"] if v in listed]
    for kpi in answer["kpis"]:
        assert [value["aggValue"] for value in kpi["values"]] == answer["valuesAvailable"]
    for label in listed:
        found = client.get(f"/api/v1/kpis/2001/values?agg_kind={kind}&agg_value={quoted(label)}")
        assert found.json["value"]["totalVisits"] > 0
    hotspot.close()


def test_an_empty_hotspot_gives_empty_lists(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Before the first record there is nothing, and that is no error."""
    hotspot = Hotspot(tmp_path_factory.mktemp("empty"))
    client = Client(an_app(hotspot.open_report))
    assert client.get("/api/v1/aggregations").body == b'{"aggregations":[]}'
    assert client.get("/api/v1/aggregations/Y").json == {
        "aggKind": "Y",
        "valuesAvailable": [],
        "valuesAll": [],
        "kpis": [],
    }
    assert client.get("/api/v1/periods").json["periods"] == []
    assert client.get("/api/v1/periods/D/2026-06-14").json["hasData"] is False
    hotspot.close()


def test_one_figure(client: Client) -> None:
    """`GET /kpis/{id}/values`, with a week written in any of its three ways."""
    found = client.get("/api/v1/kpis/2004/values?agg_kind=D&agg_value=2026-06-14")
    assert found.body == b'{"kpiId":2004,"value":{"nbMinutesOn":60}}'
    for week in ("2026%20W24", "2026+W24", "2026-W24"):
        reply = client.get(f"/api/v1/kpis/2004/values?agg_kind=W&agg_value={week}")
        assert reply.json == {"kpiId": 2004, "value": {"nbMinutesOn": 420}}
    zeros = client.get("/api/v1/kpis/00000000002004/values?agg_kind=D&agg_value=2026-06-14")
    assert zeros.body == found.body


@pytest.mark.parametrize(
    "target",
    [
        "2004/values?agg_kind=D&agg_value=1999-01-01",
        "2004/values?agg_kind=D&agg_value=' OR 1=1 --",
        "2004/values?agg_kind=D&agg_value=",
        "2004/values?agg_kind=D&agg_value=%ff%fe",
        "2004/values?agg_kind=W&agg_value=2026-06-14",
        "9999/values?agg_kind=D&agg_value=2026-06-14",
        "-2004/values?agg_kind=D&agg_value=2026-06-14",
        "99999999999999999999999/values?agg_kind=D&agg_value=2026-06-14",
        "whatever/values?agg_kind=W&agg_value=whatever",
        "whatever/values?agg_kind=X&agg_value=whatever",
        "whatever/values?agg_kind=X&agg_kind=D&agg_value=whatever",
        "2004.0/values?agg_kind=D&agg_value=2026-06-14",
        " 2004/values?agg_kind=D&agg_value=2026-06-14",
        "2004 /values?agg_kind=D&agg_value=2026-06-14",
        "+2004/values?agg_kind=D&agg_value=2026-06-14",
        "2_004/values?agg_kind=D&agg_value=2026-06-14",
        "0x7d4/values?agg_kind=D&agg_value=2026-06-14",
        "2e3/values?agg_kind=D&agg_value=2026-06-14",
        "٢٠٠٤/values?agg_kind=D&agg_value=2026-06-14",
        "２００４/values?agg_kind=D&agg_value=2026-06-14",
        "2002/values?agg_kind=D&agg_value=2026-06-14",
    ],
)
def test_a_figure_that_is_not_there(client: Client, target: str) -> None:
    """404 in the words of version 1, whatever the label looks like, and for any id that is not
    the digits of a known KPI.
    """
    reply = client.get(f"/api/v1/kpis/{target}")
    assert (reply.status, reply.body) == (404, b'{"detail":"KPI not found"}')


@pytest.mark.parametrize(
    ("target", "problems"),
    [
        ("2004/values", [("query", "agg_kind", "missing"), ("query", "agg_value", "missing")]),
        ("2004/values?agg_kind=D", [("query", "agg_value", "missing")]),
        ("2004/values?agg_value=2026", [("query", "agg_kind", "missing")]),
        ("2004/values?agg_kind=X&agg_value=2026", [("query", "agg_kind", "enum")]),
        ("2004/values?agg_kind=DW&agg_value=2026", [("query", "agg_kind", "enum")]),
        ("2004/values?agg_kind=d&agg_value=2026", [("query", "agg_kind", "enum")]),
        ("2004/values?agg_kind=&agg_value=2026", [("query", "agg_kind", "enum")]),
        ("2004/values?agg_kind=D&agg_kind=W&agg_value=2026", [("query", "agg_kind", "too_many")]),
        (
            "x/values?" + "a=1&" * 30 + "agg_kind=D&agg_value=2026",
            [
                ("query", "agg_kind", "missing"),
                ("query", "agg_value", "missing"),
            ],
        ),
    ],
)
def test_wrong_parameters_are_all_named(
    client: Client, target: str, problems: list[tuple[str, str, str]]
) -> None:
    """422 in the shape of FastAPI: where, which, what; never what was sent."""
    reply = client.get(f"/api/v1/kpis/{target}")
    assert reply.status == 422
    found = [(*item["loc"], item["type"]) for item in reply.json["detail"]]
    assert found == problems
    assert all(set(item) == {"loc", "msg", "type"} for item in reply.json["detail"])


def test_the_body_of_a_422_is_exactly_that_of_version_1(client: Client) -> None:
    """A client of version 1 may read it word by word."""
    reply = client.get("/api/v1/kpis/2004/values?agg_value=2026")
    assert reply.json == {"detail": [{"loc": ["query", "agg_kind"], **MISSING}]}
    reply = client.get("/api/v1/aggregations/X")
    assert reply.status == 422
    assert reply.json == {"detail": [{"loc": ["path", "agg_kind"], **BAD_KIND}]}


def test_periods_newest_first(client: Client) -> None:
    """Every period that can be shown, also those the compatible routes no longer know."""
    answer = client.get("/api/v1/periods").json
    assert answer["timezone"] == "Europe/Paris"
    starts = [period["start"] for period in answer["periods"]]
    assert starts == sorted(starts, reverse=True)
    days = [period for period in answer["periods"] if period["aggKind"] == "D"]
    assert len(days) == 8
    assert [day["complete"] for day in days[:2]] == [False, True]


def test_one_period_with_its_neighbours(client: Client) -> None:
    """What a page of the dashboard needs, in one answer."""
    answer = client.get("/api/v1/periods/D/2026-06-14").json
    assert (answer["start"], answer["end"]) == (NOON - 12 * HOUR, NOON + 12 * HOUR)
    assert answer["elapsedMinutes"] == 12 * 60
    assert answer["hasData"] is True
    assert answer["others"]["packagesVisited"] == 14
    assert answer["previous"]["aggValue"] == "2026-06-13"
    assert answer["next"] == {
        "aggKind": "D",
        "aggValue": "2026-06-15",
        "start": NOON + 12 * HOUR,
        "end": NOON + 36 * HOUR,
        "hasData": False,
        **({"complete": False} if "complete" in answer["next"] else {}),
    }
    assert [point["aggValue"] for point in answer["trend"]][-1] == "2026-06-14"


def test_what_the_top_ten_leave_out_and_what_the_trend_shows(client: Client) -> None:
    """Of 14 packages with 5, 6, ... 18 visits and one slot each: the four smallest, and all."""
    answer = client.get("/api/v1/periods/D/2026-06-14").json
    assert answer["others"] == {
        "visits": 5 + 6 + 7 + 8,
        "packagesVisited": 14,
        "minutesActivity": 4 * 10,
        "packagesUsed": 14,
    }
    assert answer["trend"][-1] == {
        "aggValue": "2026-06-14",
        "start": NOON - 12 * HOUR,
        "end": NOON + 12 * HOUR,
        "complete": False,
        "hasData": True,
        "totalVisits": sum(range(5, 19)),
        "totalMinutesActivity": 10,
        "nbMinutesOn": 60,
        "filesCreated": 2,
        "filesDeleted": 0,
    }


def test_a_week_has_two_spellings_in_a_path(client: Client) -> None:
    """`2026 W24` as stored, `2026-W24` as typed."""
    one, other = (client.get(f"/api/v1/periods/W/{label}") for label in ("2026 W24", "2026-W24"))
    assert one.status == 200
    assert one.body == other.body


def test_an_empty_period_is_shown_as_empty(client: Client) -> None:
    """A well-formed label without records is 200: the dashboard says that nothing was counted."""
    answer = client.get("/api/v1/periods/Y/2001").json
    assert answer["hasData"] is False
    assert answer["kpis"][2] == {"kpiId": 2004, "value": {"nbMinutesOn": 0}}


@pytest.mark.parametrize(
    "label",
    ["today", "2026-13-01", "2026-02-30", "2026-6-1", "26-06-14", "2026 W24", "0000-01-01", "٢٠٢٦"],
)
def test_a_label_that_names_no_day(client: Client, label: str) -> None:
    """404 for what is no date."""
    reply = client.get(f"/api/v1/periods/D/{label}")
    assert (reply.status, reply.json) == (404, {"detail": "Period not found"})


@pytest.mark.parametrize("label", ["0001-01-01", "9999-12-31", "1900-01-01"])
def test_the_ends_of_the_calendar(client: Client, label: str) -> None:
    """A date that exists is answered or unknown, never a failure."""
    assert client.get(f"/api/v1/periods/D/{label}").status in (200, 404)


def test_a_bad_kind_of_period(client: Client) -> None:
    """422, as on the compatible routes; a kind has its case."""
    for kind in ("X", "d", "DW"):
        reply = client.get(f"/api/v1/periods/{kind}/2026-06-14")
        assert (reply.status, reply.json["detail"][0]["loc"]) == (422, ["path", "agg_kind"])


def test_json_is_compact_and_utf_8(hotspot: Hotspot, client: Client) -> None:
    """No spaces between, no escapes for letters; a title is text whatever it holds."""
    hotspot.save({(NOON - HOUR, 1001, "Écoles à 日本"): 99})
    body = client.get("/api/v1/aggregations/D").body
    assert b'"package":"\xc3\x89coles \xc3\xa0 \xe6\x97\xa5\xe6\x9c\xac","visits":99' in body
    assert b'", ' not in body


def test_status_is_handed_through(client: Client) -> None:
    """What the runtime says, never to be stored."""
    reply = client.get("/api/v1/status")
    assert reply.json == STATUS
    assert reply.headers["cache-control"] == "no-store"


def test_health_with_and_without_reasons(hotspot: Hotspot) -> None:
    """200 when healthy, 503 with every reason when not."""
    assert Client(an_app(hotspot.open_report)).get("/health").json == {"ok": True, "reasons": []}
    reasons = ["The reader is down", "The last save is 4 minutes old"]
    reply = Client(an_app(hotspot.open_report, health=lambda: reasons)).get("/health")
    assert (reply.status, reply.json) == (503, {"ok": False, "reasons": reasons})


def test_probes_have_reasons_of_their_own(hotspot: Hotspot) -> None:
    """Each answers like `/health`, HEAD too; what is below them or beside them is nothing."""
    probes = {"/live": list, "/ready": lambda: ["the reader is not running"]}
    client = Client(an_app(hotspot.open_report, health=lambda: ["x", "y"], probes=probes))
    assert client.get("/health/live").json == {"ok": True, "reasons": []}
    reply = client.get("/health/ready")
    assert (reply.status, reply.json["reasons"]) == (503, ["the reader is not running"])
    assert client.get("/health").json["reasons"] == ["x", "y"]
    for path, status in {"live": 200, "ready": 503}.items():
        reply = client.ask("HEAD", f"/health/{path}")
        assert (reply.status, reply.body) == (status, b"")
        assert reply.headers["cache-control"] == "no-store"
        assert client.get(f"/health/{path}/").status == 307
    assert client.get("/health/dead.json").status == 404
    assert client.at_hand("/health/live")
    assert not client.at_hand("/health/ready")


def test_metrics_are_prometheus_text(client: Client) -> None:
    """Its own content type, as scrapers want it."""
    reply = client.get("/metrics")
    assert reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert reply.body.endswith(b"offspot_metrics_saves_total 1\n")


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("/api", "/api/v1/"),
        ("/api/", "/api/v1/"),
        ("/api/v1", "/api/v1/"),
        ("/api/v1/aggregations/", "/api/v1/aggregations"),
        ("/api/v1/aggregations/D/", "/api/v1/aggregations/D"),
        ("/api/v1/periods/W/2026 W24/", "/api/v1/periods/W/2026%20W24"),
        (
            "/api/v1/kpis/1/values/?agg_kind=D&agg_value=2026%20W24",
            "/api/v1/kpis/1/values?agg_kind=D&agg_value=2026%20W24",
        ),
    ],
)
def test_redirects_stay_on_this_host(client: Client, target: str, location: str) -> None:
    """307 to a path, as version 1 does for a slash too many; the Host header has no part in it."""
    reply = client.get(target, Host="evil.local")
    assert (reply.status, reply.headers["location"]) == (307, location)


@pytest.mark.parametrize(
    "target",
    [
        "/api/v2/",
        "/api/v1/nothing",
        "/api/v1/aggregations/D/x",
        "/api/v1/kpis/2001",
        "/apiary",
        "/api.html",
        "/healthy.txt",
    ],
)
def test_what_is_no_route_is_not_found(client: Client, target: str) -> None:
    """404 in the words of FastAPI."""
    reply = client.get(target)
    assert (reply.status, reply.body) == (404, b'{"detail":"Not Found"}')


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE"])
@pytest.mark.parametrize("target", ["/", "/api/v1/aggregations", "/health", "/x.js"])
def test_nothing_can_be_written(client: Client, method: str, target: str) -> None:
    """405 with what is allowed, on every path."""
    reply = client.ask(method, target)
    assert (reply.status, reply.json) == (405, {"detail": "Method Not Allowed"})
    assert reply.headers["allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/home",
        "/x.js",
        "/api",
        "/api/v1/",
        "/api/v1/openapi.json",
        "/api/v1/aggregations",
        "/api/v1/aggregations/D",
        "/api/v1/aggregations/X",
        "/api/v1/periods",
        "/api/v1/periods/D/2026-06-14",
        "/api/v1/status",
        "/health",
        "/metrics",
    ],
)
@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_head_is_get_without_a_body(client: Client, target: str, encoding: str) -> None:
    """Same status, same headers, Content-Length included."""
    get = client.ask("GET", target, {"Accept-Encoding": encoding})
    head = client.ask("HEAD", target, {"Accept-Encoding": encoding})
    assert (head.status, head.headers, head.body) == (get.status, get.headers, b"")
    assert int(get.headers["content-length"]) == len(get.body)


def test_the_running_hour_is_in_the_figures(hotspot: Hotspot, client: Client) -> None:
    """A save shows at once: today's figures are at most as old as the last save."""
    target = "/api/v1/kpis/2004/values?agg_kind=D&agg_value=2026-06-14"
    assert client.get(target).json["value"] == {"nbMinutesOn": 60}
    hotspot.save({(NOON, 1004, ""): 0b111}, running_hour=NOON)
    assert client.get(target).json["value"] == {"nbMinutesOn": 63}
    hotspot.save(an_hour(NOON - 2 * DAY))
    assert client.get(target).json["value"] == {"nbMinutesOn": 63}
