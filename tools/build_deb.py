"""Builds the Debian packages into dist/: the program, and Filebeat for each kind of processor.

It takes the built program apart (dist/offspot-metrics), adds man page, completions and the files of
debian/, and lets debhelper pack them. The same sources give the same packages.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from email.parser import Parser
from email.utils import format_datetime
from pathlib import Path, PurePosixPath
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
ARCHITECTURES = ("amd64", "arm64")
PROGRAM = "dist/offspot-metrics"
LEFT_OUT = ("__main__.py", "LICENSE")
"""The launcher takes the place of the one; the licences are in the package's copyright file."""

CHANGELOG = """\
offspot-metrics ({version}) unstable; urgency=medium

  * Release {release}; changelog.gz has what has changed.

 -- {maintainer}  {date}
"""

PREAMBLE = """\
offspot-metrics: usage figures of an offline Kiwix hotspot

Copyright: the contributors of offspot-metrics
Licence: GNU General Public License, version 3 or later;
on Debian its text is in /usr/share/common-licenses/GPL-3.
"""
APACHE = re.compile(r"^\s*Apache License\s+Version 2\.0", re.MULTILINE)
COPYRIGHT = re.compile(r"^[\s/#*]*(Copyright\b.*\d{4}.*?)\s*$", re.MULTILINE | re.IGNORECASE)
LICENCE_FILES = re.compile(r"(?i)^(licen[cs]e|copying|notice|authors)")


class Part(NamedTuple):
    """Something of others in a package."""

    name: str
    licence: str
    texts: tuple[str, ...]


# ------------------------------------------------------------------- licences


def modules_of_program(archive: zipfile.ZipFile) -> Iterator[Part]:
    """The Python libraries in the program."""
    names = archive.namelist()
    for metadata in sorted(name for name in names if name.endswith(".dist-info/METADATA")):
        about = Parser().parsestr(archive.read(metadata).decode())
        folder = f"{PurePosixPath(metadata).parent}/"
        texts = [
            archive.read(name).decode()
            for name in sorted(names)
            if name.startswith(folder) and LICENCE_FILES.match(PurePosixPath(name).name)
        ]
        licence = about["License-Expression"] or about["License"] or "see below"
        yield Part(f"{about['Name']} {about['Version']}", licence.splitlines()[0], tuple(texts))


def modules_of_page(web: Path) -> Iterator[Part]:
    """The JavaScript libraries in the page: those that are not only for development."""
    lock = json.loads((web / "package-lock.json").read_text("utf-8"))
    for name, about in sorted(lock["packages"].items()):
        if name and not about.get("dev") and (web / name).is_dir():
            title = f"{name.removeprefix('node_modules/')} {about['version']}"
            yield Part(title, about.get("license", "see below"), licence_texts(web / name))


def modules_of_filebeat(folder: Path) -> Iterator[Part]:
    """The Go modules in Filebeat."""
    form = "{{with .Module}}{{.Path}}\t{{.Version}}\t{{.Dir}}{{end}}"
    command = ["go", "list", "-deps", "-f", form, "."]
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=mod"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    for line in sorted({line for line in done.stdout.splitlines() if line}):
        path, version, where = line.split("\t")
        if Path(where) != folder:
            yield Part(f"{path} {version}", "see below", licence_texts(Path(where)))


def licence_texts(folder: Path) -> tuple[str, ...]:
    """The licence files of a library."""
    files = sorted(path for path in folder.iterdir() if LICENCE_FILES.match(path.name))
    return tuple(path.read_text("utf-8", "replace") for path in files if path.is_file())


def copyright_file(parts: Iterable[Part]) -> str:
    """All licences: each text once, and the Apache licence where Debian has it."""
    users: dict[tuple[str, ...], list[str]] = {}
    for part in parts:
        texts = tuple(short(text) for text in part.texts)
        users.setdefault(texts, []).append(f"{part.name} ({part.licence})")
    out = [PREAMBLE]
    for texts, names in users.items():
        out.append("\n".join(["-" * 72, "It contains:", *(f"  {name}" for name in names)]))
        out += [text.strip() for text in texts]
    return "\n\n".join(out) + "\n"


def short(text: str) -> str:
    """A licence; of the Apache licence only whose it is."""
    if not APACHE.search(text):
        return text
    owners = [found for found in COPYRIGHT.findall(text) if "[yyyy]" not in found]
    return "\n".join(
        [
            *owners,
            "Licensed under the Apache License, Version 2.0;",
            "on Debian its text is in /usr/share/common-licenses/Apache-2.0.",
        ]
    )


# ------------------------------------------------------------------- the packages


def put_together(stage: Path, version: str, seconds: int) -> None:
    """Write what debhelper packs into a folder."""
    program = stage / "program"
    with zipfile.ZipFile(ROOT / PROGRAM) as archive:
        for name in archive.namelist():
            if not name.endswith(".pyc") and ".dist-info/" not in name and name not in LEFT_OUT:
                archive.extract(name, program)
        parts = [*modules_of_program(archive), *modules_of_page(ROOT / "static")]
    shutil.copytree(ROOT / "debian", stage / "debian")
    launcher = program / "offspot-metrics"
    shutil.copy(ROOT / "debian/launcher.py", launcher)
    launcher.chmod(0o755)
    made = [sys.executable, str(ROOT / "tools/make_man.py"), str(stage)]
    subprocess.run(made, env={**os.environ, "SOURCE_DATE_EPOCH": str(seconds)}, check=True)
    shutil.copy(ROOT / "samples/packages.yml", stage)
    shutil.copy(ROOT / "CHANGELOG.md", stage)
    control = (ROOT / "debian/control").read_text("utf-8")
    text = CHANGELOG.format(
        version=version,
        release=version.rpartition("-")[0],
        maintainer=control.split("Maintainer: ")[1].splitlines()[0],
        date=format_datetime(datetime.fromtimestamp(seconds, UTC)),
    )
    (stage / "debian/changelog").write_text(text, "utf-8")
    write = (stage / "debian/offspot-metrics.copyright").write_text
    write(copyright_file(parts), "utf-8")


def pack(stage: Path, only: str | None, seconds: int) -> list[Path]:
    """Run debhelper for the program, and for Filebeat of each architecture."""
    make = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")
    environment = {name: value for name, value in os.environ.items() if name not in make}
    environment["SOURCE_DATE_EPOCH"] = str(seconds)

    def run(*command: str) -> None:
        done = subprocess.run(
            command, cwd=stage, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise SystemExit(f"build_deb: {' '.join(command)} fails:\n{done.stdout}{done.stderr}")

    if only != "filebeat":
        run("debian/rules", "binary-indep")
    for architecture in ARCHITECTURES if only != "program" else ():
        shutil.copy(ROOT / f"build/filebeat-{architecture}", stage / "filebeat")
        run("dh_clean")
        run("dpkg-architecture", "-f", "-a", architecture, "-c", "debian/rules binary-arch")
    return sorted(stage.parent.glob("*.deb"))


def source_date() -> int:
    """SOURCE_DATE_EPOCH, else the date of the newest commit."""
    if found := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(found)
    command = ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return int(done.stdout.strip() or 1577836800)


def main() -> int:
    """Build them, and print their names."""
    sys.path.insert(0, str(ROOT))
    from engine.version import __version__

    parser = argparse.ArgumentParser(description="Build the Debian packages.")
    parser.add_argument("--version", default=f"{__version__}-1")
    parser.add_argument("--output", type=Path, default=ROOT / "dist")
    parser.add_argument("--only", choices=("program", "filebeat"))
    options = parser.parse_args()
    seconds = source_date()
    options.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="offspot-metrics-deb-") as folder:
        stage = Path(folder) / "offspot-metrics"
        put_together(stage, options.version, seconds)
        if options.only != "program":
            licences = copyright_file(modules_of_filebeat(ROOT / "filebeat"))
            (stage / "debian/offspot-metrics-filebeat.copyright").write_text(licences, "utf-8")
        for path in pack(stage, options.only, seconds):
            print(shutil.copy(path, options.output))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
