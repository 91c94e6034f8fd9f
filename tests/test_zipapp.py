"""dist/offspot-metrics is what zipapp.spec says, always the same bytes, and needs only Python."""

import gzip
import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.api import documentation
from engine.usage_report import locales
from lab.browser import Browser
from lab.metrics import Metrics
from tools import build_zipapp

ROOT = Path(__file__).resolve().parent.parent
SPEC = build_zipapp.read_spec(ROOT)
CACHE = ROOT / "build/zipapp"
SAMPLES = ROOT / "samples"


def run_builder(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "tools/build_zipapp.py"), *options],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
    )


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive of this very tree: that of `make build`, or a new one where it is older."""
    output = tmp_path_factory.mktemp("dist") / "offspot-metrics"
    for name in ("offspot-metrics", ".offspot-metrics.inputs"):
        if (ROOT / "dist" / name).exists():
            shutil.copy2(ROOT / "dist" / name, output.with_name(name))
    done = run_builder("--output", str(output))
    assert done.returncode == 0, done.stderr
    return output


@pytest.fixture(scope="module")
def names(archive: Path) -> set[str]:
    with zipfile.ZipFile(archive) as opened:
        return set(opened.namelist())


@pytest.fixture
def elsewhere(archive: Path, tmp_path: Path) -> Iterator[Path]:
    """The archive alone, far from the checkout, in a folder that is its HOME too."""
    home = tmp_path / "home"
    home.mkdir()
    program = home / "offspot-metrics"
    shutil.copy2(archive, program)
    yield program
    left = sorted(path.name for path in home.rglob("*"))
    assert left == ["offspot-metrics"], "running the program must not write into HOME"


def isolated(program: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Python that neither sees what is installed nor listens to the environment."""
    return subprocess.run(
        [build_zipapp.plain_python(), "-I", "-S", str(program), *command],
        cwd=program.parent,
        env={"HOME": str(program.parent), "PATH": "/usr/bin:/bin"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


# ------------------------------------------------------------------- the spec and the tree


def tracked(*folders: str) -> list[str]:
    """What version control holds there; the tree itself where there is no version control."""
    git = ["git", "-C", str(ROOT), "-c", f"safe.directory={ROOT}", "ls-files", "-z", *folders]
    done = subprocess.run(git, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return [name for name in done.stdout.split("\0") if name and (ROOT / name).exists()]
    found = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    return [str(path.relative_to(ROOT)) for path in found if "__pycache__" not in path.parts]


def test_every_source_file_travels(names: set[str]) -> None:
    """A module or data file of the program that the spec forgets would be missed on a hotspot.

    What only the build needs stays out: the pages that it made are there instead.
    """
    forgotten = {name for name in tracked("cli", "engine") if name not in names}
    made_from = SPEC["project"]["made"]["from"]
    assert forgotten == {name for name in forgotten if build_zipapp.matches(name, made_from)}
    assert len(forgotten) == sum(pattern.startswith("engine/") for pattern in made_from)


def test_pages_that_are_made_at_build_are_those_of_the_tree(archive: Path) -> None:
    """The description of the API, byte for byte as a tree that was not built answers it, and what
    the report needs of Babel's data.
    """
    with zipfile.ZipFile(archive) as opened:
        made = {name: opened.read(f"engine/api/{name}") for name in documentation.pages()}
        data = opened.read(f"engine/usage_report/{locales.NAME}")
        assert not [name for name in opened.namelist() if name.endswith(".dat")]
    assert made == documentation.pages()
    assert data == locales.pages()[locales.NAME]


def test_the_dashboard_travels_built_and_not_as_sources(names: set[str]) -> None:
    built = {name for name in names if name.startswith("static/")}
    assert "static/__init__.py" in built
    assert "static/dist/index.html" in built
    sources = {name for name in built if name.startswith(("static/src", "static/node_modules"))}
    assert all(name.startswith("static/src/i18n/") for name in sources)  # texts of `report`


def test_every_file_that_the_spec_names_is_there(names: set[str]) -> None:
    expected = {*SPEC["project"]["modules"], *SPEC["project"]["files"].values(), "__main__.py"}
    assert expected <= names


def test_every_pattern_of_the_spec_is_about_a_file_that_exists() -> None:
    """What is dropped or kept of a dependency, and is no longer in it, is a line to remove."""
    rules = SPEC["dependencies"]
    wheels = build_zipapp.fetched_wheels(ROOT / rules["lock"], rules["wheels"], CACHE)
    files = set()
    for wheel in wheels.glob("*.whl"):
        with zipfile.ZipFile(wheel) as opened:
            files.update(opened.namelist())
    stale = [
        pattern
        for pattern in [*rules["drop"], *rules["keep"]]
        if not any(build_zipapp.matches(name, [pattern]) for name in files)
    ]
    assert stale == []


def test_a_file_that_the_spec_does_not_know_stops_the_build(tmp_path: Path) -> None:
    """Data that a new module reads must be declared; the build says so, not a hotspot."""
    tree = tmp_path / "tree"
    page = ["static/__init__.py", "static/dist", "static/src/i18n"]
    wanted = ["cli", "engine", *page, *SPEC["project"]["modules"], *SPEC["project"]["files"]]
    for name in wanted:
        source, target = ROOT / name, tree / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, target)
    build_zipapp.project_tree(tree, SPEC)  # as it is, it is known in full
    (tree / "engine/words.csv").write_text("a,b\n")
    with pytest.raises(build_zipapp.BuildError, match=r"engine/words\.csv is neither included"):
        build_zipapp.project_tree(tree, SPEC)


# ------------------------------------------------------------------- what is in it


def test_byte_code_is_beside_every_source(names: set[str]) -> None:
    """Python keeps none for an archive, so without it each start would compile everything."""
    sources = {name for name in names if name.endswith(".py")}
    without = SPEC["python"]["without_bytecode"]
    compiled = {f"{name}c" for name in sources if not build_zipapp.matches(f"{name}c", without)}
    assert compiled == {name for name in names if name.endswith(".pyc")}


def test_byte_code_is_taken_without_a_look_at_the_source(archive: Path) -> None:
    """Flags 1: known by hash, and not checked."""
    with zipfile.ZipFile(archive) as opened:
        byte_code = [name for name in opened.namelist() if name.endswith(".pyc")]
        flags = {int.from_bytes(opened.read(name)[4:8], "little") for name in byte_code}
    assert flags == {1}


def test_nothing_in_it_is_compiled_for_one_machine(archive: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        tree = {name: opened.read(name) for name in opened.namelist()}
    build_zipapp.refuse_native(tree, SPEC)


@pytest.mark.parametrize(
    "intruder",
    [
        {"yaml/_yaml.cpython-311-x86_64-linux-gnu.so": b""},
        {"tool.so.1": b""},
        {"engine/helper": b"\x7fELF\x02\x01"},
        {"engine/helper.bin": b"MZ\x90\x00"},
    ],
)
def test_a_compiled_file_stops_the_build(intruder: dict[str, bytes]) -> None:
    """By its name or by how it begins."""
    with pytest.raises(build_zipapp.BuildError, match=next(iter(intruder))):
        build_zipapp.refuse_native({"engine/times.py": b"", **intruder}, SPEC)


def test_it_is_small_enough(archive: Path) -> None:
    assert archive.stat().st_size <= SPEC["archive"]["size_limit_bytes"] <= 6_000_000


def test_texts_of_the_dashboard_are_there_compressed_too(archive: Path) -> None:
    """The server hands out X.gz as it is, so that a hotspot compresses nothing."""
    with zipfile.ZipFile(archive) as opened:
        compressed = [n for n in opened.namelist() if n.endswith(".gz")]
        assert "static/dist/index.html.gz" in compressed or any(".js.gz" in n for n in compressed)
        for name in compressed:
            assert opened.getinfo(name).compress_type == zipfile.ZIP_STORED
            assert gzip.decompress(opened.read(name)) == opened.read(name[:-3])


def test_licences_of_what_is_inside_are_inside(names: set[str]) -> None:
    """The archive contains the licences that its redistribution requires."""
    assert "LICENSE" in names
    projects = {name.split("/")[0] for name in names if ".dist-info/" in name}
    assert len(projects) >= 10
    texts = ("LICEN", "COPYING", "NOTICE")
    for project in projects:
        files = {name.partition("/")[2] for name in names if name.startswith(f"{project}/")}
        assert "METADATA" in files
        assert "RECORD" not in files
        found = [f for f in files if f.removeprefix("licenses/").upper().startswith(texts)]
        assert found, f"{project} comes without its licence"


# ------------------------------------------------------------------- always the same


def test_two_builds_give_the_same_bytes(archive: Path, tmp_path: Path) -> None:
    """Nothing of the hour, the folder or the order of a disk gets in."""
    again = tmp_path / "other folder" / "offspot-metrics"
    done = run_builder("--force", "--output", str(again), PYTHONHASHSEED="77", TZ="Asia/Tokyo")
    assert done.returncode == 0, done.stderr
    first, second = (hashlib.sha256(path.read_bytes()).hexdigest() for path in (archive, again))
    assert first == second


def test_another_date_can_be_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Distributions set SOURCE_DATE_EPOCH."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1781388000")
    data = build_zipapp.packed({"a": b"x"}, SPEC)
    assert data.startswith(b"#!/bin/sh\n")
    (tmp_path / "a.zip").write_bytes(data)
    with zipfile.ZipFile(tmp_path / "a.zip") as opened:
        assert opened.infolist()[0].date_time == (2026, 6, 13, 22, 0, 0)


def test_a_second_build_of_the_same_tree_does_nothing(archive: Path) -> None:
    before = archive.stat().st_mtime_ns
    done = run_builder("--output", str(archive))
    assert done.stdout.strip() == "offspot-metrics: up to date"
    assert archive.stat().st_mtime_ns == before


# ------------------------------------------------------------------- it runs


def test_it_is_one_executable_file(elsewhere: Path) -> None:
    """Started by name, with the machine's own Python and nothing in the environment."""
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o755
    python_folder = str(Path(build_zipapp.plain_python()).parent)
    done = subprocess.run(
        [str(elsewhere), "--version"],
        env={"PATH": f"{python_folder}:/usr/bin:/bin", "HOME": str(elsewhere.parent)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("offspot-metrics ")


@pytest.mark.parametrize("command", SPEC["smoke"]["commands"], ids=" ".join)
def test_smoke_commands_pass_in_isolation(elsewhere: Path, command: list[str]) -> None:
    done = isolated(elsewhere, *command)
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert "Traceback" not in done.stderr


def test_what_main_returns_is_the_exit_code(elsewhere: Path) -> None:
    """The starter that zipapp makes would throw it away."""
    assert isolated(elsewhere, "no-such-command").returncode == 2


def test_replay_and_kpis_count_real_logs(elsewhere: Path, tmp_path: Path) -> None:
    """The figures that `kpis` finds in the database are those that `replay` counted."""
    log, packages = SAMPLES / "caddy-2.6.2.json.gz", SAMPLES / "caddy-packages.yml"
    database = ["--database", str(tmp_path / "metrics.db")]
    command = ["replay", "--format", "json", "--packages", str(packages), *database, str(log)]
    counted = isolated(elsewhere, *command)
    assert counted.returncode == 0, counted.stderr
    found = json.loads(counted.stdout)
    assert found["lines"]["read"] == 3000
    assert found["lines"]["counted"] > 0
    assert {period["aggKind"] for period in found["periods"]} == set("DMWY")
    for period in found["periods"]:
        label = period["aggValue"].replace(" ", "-")
        stored = isolated(elsewhere, "kpis", "--format", "json", "--period", label, *database)
        assert stored.returncode == 0, stored.stderr
        assert json.loads(stored.stdout) == period


def test_doctor_explains_an_empty_machine(elsewhere: Path, tmp_path: Path) -> None:
    """Nothing is set up where it runs first, and it says so in words."""
    nowhere = str(tmp_path / "nowhere")
    command = ["doctor", "--packages", nowhere, "--logs", nowhere, "--database", nowhere]
    done = isolated(elsewhere, *command)
    assert done.returncode != 0
    assert nowhere in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_serve_answers_with_page_and_figures(elsewhere: Path, tmp_path: Path) -> None:
    """The page, its compressed copy, the figures and the description come out of one file."""
    logs = tmp_path / "logs"
    logs.mkdir()
    packed = SAMPLES / "caddy-2.6.2.json.gz"
    (logs / "caddy_access_logs.json").write_bytes(gzip.decompress(packed.read_bytes()))
    arguments = ["--reader", "tail", "--logs", str(logs), "--database", str(tmp_path / "m.db")]
    arguments += ["--packages", str(SAMPLES / "caddy-packages.yml")]
    with Metrics(elsewhere, arguments, tmp_path / "serve") as served:
        served.wait_for(
            lambda: bool(served.api("/api/v1/status")["lines"]["counted"]), "counted lines", 60
        )
        with Browser(("127.0.0.1", served.port)) as browser:
            host = f"127.0.0.1:{served.port}"
            plain = browser.get(host, "/")
            assert b"<html" in plain.body
            script = re.findall(rb'src="[./]*(assets/[^"]+[.]js)"', plain.body)[0].decode()
            small = browser.get(host, f"/{script}", [("Accept-Encoding", "gzip")])
            assert gzip.decompress(small.body) == browser.get(host, f"/{script}").body
            assert browser.get(host, "/api/v1/").status == 200
            assert json.loads(browser.get(host, "/api/v1/openapi.json").body)["openapi"]
        assert served.stop() == 0


def test_zones_come_from_the_archive(elsewhere: Path) -> None:
    """A hotspot's system may know no zones, and the archive brings them."""
    code = (
        "import sys, zoneinfo; sys.path.insert(0, sys.argv[1]); zoneinfo.reset_tzpath([]);"
        "print(zoneinfo.ZoneInfo('Asia/Kathmandu').utcoffset(__import__('datetime').datetime.min))"
    )
    done = subprocess.run(
        [build_zipapp.plain_python(), "-I", "-S", "-c", code, str(elsewhere)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "5:41:16", done.stderr


def test_an_older_python_is_told_what_is_missing() -> None:
    """The starter must be readable by any Python 3, and say which one it wants."""
    starter = build_zipapp.main_module(SPEC).decode()
    compile(starter, "__main__.py", "exec", dont_inherit=True)
    assert "sys.version_info < (3, 11)" in starter
    assert starter.index("version_info") < starter.index("from offspot_metrics")


def test_terminals_of_older_unicode_are_drawn_too(elsewhere: Path) -> None:
    """The archive has Rich's newest table of widths only, whatever the environment asks for."""
    done = subprocess.run(
        [build_zipapp.plain_python(), "-I", "-S", str(elsewhere), "config", "show"],
        cwd=elsewhere.parent,
        env={"HOME": str(elsewhere.parent), "UNICODE_VERSION": "9.0.0", "SITE_NAME": "本"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "本" in done.stdout
