"""The packages that the tests of this folder install."""

from pathlib import Path

import pytest

from tests.install.packages import build


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of the program."""
    (path,) = build(tmp_path_factory.mktemp("deb"), "--program-only")
    return path


@pytest.fixture(scope="session")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as a version before."""
    folder = tmp_path_factory.mktemp("older")
    (path,) = build(folder, "--program-only", "--version", "0.0.9-1")
    return path


@pytest.fixture(scope="session")
def filebeat(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The packages of Filebeat, by architecture."""
    built = build(tmp_path_factory.mktemp("filebeat"))
    return {path.stem.rpartition("_")[2]: path for path in built if "filebeat" in path.name}
