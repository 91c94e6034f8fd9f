"""The image takes the place of the older system's in the compose file of a hotspot."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lab.browser import Browser
from lab.caddy import Caddy
from lab.containers import CAPABILITIES, Container
from lab.images import Image
from lab.kiwix import KiwixServe
from lab.upstream_database import Row, UpstreamFile
from lab.zims import png, zim

pytestmark = [pytest.mark.full, pytest.mark.timeout(400)]

READ_ALL_FILES = "CAP_DAC_READ_SEARCH"
OUR_USER = 65532
HOUR = 1718600400
"""2024-06-17 05:00 UTC, a Monday: the first hour of the older system's database."""
ENVIRONMENT = {
    "ALLOWED_ORIGINS": "http://metrics|http://metrics.box",
    "PACKAGE_CONF_FILE": "/conf/packages.yaml",
    "DATABASE_URL": "sqlite+pysqlite:////data/database.db",
    "LOGWATCHER_DATA_FOLDER": "/data/logwatcher",
    "REVERSE_PROXY_LOGS_LOCATION": "/var/log/host/metrics",
    "REVERSE_PROXY_LOGS_PATTERN": "metrics*.json",
}
PACKAGES = """
metadata: {name: School, fqdn: box}
packages:
  - {kind: zim, title: Bees, url: "//lib.box/viewer#bees_en"}
  - {kind: files, title: Games, url: "//games.box/"}
"""
SITE = """
@lib host lib.box
handle @lib {{
  reverse_proxy 127.0.0.1:{kiwix}
}}
@games host games.box
handle @games {{
  respond "chess" 200
}}
@metrics host metrics.box
handle @metrics {{
  reverse_proxy {metrics}
}}
"""


@dataclass
class Hotspot:
    """Caddy before kiwix-serve and the container; the folders of a hotspot's disk."""

    caddy: Caddy
    container: Container
    folder: Path
    older: str
    """Hash of the database of the older system."""

    def click(self) -> None:
        """One visit of each package."""
        with Browser(self.caddy.address) as browser:
            assert browser.follow("lib.box", "/bees_en/")[-1] == "/bees_en/index.html"
            assert browser.get("games.box", "/").status == 200

    def get(self, path: str) -> Any:
        """An answer of the dashboard, by its name and through Caddy."""
        with Browser(self.caddy.address) as browser:
            return browser.get("metrics.box", path)

    def status(self) -> Any:
        return self.container.api("/api/v1/status")

    def visits(self, kind: str, label: str) -> dict[str, int]:
        """Visits by package of a period."""
        period = self.container.api(f"/api/v1/periods/{kind}/{label.replace(' ', '%20')}")
        [value] = [kpi["value"] for kpi in period["kpis"] if kpi["kpiId"] == 2001]
        return {item["package"]: item["visits"] for item in value["items"]}

    def this_year(self) -> dict[str, int]:
        """Visits by package of the year that the container is in."""
        now = datetime.fromtimestamp(self.status()["serverTime"], UTC)
        return self.visits("Y", str(now.year))

    def wait_for_year(self, visits: dict[str, int]) -> None:
        """Visits are on the page after the next save, which comes every minute."""
        self.container.wait_for(lambda: self.this_year() == visits, f"{visits}", 90)

    def hash_of_older(self) -> str:
        return hashlib.sha256((self.folder / "data/database.db").read_bytes()).hexdigest()


def make_older(data: Path) -> None:
    """A week of use, as the older system has left it."""
    rows: list[Row] = []
    for day in range(7):
        rows += [
            (HOUR + day * 86400, 1001, "Bees", 5),
            (HOUR + day * 86400, 1004, None, 60),
        ]
    file = UpstreamFile(data / "database.db")
    file.records(rows)
    file.close()


def disk(folder: Path) -> dict[str, tuple[Path, str]]:
    """A hotspot's folders and what the compose file mounts where."""
    for name in ("data", "log", "branding", "offspot.branding"):
        (folder / name).mkdir(parents=True)
    (folder / "log").chmod(0o700)
    (folder / "log/metrics.json").touch(mode=0o600)  # as Caddy 2.9 and later make it
    (folder / "dashboard.yaml").write_text(PACKAGES)
    (folder / "branding/square-logo-light.png").write_bytes(png(200, 30, 30))
    (folder / "offspot.branding/square-logo-light.png").write_bytes(png(30, 30, 200))
    return {
        "/var/log/host/metrics": (folder / "log", "rw"),
        "/data": (folder / "data", "rw"),
        "/conf/packages.yaml": (folder / "dashboard.yaml", "ro"),
        "/src/ui/branding": (folder / "branding", "ro"),
        "/src/ui/offspot.branding": (folder / "offspot.branding", "ro"),
    }


WAYS = {
    "as the compose file is": ("amd64-filebeat", CAPABILITIES),
    "with the right to read every file": ("amd64-filebeat", (*CAPABILITIES, READ_ALL_FILES)),
    "without Filebeat, that right alone": (
        "amd64",
        ("CAP_CHOWN", READ_ALL_FILES, "CAP_NET_BIND_SERVICE", "CAP_SETGID", "CAP_SETUID"),
    ),
}


@pytest.fixture(params=WAYS)
def hotspot(
    request: pytest.FixtureRequest, tmp_path: Path, unpacked: Callable[[str], Image]
) -> Iterator[Hotspot]:
    name, capabilities = WAYS[request.param]
    mounts = disk(tmp_path)
    make_older(tmp_path / "data")
    page = {"index.html": "<html><head><title>Home</title></head><body>Home</body></html>"}
    bees = zim(tmp_path / "bees_en.zim", name="bees_en", title="Bees", pages=page)
    container = Container(
        unpacked(name), tmp_path / "container", mounts, ENVIRONMENT, capabilities=capabilities
    )
    with KiwixServe(tmp_path / "kiwix", [bees]) as kiwix, container:
        site = SITE.format(kiwix=kiwix.port, metrics=f"{container.address}:80")
        with Caddy(tmp_path / "caddy", site, tmp_path / "log/metrics.json") as caddy:
            hotspot = Hotspot(caddy, container, tmp_path, "")
            hotspot.older = hotspot.hash_of_older()
            container.wait_for(lambda: container.answers("/health/ready"), "the start")
            yield hotspot


def rights(pid: int) -> dict[str, str]:
    """User, capabilities and more of a process."""
    text = Path(f"/proc/{pid}/status").read_text()
    return {line.partition(":")[0]: line.partition(":")[2].strip() for line in text.splitlines()}


def check_rights(container: Container) -> None:
    """No process has more than the right to read every file; who has it is another user."""
    may_read_all = READ_ALL_FILES in container.capabilities
    user = OUR_USER if may_read_all else 0
    pids = container.pids
    for pid in pids:
        found = rights(pid)
        assert found["Uid"].split() == [str(user)] * 4, found
        assert int(found["CapEff"], 16) == (0 if pid == pids[0] or not may_read_all else 4), found
        assert found["CapPrm"] == found["CapEff"], found
        assert found["NoNewPrivs"] == "1"


def test_it_takes_the_place_of_the_older_image(hotspot: Hotspot) -> None:
    """With the compose file's environment and mounts as they are: the older figures are shown and
    their database stays as it is, clicks through Caddy and kiwix-serve become figures from a log
    that only root may read, and after SIGKILL and another start nothing is lost or counted twice.
    """
    container = hotspot.container
    container.wait_for(
        lambda: "were imported from database.db" in " ".join(hotspot.status()["notes"]), "import"
    )
    assert hotspot.visits("W", "2024 W25") == {"Bees": 35}
    check_rights(container)

    for _ in range(3):
        hotspot.click()
    assert (hotspot.folder / "log/metrics.json").stat().st_mode & 0o777 == 0o600
    hotspot.wait_for_year({"Bees": 3, "Games": 3})
    kind = "filebeat" if (container.image.root / "usr/bin/filebeat").exists() else "tail"
    assert hotspot.status()["reader"]["kind"] == kind
    check_rights(container)

    container.kill()
    hotspot.click()  # while it is not there
    container.start()
    container.wait_for(lambda: container.answers("/health/ready"), "the second start")
    hotspot.click()
    hotspot.wait_for_year({"Bees": 5, "Games": 5})
    assert hotspot.visits("W", "2024 W25") == {"Bees": 35}

    assert container.run("healthcheck").returncode == 0
    assert container.stop() == 0
    assert "Traceback" not in container.text
    assert hotspot.hash_of_older() == hotspot.older
    assert not (hotspot.folder / "data/logwatcher").exists()


def test_the_dashboard_is_there_by_its_name_with_the_branding(hotspot: Hotspot) -> None:
    """Page and both folders of branding, by `metrics.<fqdn>` through Caddy and over port 80; the
    page is told to show the logo of the hotspot's owner.
    """
    assert hotspot.status()["site"]["logo"] == "/branding/square-logo-light.png"
    page = hotspot.get("/")
    assert page.status == 200
    assert b'<div id="app"' in page.body
    for name in ("branding", "offspot.branding"):
        logo = hotspot.get(f"/{name}/square-logo-light.png")
        assert logo.headers["content-type"] == "image/png"
        assert logo.body == (hotspot.folder / name / "square-logo-light.png").read_bytes()
