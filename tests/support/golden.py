"""Scenarios that a person can read, and their expansion into packages files and full Caddy lines.

In come the YAML files of `tests/golden` (its README tells the notation); out go the files that a
`replay` is given and the figures that it must print and store. What is expected is never computed
from our own program, only spelled out.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

import offspot_metrics

FATES = (
    "too-long",
    "not-json",
    "not-access-log",
    "incomplete",
    "bad-time",
    "unmatched",
    "counted",
)
SHAPES = ("2.6", "2.11")
"""Versions of Caddy whose lines differ; every scenario must come out the same in each."""

INDICATORS = {
    1001: "PackageHomeVisit",
    1003: "SharedFilesOperations",
    1004: "Uptime",
    1005: "TotalUsageOverall",
    1006: "TotalUsageByPackage",
}
KPIS = frozenset({2001, 2003, 2004, 2005})
"""Indicators and KPIs of a scenario that names none."""

_LINE = re.compile(
    r"(?P<time>\S+) (?P<method>[A-Z]+) (?P<host>[^\s/?]+)(?P<uri>\S*) (?P<status>\d+)"
    r"(?: (?P<more>.+))?"
)
_KEYS = {"line", "set", "drop", "raw", "repeat", "end", "first", "agent"}

Records = dict[str, dict[str, Any]]


class ScenarioError(Exception):
    """The scenario itself is not written as its README says."""


@dataclass(frozen=True)
class Scenario:
    """One file of `tests/golden`, not yet expanded."""

    path: Path
    document: Mapping[str, Any]

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def sentence(self) -> str:
        return str(self.document["sentence"])

    @property
    def arguments(self) -> list[str]:
        """Options of `replay` besides packages, database and format."""
        return ["--timezone", str(self.document.get("timezone", "UTC"))]

    @property
    def arguments_without_database(self) -> list[str]:
        """Options that make sense only where nothing is kept."""
        return list(map(str, self.document.get("options_without_database", [])))

    @property
    def replays(self) -> list[list[str]]:
        """Names of the files given to each run of `replay`, one run after another."""
        files = [str(name) for name in self._files()]
        return [list(map(str, names)) for names in self.document.get("replays", [files])]

    @property
    def indicators(self) -> dict[int, str]:
        """The indicators that the scenario is about, by id."""
        return dict(self.document.get("indicators", INDICATORS))

    @property
    def kpis(self) -> frozenset[int]:
        """The KPIs that the scenario is about."""
        return frozenset(self.document["kpi_ids"]) if "kpi_ids" in self.document else KPIS

    @property
    def is_whole(self) -> bool:
        """Whether it names no indicators or KPIs, and so is about all that golden.py knows."""
        return self.indicators == INDICATORS and self.kpis == KPIS

    def lines(self, replay: int) -> dict[str, int]:
        """Lines by fate, as that run must print them."""
        given = self.document["lines"]
        fates = given[replay] if isinstance(given, list) else given
        unknown = set(fates) - set(FATES)
        if unknown:
            raise ScenarioError(f"{self.name}: no such fates: {unknown}")
        return {"read": sum(fates.values()), **{fate: fates.get(fate, 0) for fate in FATES}}

    @property
    def records(self) -> Records:
        return dict(self.document["records"] or {})

    def periods(self, *, filled: bool) -> list[dict[str, Any]]:
        """What `periods` must hold; `filled` is for a replay that fills short silences."""
        made = []
        for labels, figures in (self.document["kpis"] or {}).items():
            for label in str(labels).split(", "):
                kind, value = label.split(" ", 1)
                kpis = (
                    _kpis(figures, filled=filled)
                    if self.kpis == KPIS
                    else [{"kpiId": kpi, "value": figures[kpi]} for kpi in sorted(self.kpis)]
                )
                made.append({"aggKind": kind, "aggValue": value, "kpis": kpis})
        return sorted(made, key=lambda period: (period["aggKind"], period["aggValue"]))

    def periods_in(self, printed: Mapping[str, Any]) -> list[dict[str, Any]]:
        """What a replay has printed of the KPIs that the scenario is about."""
        return [
            period | {"kpis": [kpi for kpi in period["kpis"] if kpi["kpiId"] in self.kpis]}
            for period in printed["periods"]
        ]

    def records_in(self, rows: Sequence[tuple[int, int, str | None, int]]) -> Records:
        """Rows of hour, indicator, dimension and value in the form of a scenario."""
        records: Records = {}
        for hour, indicator, dimension, value in rows:
            if indicator not in self.indicators:
                continue
            moment = datetime.fromtimestamp(hour, UTC).strftime("%Y-%m-%dT%H")
            of_hour = records.setdefault(moment, {})
            name = self.indicators[indicator]
            if dimension:
                of_hour.setdefault(name, {})[dimension] = value
            else:
                of_hour[name] = value
        return records

    def _files(self) -> Mapping[str, Any]:
        files: Mapping[str, Any] = self.document.get("files") or {"log.json": self.document["log"]}
        return files

    def write(self, folder: Path, shape: str) -> Path:
        """Write packages file and logs into the folder; the packages file."""
        packages = folder / "packages.yml"
        document = {
            key: self.document[key] for key in ("metadata", "packages") if key in self.document
        }
        packages.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
        contents: dict[str, bytes] = {}
        for name, given in self._files().items():
            parts = [full_line(item, shape) for item in given] if isinstance(given, list) else []
            packing = "gzip" if name.endswith(".gz") else "plain"
            if isinstance(given, Mapping):
                parts = [contents[part] for part in given["of"]]
                packing = given.get("as", packing)
            contents[name] = b"".join(parts)
            (folder / name).write_bytes(_packed(parts, packing))
        return packages


def _packed(parts: Sequence[bytes], packing: str) -> bytes:
    if packing == "members":
        return b"".join(map(gzip.compress, parts))
    content = b"".join(parts)
    return {"plain": content, "gzip": gzip.compress(content)}[packing]


def _kpis(figures: Mapping[str, Any], *, filled: bool) -> list[dict[str, Any]]:
    known = {"visits", "all_visits", "minutes", "all_minutes", "uptime", "uptime_filled"}
    unknown = set(figures) - known - {"created", "deleted"}
    if unknown:
        raise ScenarioError(f"no such figures: {unknown}")
    visits, minutes = figures.get("visits", {}), figures.get("minutes", {})
    uptime = figures["uptime"]
    if filled:
        uptime = figures.get("uptime_filled", uptime)
    popularity = {
        "items": [{"package": title, "visits": count} for title, count in visits.items()],
        "totalVisits": figures.get("all_visits", sum(visits.values())),
    }
    usage = {
        "items": [{"package": title, "minutesActivity": count} for title, count in minutes.items()],
        "totalMinutesActivity": figures.get("all_minutes", 0),
    }
    shared = {
        "filesCreated": figures.get("created", 0),
        "filesDeleted": figures.get("deleted", 0),
    }
    values = {2001: popularity, 2003: usage, 2004: {"nbMinutesOn": uptime}, 2005: shared}
    return [{"kpiId": kpi, "value": value} for kpi, value in values.items()]


def read_scenarios(folder: Path) -> list[Scenario]:
    scenarios = []
    for path in sorted(folder.glob("*.yml")):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        scenarios.append(Scenario(path, document))
    return scenarios


def replay(arguments: Sequence[str]) -> dict[str, Any]:
    """What `replay --format json` prints; it must succeed."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        code = offspot_metrics.main(["replay", "--format", "json", *arguments])
    if code:
        raise ScenarioError(f"replay ended with {code}")
    printed: dict[str, Any] = json.loads(output.getvalue())
    return printed


# --- lines ---------------------------------------------------------------------------------------


def full_line(item: str | Mapping[str, Any], shape: str) -> bytes:
    """Expand one item of a log into the bytes that Caddy would have written, newline included."""
    if isinstance(item, str):
        return _caddy_line(item, {}, shape).encode("utf-8") + b"\n"
    unknown = set(item) - _KEYS
    if unknown:
        raise ScenarioError(f"no such keys of a line: {unknown}")
    end = str(item.get("end", "\n")).encode("utf-8")
    if "raw" in item:
        # Bytes that are no UTF-8 are written as surrogates: "\udcff" is the byte 0xff.
        line = str(item["raw"]).encode("utf-8", "surrogateescape")
    else:
        line = _caddy_line(item["line"], item, shape).encode("utf-8", "surrogateescape")
    return line * int(item.get("repeat", 1)) + end


def _caddy_line(text: str, change: Mapping[str, Any], shape: str) -> str:
    """The compact `TIME METHOD HOST/PATH STATUS Header=value` as JSON, Caddy's keys in order.

    `set` puts JSON text in the place of a field (`request.host` goes inside), `drop` takes a field
    out, `agent` is a User-Agent of that JSON string or of that many characters, `first` are fields
    to begin with.
    """
    found = _LINE.fullmatch(text)
    if found is None:
        raise ScenarioError(f"not a line: {text!r}")
    status, new = int(found["status"]), shape == "2.11"
    failed = status >= 500 or (status >= 400 and not new)
    request = {
        "remote_ip": '"10.0.0.7"',
        "remote_port": '"40112"',
        **({"client_ip": '"10.0.0.7"'} if new else {}),
        "proto": '"HTTP/1.1"',
        "method": _json(found["method"]),
        "host": _json(found["host"]),
        "uri": _json(found["uri"]),
        "headers": f'{{"User-Agent":[{_agent(change.get("agent", 9))}],"Accept":["*/*"]}}',
    }
    fields = {
        "level": '"error"' if failed else '"info"',
        "ts": _timestamp(found["time"]),
        "logger": '"http.log.access.log0"',
        "msg": '"handled request"',
        "request": "",
        **({"bytes_read": "0"} if new else {}),
        "user_id": '""',
        "duration": "0.001373204",
        "size": "1957",
        "status": str(status),
        "resp_headers": _response_headers(found["more"]),
    }
    for field, value in change.get("set", {}).items():
        place = request if field.startswith("request.") else fields
        place[field.removeprefix("request.")] = value
    for field in change.get("drop", []):
        place = request if field.startswith("request.") else fields
        del place[field.removeprefix("request.")]
    if fields.get("request") == "":
        fields["request"] = _object(request)
    first = change.get("first", [])
    return _object({**{name: fields[name] for name in first}, **fields})


def _object(fields: Mapping[str, str]) -> str:
    return "{" + ",".join(f'"{name}":{value}' for name, value in fields.items()) + "}"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _agent(agent: str | int) -> str:
    return agent if isinstance(agent, str) else _json("M" * agent)


def _timestamp(text: str) -> str:
    """Seconds since the epoch with a fraction, as Caddy writes them."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ScenarioError(f"a time needs its offset: {text}")
    seconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)
    return f"{seconds}.{moment.microsecond or 250000:06d}".rstrip("0")


def _response_headers(text: str | None) -> str:
    """`Name=value Name=one|two` as lists of strings, after those that Caddy always sends."""
    headers = {"Server": ["Caddy"]}
    for pair in (text or "").split():
        name, value = pair.split("=", 1)
        headers[name] = value.split("|")
    return json.dumps(headers, ensure_ascii=False, separators=(",", ":"))
