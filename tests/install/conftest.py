"""The packages that the tests of this folder install."""

from pathlib import Path

import pytest

from tests.install.packages import build


@pytest.fixture(scope="session")
def program() -> Path:
    """The package of the program."""
    return build("--only", "program")[0]


@pytest.fixture(scope="session")
def older() -> Path:
    """The same as a version before."""
    return build("--only", "program", "--version", "0.0.9-1")[0]


@pytest.fixture(scope="session")
def filebeat() -> dict[str, Path]:
    """The packages of Filebeat, by architecture."""
    return {path.stem.rpartition("_")[2]: path for path in build("--only", "filebeat")}
