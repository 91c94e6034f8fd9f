"""Both readers, and an empty folder of logs."""

from pathlib import Path

import pytest

from tests.support.reading import FILEBEAT, READERS


@pytest.fixture(params=READERS)
def reader(request: pytest.FixtureRequest) -> str:
    if request.param == "filebeat" and not FILEBEAT.exists():
        pytest.fail("build/filebeat is not there: make filebeat")
    return str(request.param)


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    return folder
