"""The program as it is shipped."""

from __future__ import annotations

import pytest

from tests.security.cases import FILEBEAT
from tests.support.archive import require_current


@pytest.fixture(scope="session", autouse=True)
def _built() -> None:
    """The archive and Filebeat are there."""
    require_current()
    assert FILEBEAT.exists(), "`make filebeat` builds it"
