"""`doctor` on databases: it reads what is there, beside `serve` too, and changes nothing."""

from __future__ import annotations

import gzip
import os
from contextlib import closing

from engine.store.store import Store
from lab.upstream_database import UpstreamFile
from tests.cli.cases import Program, Result, SetUp, invoke, says, visits


def test_a_database_that_serve_filled(program: Program, setup: SetUp) -> None:
    """Beside serve: who runs, how much of each log is counted, lines by fate; the end is seen."""
    setup.log(visits(700, 3), "caddy_access_logs-old.json.gz").write_bytes(
        gzip.compress(visits(700, 3))
    )
    found: Result
    with program.serving(*setup.options):
        for _ in range(100):
            found = program.run("doctor", *setup.options)
            if "counted to its end" in found.out:
                break
        assert found.code == 0, found.out
        assert "serve (or a replay) is running on this database" in found.out
        assert "caddy_access_logs.json: counted to its end" in found.out
    after = program.run("doctor", *setup.options)
    assert "lines since the beginning: 33 read, 33 counted" in after.out
    assert "no serve is running" in after.out


def test_nothing_is_written(setup: SetUp) -> None:
    """Not a byte, not a file beside the database, not a time of change."""
    log = setup.logs / "caddy_access_logs.json"
    done = invoke("replay", "-q", *setup.options[:2], *setup.options[4:], log)
    assert done.code == 0
    before = setup.files()
    assert setup.examine()[0] == 0
    assert invoke("doctor", *setup.options).code == 0
    assert setup.files() == before


def test_a_database_after_a_power_cut_is_read_in_a_copy(setup: SetUp) -> None:
    """What is in the write-ahead log counts, and stays where it is."""
    log = setup.logs / "caddy_access_logs.json"
    invoke("replay", "-q", *setup.options[:2], *setup.options[4:], log)
    crashed = setup.place / "crashed.db"
    with closing(Store.open(setup.database)) as store:
        store.put("lost_bytes", 4711)
        for suffix in ("", "-wal"):
            source = setup.database.with_name(setup.database.name + suffix)
            crashed.with_name(crashed.name + suffix).write_bytes(source.read_bytes())
    setup.database = crashed
    before = setup.files()
    says(setup.examine()[1]["database"], "ok", "4,711 bytes of logs were lost")
    assert setup.files() == before


def test_a_database_of_offspot_metrics(setup: SetUp) -> None:
    """It is not ours, and no problem: serve makes ours next to it."""
    UpstreamFile(setup.database).close()
    code, checks = setup.examine()
    assert code == 0
    says(checks["database"], "note", "metrics.v2.db does not exist yet", "of offspot/metrics")


def test_a_damaged_database(setup: SetUp) -> None:
    """65: pages were overwritten."""
    log = setup.logs / "caddy_access_logs.json"
    invoke("replay", "-q", *setup.options[:2], *setup.options[4:], log)
    with setup.database.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(16384))
    code, checks = setup.examine()
    assert code == 65
    says(checks["database"], "problem", "damaged")


def test_a_byte_that_was_turned_over(setup: SetUp) -> None:
    """65: SQLite finds the pages valid, and a row is not what was written."""
    log = setup.logs / "caddy_access_logs.json"
    invoke("replay", "-q", *setup.options[:2], *setup.options[4:], log)
    content = setup.database.read_bytes()
    assert content.count(b"Bees")
    setup.database.write_bytes(content.replace(b"Bees", b"Beas"))
    code, checks = setup.examine()
    assert code == 65
    says(checks["database"], "problem", "not as they were written", "dimension")
