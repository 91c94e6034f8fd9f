"""Fixtures of the HTTP tests: one database with a week in it, and a client of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.web import Client, Hotspot, a_week, an_app


@pytest.fixture
def hotspot(tmp_path: Path) -> Iterator[Hotspot]:
    """A week of figures in a real database."""
    found = a_week(tmp_path)
    yield found
    found.close()


@pytest.fixture
def client(hotspot: Hotspot) -> Client:
    """Asks an application over that week."""
    return Client(an_app(hotspot.open_report))
