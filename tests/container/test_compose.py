"""The compose file and its Caddyfile are those of this version, and work with Caddy."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import yaml

from engine.settings import SETTINGS
from engine.version import __version__

FOLDER = Path(__file__).resolve().parents[2] / "container"


def test_the_compose_file_is_of_this_version() -> None:
    """It names the image that `make image` makes, and only settings that there are."""
    services = yaml.safe_load((FOLDER / "compose.yml").read_text())["services"]
    metrics = services["metrics"]
    assert metrics["image"] == f"offspot-metrics:{__version__}-filebeat-arm64"
    assert set(metrics["environment"]) <= {one.variable for one in SETTINGS.values()}
    assert metrics["read_only"] is True
    assert metrics["cap_add"] == ["DAC_READ_SEARCH"]
    mounted = {volume.split(":")[1] for volume in metrics["volumes"]}
    for name in ("REVERSE_PROXY_LOGS_LOCATION", "PACKAGE_CONF_FILE"):
        assert metrics["environment"][name] in mounted
    assert re.search(r"sqlite.*///(/data)/", metrics["environment"]["DATABASE_URL"])
    assert "/data" in mounted


def test_caddy_takes_the_caddyfile(tmp_path: Path) -> None:
    """Caddy adapts it, and logs to where the compose file mounts the logs, under the pattern."""
    done = subprocess.run(
        ["caddy", "adapt", "--adapter", "caddyfile", "--config", str(FOLDER / "Caddyfile")],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "FQDN": "my.hotspot"},
    )
    assert '"filename":"/var/log/caddy/metrics.json"' in done.stdout
    assert '"include":["http.log.access"]' in done.stdout
    assert "metrics.my.hotspot" in done.stdout
