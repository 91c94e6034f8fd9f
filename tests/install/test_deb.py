"""The Debian packages: what they contain, and what they say of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from engine.version import __version__
from tests.install.packages import ROOT, contents, field

SHARE = "/usr/share/doc/offspot-metrics"


def unpacked(package: Path, folder: Path) -> Path:
    """The files of a package."""
    subprocess.run(["dpkg-deb", "--extract", str(package), str(folder)], check=True)
    return folder


def test_the_program_is_for_all_machines(program: Path) -> None:
    """One package, with the version of the program, that needs Python only; Filebeat is another,
    which it recommends.
    """
    assert field(program, "Version") == f"{__version__}-1"
    assert field(program, "Architecture") == "all"
    assert "python3:any (>= 3.11" in field(program, "Depends")
    assert "debconf" not in field(program, "Depends")
    assert field(program, "Recommends") == "offspot-metrics-filebeat"


def test_what_it_installs(program: Path) -> None:
    """The program, unit, user, folder, settings, man page, completions, example and licences, all
    of root, and no byte code: that is made for the Python that is there.
    """
    found = contents(program)
    assert {
        "/usr/bin/offspot-metrics -> ../lib/offspot-metrics/offspot-metrics",
        "/etc/default/offspot-metrics",
        "/usr/lib/systemd/system/offspot-metrics.service",
        "/usr/lib/sysusers.d/offspot-metrics.conf",
        "/usr/lib/tmpfiles.d/offspot-metrics.conf",
        "/usr/share/man/man1/offspot-metrics.1.gz",
        "/usr/share/bash-completion/completions/offspot-metrics",
        "/usr/share/zsh/vendor-completions/_offspot-metrics",
        "/usr/share/fish/vendor_completions.d/offspot-metrics.fish",
        f"{SHARE}/examples/packages.yml",
        f"{SHARE}/examples/read-root-logs.conf",
        f"{SHARE}/copyright",
        f"{SHARE}/changelog.gz",
    } <= found.keys()
    assert not [path for path in found if path.endswith((".pyc", ".so"))]
    assert {mode for mode in found.values() if mode.startswith("-")} == {
        "-rw-r--r-- root/root",
        "-rwxr-xr-x root/root",
    }
    conffiles = subprocess.run(
        ["dpkg-deb", "--info", str(program), "conffiles"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert conffiles.stdout.split() == ["/etc/default/offspot-metrics"]


def test_the_licences_of_all_that_is_inside(program: Path, tmp_path: Path) -> None:
    """Every library of the program and of the page is named, with its licence."""
    text = (unpacked(program, tmp_path) / f".{SHARE}/copyright").read_text("utf-8")
    with zipfile.ZipFile(ROOT / "dist/offspot-metrics") as archive:
        libraries = {
            name.split("-")[0] for name in archive.namelist() if name.endswith("dist-info/METADATA")
        }
    assert len(libraries) > 8
    for name in libraries:
        assert f"  {name.replace('_', '-')} " in text.lower().replace("_", "-"), name
    assert "  vue 3." in text
    assert "GPL-3" in text
    assert "Permission is hereby granted" in text


def test_its_settings_are_those_of_every_command(program: Path, tmp_path: Path) -> None:
    """The launcher reads them from a file, which the environment goes before; of two lines the last
    holds; a line that is none is named, and ends it with 78.
    """
    root = unpacked(program, tmp_path)
    settings = root / "etc/default/offspot-metrics"
    settings.write_text("# a comment\nPORT=9000\nPORT=9001\n\nTZ='Africa/Bamako'\nSITE_NAME=\n")
    launcher = root / "usr/lib/offspot-metrics/offspot-metrics"
    assert launcher.read_text().startswith("#!/usr/bin/python3 -IS\n")
    launcher.write_text(launcher.read_text().replace("/etc/default/", f"{root}/etc/default/"))

    def run(**environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-IS", str(launcher), "config", "show"],
            env={"HOME": str(tmp_path), **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    shown = {line.split()[0]: line.split() for line in run().stdout.splitlines()}
    assert shown["port"][1:] == ["9001", "PORT"]
    assert shown["timezone"][1:] == ["Africa/Bamako", "TZ"]
    assert shown["site"][-1] == "default"
    assert "9002" in run(PORT="9002").stdout
    settings.write_text("PORT 9001\n")
    refused = run()
    assert refused.returncode == os.EX_CONFIG
    assert f"{settings}, line 1 is not of the form NAME=value" in refused.stderr


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not here")
@pytest.mark.parametrize("reads", ["plain", "root"])
def test_the_unit_is_confined(program: Path, tmp_path: Path, reads: str) -> None:
    """It is valid, and systemd's own measure of what it is exposed to is at most 2.0: for a user
    who reads what its groups may read, and with the one right to read root's logs too.
    """
    root = unpacked(program, tmp_path)
    unit = root / "usr/lib/systemd/system/offspot-metrics.service"
    if reads == "root":
        added = (root / f".{SHARE}/examples/read-root-logs.conf").read_text()
        unit.write_text(f"{unit.read_text()}\n{added}")
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager"]
    done = subprocess.run([*command, str(unit)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    verify = ["systemd-analyze", "verify", f"--root={root}", "--man=no", "offspot-metrics.service"]
    checked = subprocess.run(verify, capture_output=True, text=True, check=False)
    ours = [line for line in checked.stderr.splitlines() if "offspot-metrics.service" in line]
    assert not [line for line in ours if "Unknown" in line or "Failed to parse" in line], ours


@pytest.mark.full
@pytest.mark.timeout(600)
def test_lintian_finds_no_error(program: Path, filebeat: dict[str, Path]) -> None:
    """In none of the packages."""
    packages = [str(path) for path in (program, *filebeat.values())]
    command = ["lintian", "--fail-on", "error", *packages]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not [line for line in done.stdout.splitlines() if line.startswith("E:")]


@pytest.mark.full
@pytest.mark.timeout(600)
def test_filebeat_for_each_processor(filebeat: dict[str, Path], tmp_path: Path) -> None:
    """It is at the place where the program looks for it, made for that processor, with the licences
    of its modules.
    """
    machines = {"amd64": b"\x3e\x00", "arm64": b"\xb7\x00"}
    assert filebeat.keys() == machines.keys()
    for architecture, machine in machines.items():
        root = unpacked(filebeat[architecture], tmp_path / architecture)
        binary = (root / "usr/lib/offspot-metrics/filebeat").read_bytes()
        assert binary[:4] == b"\x7fELF"
        assert binary[18:20] == machine
        text = (root / "usr/share/doc/offspot-metrics-filebeat/copyright").read_text("utf-8")
        assert "  github.com/elastic/beats/v7 " in text
        assert text.count("  github.com/") > 40
