"""`/api/v1/figures` and `/api/v1/packages`: what may be asked for, and what is answered."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from engine.packages import Package, Packages
from engine.store.store import Store
from engine.times import local_day
from tests.api.web import DAY, HOUR, NOON, PARIS, Client, Hotspot, an_app, an_hour, quoted

WEEK = "from=2026-06-08&to=2026-06-14"


def ask(client: Client, query: str) -> Any:
    """The JSON of an answer that is a success."""
    reply = client.get(f"/api/v1/figures?{query}")
    assert reply.status == 200, reply.body
    return reply.json


def test_a_week_by_day(client: Client) -> None:
    """The stretch, its total, and a row for each day."""
    answer = ask(client, f"{WEEK}&by=day")
    assert (answer["timezone"], answer["start"], answer["end"]) == (
        "Europe/Paris",
        NOON - 12 * HOUR - 6 * DAY,
        NOON + 12 * HOUR,
    )
    assert answer["complete"] is False
    assert [row["label"] for row in answer["rows"]] == [f"2026-06-{n:02d}" for n in range(8, 15)]
    visits = [sum(5 + days + n for n in range(14)) for days in range(6, -1, -1)]
    assert [row["visits"] for row in answer["rows"]] == visits
    assert answer["rows"][-1] == {
        "label": "2026-06-14",
        "start": NOON - 12 * HOUR,
        "end": NOON + 12 * HOUR,
        "visits": visits[-1],
        "minutesInUse": 10,
        "minutesOn": 60,
        "filesCreated": 2,
        "filesDeleted": 0,
        "state": "counted",
    }
    assert answer["total"] == {
        "visits": sum(visits),
        "minutesInUse": 70,
        "minutesOn": 7 * 60,
        "filesCreated": 14,
        "filesDeleted": 0,
        "packagesUsed": 14,
        "countedFrom": answer["start"],
        "days": 7,
        "daysOn": 7,
        "daysInUse": 7,
        "daysWithoutFigures": 0,
        "totalOnly": False,
    }


def test_packages_by_visits_and_a_part_of_them(client: Client) -> None:
    """The most visited first; `limit` and `offset` cut the list and leave the total."""
    whole = ask(client, WEEK)
    assert (whole["by"], whole["rowCount"], len(whole["rows"])) == ("package", 14, 14)
    assert [row["package"] for row in whole["rows"][:2]] == ["P13", "P12"]
    part = ask(client, f"{WEEK}&limit=3&offset=2")
    assert part["rows"] == whole["rows"][2:5]
    assert (part["total"], part["rowCount"], part["offset"]) == (whole["total"], 14, 2)


def test_one_package(client: Client) -> None:
    """Its own visits and minutes, beside the minutes that the hotspot was on."""
    answer = ask(client, f"{WEEK}&by=day&package=Bees")
    assert [row["visits"] for row in answer["rows"]] == [11, 10, 9, 8, 7, 6, 5]
    assert answer["total"]["minutesInUse"] == 70
    assert answer["total"]["minutesOn"] == 7 * 60
    assert answer["total"]["filesCreated"] is answer["total"]["packagesUsed"] is None
    [row] = ask(client, f"{WEEK}&package=Bees")["rows"]
    assert row == {"package": "Bees", "visits": 56, "minutesInUse": 70}
    nobody = ask(client, f"{WEEK}&by=day&package=Wasps")
    assert nobody["total"]["visits"] == nobody["total"]["minutesInUse"] == 0


def test_hours_say_why_they_have_no_figures(client: Client) -> None:
    """Before counting began, off or not counting, counted, and still to come."""
    rows = ask(client, "from=2026-06-07&to=2026-06-07&by=hour")["rows"]
    assert [row["state"] for row in rows] == [*["not-yet"] * 11, "counted", *["no-figures"] * 12]
    assert rows[11]["label"] == "2026-06-07T11"
    today = ask(client, "from=2026-06-14&to=2026-06-14&by=hour")["rows"]
    assert [row["state"] for row in today[11:14]] == ["counted", "no-figures", "to-come"]


def test_hours_of_the_week(client: Client) -> None:
    """168 of them, from Monday 0:00 on; how often each was counted tells nothing from zero."""
    rows = ask(client, "from=2026-06-07&to=2026-06-14&by=hour-of-week")["rows"]
    assert [(row["weekday"], row["hour"]) for row in rows[:25]][-2:] == [(1, 23), (2, 0)]
    assert [row["hoursCounted"] for row in rows if row["hour"] == 11] == [*[1] * 6, 2]
    assert sum(row["hoursCounted"] for row in rows) == 8


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [("from", "missing"), ("to", "missing")]),
        ("from=2026-06-08", [("to", "missing")]),
        (f"{WEEK}&from=2026-06-09", [("from", "too_many")]),
        ("from=2026-6-8&to=2026-06-31", [("from", "date_parsing"), ("to", "date_parsing")]),
        (f"from={quoted('٢٠٢٦-٠٦-٠٨')}&to=2026-06-08", [("from", "date_parsing")]),
        ("from=1970-01-01&to=9999-01-01", [("from", "date_parsing"), ("to", "date_parsing")]),
        ("from=2026-06-09&to=2026-06-08", [("to", "value_error")]),
        ("from=2000-01-01&to=2026-06-08", [("to", "value_error")]),
        ("from=2024-01-01&to=2026-06-08&by=hour", [("to", "value_error")]),
        ("from=2025-01-01&to=2026-01-06&by=hour&format=xlsx", [("to", "value_error")]),
        (
            f"{WEEK}&by=year&format=pdf&compare=x",
            [("by", "enum"), ("compare", "enum"), ("format", "enum")],
        ),
        (f"{WEEK}&limit=-1&offset=1e3", [("limit", "int_parsing"), ("offset", "int_parsing")]),
        (f"{WEEK}&package={'x' * 301}", [("package", "string_too_long")]),
        (f"{WEEK}&By=day", [("", "extra_forbidden")]),
        (f"{WEEK}&_=1", [("", "extra_forbidden")]),
        ("a=1&" * 30 + WEEK, [("", "extra_forbidden"), ("from", "missing"), ("to", "missing")]),
    ],
)
def test_wrong_parameters_are_all_named(
    client: Client, query: str, expected: list[tuple[str, str]]
) -> None:
    """422, also for a parameter that is none; never what was sent."""
    reply = client.get(f"/api/v1/figures?{query}")
    assert reply.status == 422
    found = [((item["loc"][1:] or [""])[0], item["type"]) for item in reply.json["detail"]]
    assert found == expected
    assert b"pdf" not in reply.body.replace(b"'pdf'", b"")


def test_the_packages_of_file_and_records(tmp_path: Path) -> None:
    """In the order of the file, then those only in records; what nobody used, with its size."""
    hotspot = Hotspot(tmp_path)
    listed = (
        Package("zim", "Wasps", "lib.box", "wasps", size=70),
        Package("zim", "Bees", "lib.box", "bees", size=5),
        Package("files", "Bees", "bees.box"),
        Package("zim", "Ants", "lib.box", "ants"),
    )
    hotspot.store.put("packages", Packages(listed).to_json())
    hotspot.save(an_hour(NOON - DAY))
    hotspot.save(an_hour(NOON), running_hour=NOON)
    client = Client(an_app(hotspot.open_report))
    answer = client.get("/api/v1/packages").json
    games = 'Games "><img src=x onerror=alert(1)>'
    assert [package["title"] for package in answer["packages"]] == ["Wasps", "Bees", "Ants", games]
    assert answer["packages"][1] == {
        "title": "Bees",
        "kinds": ["zim", "files"],
        "hosts": ["lib.box", "bees.box"],
        "listed": True,
        "firstUsedAt": NOON - DAY,
        "lastUsedAt": NOON,
        "bytes": 5,
    }
    assert answer["packages"][3]["listed"] is False
    assert (answer["neverUsed"], answer["neverUsedBytes"]) == (2, 70)
    assert client.get("/api/v1/packages?limit=1").status == 422
    hotspot.close()


def test_when_a_package_was_used(tmp_path: Path) -> None:
    """Also one that was only visited, as the older system first counted, and one of which only the
    totals of a year are known; an hour of a wrong clock is not the last use.
    """
    hotspot = Hotspot(tmp_path)
    titles = ("Bees", "Ants", "Wasps", "Flies", "Moths")
    listed = tuple(Package("app", title, f"{title}.box") for title in titles)
    hotspot.store.put("packages", Packages(listed).to_json())
    totals = {(1001, "Wasps"): 5, (1001, "Bees"): 1, (1001, ""): 3}
    with hotspot.store.transaction():
        hotspot.store.records.save_whole_period("Y", "2025", totals)
    wrong = NOON + 1600 * DAY
    hotspot.save({(hour, 1006, "Bees"): 1 for hour in (NOON - DAY, NOON, wrong)})
    hotspot.save({(NOON, 1001, "Ants"): 2, (wrong, 1006, "Flies"): 1})
    client = Client(an_app(hotspot.open_report))
    answer = client.get("/api/v1/packages").json
    begin, end = (int(datetime(y, 1, 1, tzinfo=PARIS).timestamp()) for y in (2025, 2026))
    assert {
        package["title"]: (package["firstUsedAt"], package["lastUsedAt"])
        for package in answer["packages"]
    } == {
        "Bees": (begin, NOON),
        "Ants": (NOON, NOON),
        "Wasps": (begin, end - HOUR),
        "Flies": (None, None),
        "Moths": (None, None),
    }
    assert answer["neverUsed"] == 2
    assert ask(client, "from=2025-01-01&to=2025-12-31")["total"]["packagesUsed"] == 2
    hotspot.close()


def test_a_period_is_compared_so_far(client: Client) -> None:
    """Sunday until noon with Saturday until noon, and of each package what it had before."""
    answer = client.get("/api/v1/periods/D/2026-06-14").json
    found = answer["comparisons"]["before"]
    assert found["soFar"] is True
    assert (found["thisUntil"], found["beforeUntil"]) == (NOON, NOON - DAY)
    assert (found["fair"], found["reason"]) == (True, None)
    assert (found["this"]["visits"], found["before"]["visits"]) == (161, 175)
    first = answer["packages"][0]
    assert (first["package"], first["visits"], first["visitsBefore"]) == ("P13", 18, 19)
    assert len(answer["packages"]) == 14
    assert answer["inside"]["by"] == "hour"
    assert len(answer["inside"]["rows"]) == 24


def test_a_period_that_was_not_counted_from_its_beginning_is_not_compared(client: Client) -> None:
    """The week before began before counting did: no percentage, and since when."""
    found = client.get("/api/v1/periods/W/2026-W24").json["comparisons"]
    assert (found["before"]["fair"], found["before"]["reason"]) == (False, "counted-from")
    assert found["before"]["countedFrom"] == NOON - HOUR - 7 * DAY
    assert (found["year"]["fair"], found["year"]["reason"]) == (False, "no-figures")


def test_impossible_dates_are_kept_apart(tmp_path: Path) -> None:
    """Hours of 2000 and of 2031 are in no list; how much was counted of them is said."""
    hotspot = Hotspot(tmp_path)
    for hour in (946_684_800 + 5 * HOUR, NOON - HOUR, NOON + 1600 * DAY):
        hotspot.save(an_hour(hour))
    client = Client(an_app(hotspot.open_report))
    answer = client.get("/api/v1/periods").json
    days = {local_day(period["start"], PARIS).year for period in answer["periods"]}
    assert days == {2026}
    assert answer["countedFrom"] == NOON - HOUR
    assert answer["impossible"] == {
        "hours": 2,
        "visits": 22,
        "firstAt": 946_684_800 + 5 * HOUR,
        "lastAt": NOON + 1600 * DAY,
    }
    hotspot.close()


def test_use_is_never_longer_than_being_on(tmp_path: Path) -> None:
    """Two minutes on, one of them in use: a slot of ten minutes is shown as two."""
    hotspot = Hotspot(tmp_path)
    hotspot.save({(NOON, 1004, ""): 0b11, (NOON, 1005, ""): 1, (NOON, 1006, "Bees"): 1})
    client = Client(an_app(hotspot.open_report))
    today = "from=2026-06-14&to=2026-06-14"
    assert ask(client, f"{today}&by=day")["rows"][0]["minutesInUse"] == 2
    assert ask(client, today)["rows"] == [{"package": "Bees", "visits": 0, "minutesInUse": 2}]
    assert ask(client, f"{today}&by=day&package=Bees")["total"]["minutesInUse"] == 2
    hotspot.close()


def test_a_year_of_which_only_totals_are_known(tmp_path: Path) -> None:
    """It is in the total and in a stretch around it; its months and days say why they are empty."""
    hotspot = Hotspot(tmp_path)
    totals = {(1001, "Bees"): 5, (1004, ""): 600, (1005, ""): 50, (1006, "Bees"): 900}
    with hotspot.store.transaction():
        hotspot.store.records.save_whole_period("Y", "2025", totals)
    hotspot.save(an_hour(NOON - HOUR))
    client = Client(an_app(hotspot.open_report))
    answer = ask(client, "from=2025-01-01&to=2026-06-14&by=month")
    assert answer["total"]["visits"] == 5 + 11
    assert answer["total"]["minutesInUse"] == 50 + 10
    assert answer["total"]["totalOnly"] is True
    states = [row["state"] for row in answer["rows"]]
    assert states == [*["total-only"] * 12, *["no-figures"] * 5, "counted"]
    [bees, _] = sorted(
        ask(client, "from=2025-01-01&to=2026-06-14")["rows"], key=lambda row: -row["minutesInUse"]
    )
    assert bees == {"package": "Bees", "visits": 10, "minutesInUse": 610}
    half = ask(client, "from=2025-01-01&to=2025-06-30")
    assert (half["total"]["visits"], half["rows"]) == (0, [])
    found = client.get("/api/v1/periods/Y/2026").json["comparisons"]["before"]
    assert (found["fair"], found["reason"]) == (False, "total-only")
    hotspot.close()


NEW_YEAR = int(datetime(2026, 1, 1, tzinfo=PARIS).timestamp())


def test_a_week_of_which_the_first_days_were_removed(tmp_path: Path) -> None:
    """Its row has all that is known of it, as the total has; of its later days the hours are known,
    so that one without figures is one on which it was off.
    """
    hotspot = Hotspot(tmp_path)
    for days in (-2, 1):
        hotspot.save(an_hour(NEW_YEAR + days * DAY + 9 * HOUR))
    hotspot.store.purge(NEW_YEAR)
    client = Client(an_app(hotspot.open_report))
    week = ask(client, "from=2025-12-29&to=2026-01-04&by=week")
    assert [row["visits"] for row in week["rows"]] == [week["total"]["visits"]] == [22]
    assert week["total"]["daysWithoutFigures"] == 3
    days = ask(client, "from=2025-12-29&to=2026-01-04&by=day")["rows"]
    assert [(row["state"], row["visits"]) for row in days] == [
        ("total-only", 0),
        ("total-only", 11),
        ("total-only", 0),
        ("no-figures", 0),
        ("counted", 11),
        ("no-figures", 0),
        ("no-figures", 0),
    ]
    hotspot.close()


def test_another_zone_after_old_records_were_removed(tmp_path: Path) -> None:
    """There the year begins before the oldest record: its days are compared all the same."""
    hotspot = Hotspot(tmp_path)
    for hour in (NEW_YEAR - DAY, NOON - HOUR - DAY, NOON - HOUR):
        hotspot.save(an_hour(hour))
    hotspot.store.purge(NEW_YEAR)
    hotspot.close()
    Store.open(hotspot.path, ZoneInfo("Asia/Kolkata")).close()
    client = Client(an_app(hotspot.open_report))
    answer = ask(client, "from=2026-06-14&to=2026-06-14&compare=before")
    assert answer["timezone"] == "Asia/Kolkata"
    assert (answer["comparison"]["fair"], answer["comparison"]["reason"]) == (True, None)
