"""What a request means, where figures cannot show it: inputs that would add nothing."""

from pathlib import Path

import pytest

from engine.inputs.model import FILE_DELETED, FilesShared, Input, PackageRequest, Request
from engine.inputs.rules import inputs_of
from engine.packages import Packages, read_packages

FILE = """
packages:
  - {kind: app, title: Share, url: "//share.box/", ident: file-manager.offspot.kiwix.org}
  - {kind: app, title: EduPi, url: "//edupi.box/", ident: edupi.offspot.kiwix.org}
"""


@pytest.fixture
def packages(tmp_path: Path) -> Packages:
    path = tmp_path / "packages.yml"
    path.write_text(FILE)
    return read_packages(path)


@pytest.mark.parametrize("count", ["0", "000", "100001", "-1", "1.0", "٣"])
def test_a_number_of_files_that_is_none_makes_no_input(packages: Packages, count: str) -> None:
    """Of files shared there are 1 to 100000: any other number makes no input, not one of zero."""
    headers = {"X-Tfm-Files-Added": [count], "X-Tfm-Files-Deleted": ["2"]}
    request = Request(0, "GET", "share.box", "/", 200, headers)
    expected: tuple[Input, ...] = (PackageRequest("Share"), FilesShared(FILE_DELETED, 2))
    assert inputs_of(request, packages) == expected


@pytest.mark.parametrize("path", ["a/b", "a/b/", "", "/"])
def test_a_document_is_one_name(packages: Packages, path: str) -> None:
    """What lies below a document of EduPi, or is none, is not deleted with a document's count."""
    request = Request(0, "DELETE", "edupi.box", f"/api/documents/{path}", 204, {})
    assert inputs_of(request, packages) == (PackageRequest("EduPi"),)
