"""`report`: one page of a period, into a file that is there whole or not at all."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.cli.cases import Program, invoke, lines, write


@pytest.fixture
def database(place: Path, packages: Path) -> Path:
    """Two visits in June 2026."""
    log = lines(*(f"2026-06-0{day}T10:00:30.1Z GET lib.box/content/bees_en/ 200" for day in "34"))
    (path,) = write(place, log__json=log)
    done = invoke("replay", "-q", "--packages", packages, "--database", place / "metrics.db", path)
    assert done.code == 0, done.err
    return place / "metrics.db"


def test_a_month_becomes_a_file(database: Path, place: Path) -> None:
    """The file has the figures, in the language that was asked for, and nothing is printed."""
    file = place / "juin.html"
    options = ("--database", database, "--period", "2026-06", "--lang", "fr", "--site", "École <1>")
    done = invoke("report", *options, "-o", file)
    assert (done.code, done.out, done.err) == (0, "", "")
    text = file.read_text(encoding="utf-8")
    assert '<html lang="fr" dir="ltr">' in text
    assert "École &lt;1&gt;" in text
    assert "juin 2026" in text
    assert "<strong>2</strong>" in text
    assert [path.name for path in place.iterdir() if path.suffix in {".html", ".tmp"}] == [
        "juin.html"
    ]


def test_it_goes_to_standard_output(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without -o, and with -o -, the page is printed, in the language of the environment."""
    monkeypatch.delenv("LC_ALL", raising=False)
    monkeypatch.setenv("LANG", "ar_EG.UTF-8")
    done = invoke("report", "--database", database, "--period", "2026")
    assert done.code == 0
    assert '<html lang="ar" dir="rtl">' in done.out
    monkeypatch.setenv("LANG", "C.UTF-8")
    again = invoke("report", "--database", database, "--period", "2026", "-o", "-")
    assert '<html lang="en" dir="ltr">' in again.out


def test_a_note_and_a_logo(database: Path, place: Path) -> None:
    """Both are in the file; the logo whatever it is called, told by its content."""
    logo = place / "logo.txt"
    logo.write_bytes(b"\x89PNG\r\n\x1a\n" + b"x" * 9)
    options = ("--database", database, "--period", "2026-06", "--note", "For <all>", "--logo", logo)
    done = invoke("report", *options)
    assert done.code == 0, done.err
    assert "For &lt;all&gt;" in done.out
    assert "data:image/png;base64,iVBORw0KGgp4eHh4eHh4eHg=" in done.out


@pytest.mark.parametrize(
    ("content", "code", "why"),
    [
        (None, 66, "there is no logo"),
        (b"GIF87", 2, "is no image"),
        (b"<html><body>no</body></html>", 2, "is no image"),
        (b"\xff\xd8\xff" + bytes(1 << 20), 2, "more than 1 MiB"),
        ("a pipe", 77, "is not a file"),
    ],
)
def test_a_logo_that_cannot_be_used_is_said(
    database: Path, place: Path, content: bytes | str | None, code: int, why: str
) -> None:
    """What is wrong with it and what can be given; nothing is written."""
    logo = place / "logo.png"
    if isinstance(content, bytes):
        logo.write_bytes(content)
    elif content:
        os.mkfifo(logo)
    done = invoke("report", "--database", database, "--logo", logo, "-o", place / "report.html")
    assert done.code == code
    assert why in done.err
    assert "PNG, JPEG" in done.err
    assert not (place / "report.html").exists()


def test_what_is_no_file_is_written_to(database: Path, place: Path) -> None:
    """A pipe gets the page and stays a pipe, as a device does; a link stays, its file is replaced,
    with the mode that it had.
    """
    options = ("--database", database, "--period", "2026-06", "-o")
    os.mkfifo(place / "pipe")
    with subprocess.Popen(["cat", place / "pipe"], stdout=subprocess.PIPE) as cat:
        try:
            assert invoke("report", *options, place / "pipe").code == 0
            assert cat.communicate(timeout=10)[0].endswith(b"</html>\n")
        finally:
            cat.kill()
    assert (place / "pipe").is_fifo()
    (place / "june.html").write_text("old")
    (place / "june.html").chmod(0o640)
    (place / "link").symlink_to("june.html")
    assert invoke("report", *options, place / "link").code == 0
    assert (place / "link").is_symlink()
    assert (place / "june.html").read_text(encoding="utf-8").endswith("</html>\n")
    assert (place / "june.html").stat().st_mode & 0o777 == 0o640


def test_two_reports_at_once_are_both_whole(program: Program, database: Path, place: Path) -> None:
    """Neither writes into the draft of the other; a file that is called like one stays."""
    (place / "june.html.tmp").write_text("mine")
    options = ("--database", database, "--period", "2026-06", "-o", place / "june.html")
    command = program.command("report", *options)
    children = [subprocess.Popen(command, env=program.environment) for _ in range(4)]
    assert [child.wait(timeout=60) for child in children] == [0] * 4
    assert (place / "june.html").read_text(encoding="utf-8").endswith("</html>\n")
    assert [path.read_text() for path in place.glob("*.tmp")] == ["mine"]


def test_texts_of_any_bytes_become_a_page(program: Program, database: Path, place: Path) -> None:
    """Name and note in another encoding, with controls and marks of direction, and a long name."""
    file = place / "r.html"
    options = ["--database", database, "--period", "2026-06", "-o", file]
    texts = [b"--site", b"Caf\xe9\n\xe2\x80\xae" + b"x" * 400, b"--note", b"one\x1b\xff\ntwo"]
    command = [*map(os.fsencode, program.command("report", *options)), *texts]
    done = subprocess.run(command, env=program.environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    text = file.read_text(encoding="utf-8")
    assert "Caf\ufffd \ufffdxxx" in text
    assert "x" * 300 not in text
    assert '<p class="own">one\ufffd\ufffd\ntwo</p>' in text


@pytest.mark.parametrize("name", ["none/report.html", "folder", "/", "", ".", "x" * 256])
def test_a_file_that_cannot_be_written_is_said(database: Path, place: Path, name: str) -> None:
    """Exit 74, the reason and a way out; nothing is left behind."""
    (place / "folder").mkdir()
    done = invoke("report", "--database", database, "--period", "2026", "-o", place / name)
    if name in {"", "."}:
        done = invoke("report", "--database", database, "--period", "2026", "-o", name)
    assert done.code == 74
    assert "cannot be written" in done.err
    assert "another file with -o" in done.err
    assert not list(place.rglob("*.tmp"))


def test_an_unknown_language_is_said(database: Path) -> None:
    """Exit 2, with those that there are."""
    done = invoke("report", "--database", database, "--lang", "de")
    assert done.code == 2
    assert "en, fr, es, ar" in done.err or "en, fr, es or ar" in done.err


def test_the_archive_has_all_that_a_report_needs(program: Program, database: Path) -> None:
    """Texts, style, names of months: from the built file, in every language."""
    for code, month in {"en": "June", "fr": "juin", "es": "junio", "ar": "يونيو"}.items():
        done = program.run("report", "--period", "2026-06", "--lang", code, "--database", database)
        assert done.code == 0, done.err
        assert month in done.out
