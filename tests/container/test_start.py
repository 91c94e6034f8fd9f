"""Python 3.13 of the image starts the program as fast as 3.11, whose byte code the archive has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lab.images import Image
from tests.support.starts import OPTIONS, put_week, ratio

pytestmark = [pytest.mark.full, pytest.mark.timeout(400)]

ALLOWED = 1.15


@pytest.mark.parametrize("command", OPTIONS)
def test_the_start_on_313_takes_no_longer_than_on_311(
    unpacked: Callable[[str], Image], tmp_path: Path, command: str
) -> None:
    """`kpis` of a week, and a start of `serve` and its end: the least of several runs in turn takes
    at most 1.15 times as much of the processor.
    """
    root = unpacked("amd64").root
    put_week(root, tmp_path)
    assert ratio(root, command) <= ALLOWED
