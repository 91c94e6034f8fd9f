"""How Filebeat is run, and how its output is read."""

from pathlib import Path

import pytest

from engine.sources.filebeat.process import Event, events_in
from tests.support.reading import CURRENT, FILEBEAT, Following, lines


def output(*events: tuple[int, bytes, bytes]) -> bytes:
    """What Filebeat prints: offset, path and line, by tabs."""
    return b"".join(b"%d\t%s\t%s" % event for event in events)


def test_lines_that_follow_each_other_are_one_event() -> None:
    """As long as they are of one log and each begins where the one before ended."""
    one, two = b"/logs/a.json", b"/logs/b.json"
    assert events_in(output((0, one, b"12\n"), (3, one, b"4\n"), (5, one, b"6\n"))) == (
        [Event("/logs/a.json", 0, b"12\n4\n6\n")],
        0,
    )
    assert events_in(output((0, one, b"12\n"), (3, two, b"4\n"), (5, one, b"6\n")))[0] == [
        Event("/logs/a.json", 0, b"12\n"),
        Event("/logs/b.json", 3, b"4\n"),
        Event("/logs/a.json", 5, b"6\n"),
    ]
    for offset in (2, 4):  # a part of it again, and a gap
        assert events_in(output((0, one, b"12\n"), (offset, one, b"4\n")))[0] == [
            Event("/logs/a.json", 0, b"12\n"),
            Event("/logs/a.json", offset, b"4\n"),
        ]


def test_what_is_no_event_is_counted() -> None:
    """Its bytes; the events around it are read."""
    good = output((7, b"/logs/a.json", b"x\n"))
    assert events_in(b"panic: no such thing\n" + good) == (
        [Event("/logs/a.json", 7, b"x\n")],
        len(b"panic: no such thing\n"),
    )
    assert events_in(b"") == ([], 0)


@pytest.mark.parametrize("name", ["a ${HOME} $PATH", "[a]*?{b}", "back\\slash 'and' \"quotes\""])
def test_any_place_to_run_in(tmp_path: Path, name: str) -> None:
    """Its own folder may be called anything, too: that is in the settings that it is given."""
    logs = tmp_path / name / "logs"
    logs.mkdir(parents=True)
    (logs / CURRENT).write_bytes(lines(range(10)))
    with Following(logs, "filebeat") as following:
        following.wait_for_lines(lines(range(10)))
        following.wait_for_filebeat()


def test_it_gets_nothing_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But the way to programs, and where the logs are: settings of another Filebeat do no harm."""
    assert FILEBEAT.exists()
    monkeypatch.setenv("BEAT_STRICT_PERMS", "true")
    monkeypatch.setenv("GODEBUG", "gctrace=1")
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / CURRENT).write_bytes(lines(range(10)))
    with Following(logs, "filebeat") as following:
        pid = following.wait_for_filebeat()
        found = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    names = {variable.partition(b"=")[0] for variable in found if variable}
    assert names - {b"LC_CTYPE"} == {b"PATH", b"OFFSPOT_METRICS_LOGS"}  # that one Python sets
