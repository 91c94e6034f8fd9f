"""What is no regular file is refused at once, whatever it is; a file is read."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest

from engine.regular_file import NotRegularFile, open_regular


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("follow", [True, False])
@pytest.mark.parametrize(
    ("make", "number", "words"),
    [
        (os.mkfifo, errno.EINVAL, "Not a regular file"),
        (_socket, errno.EINVAL, "Not a regular file"),
        (Path.mkdir, errno.EISDIR, "Is a directory"),
    ],
)
def test_what_is_no_file_is_refused_at_once(
    tmp_path: Path, make: object, number: int, words: str, follow: bool
) -> None:
    """A pipe that nobody writes to is not waited for, and no descriptor stays open."""
    path = tmp_path / "it"
    assert callable(make)
    make(path)
    before = set(Path("/proc/self/fd").iterdir())
    with pytest.raises(NotRegularFile) as raised:
        open_regular(path, follow=follow)
    assert (raised.value.errno, raised.value.strerror) == (number, words)
    assert raised.value.filename == str(path)
    assert set(Path("/proc/self/fd").iterdir()) == before


def test_a_device_is_refused() -> None:
    """It may have no end."""
    with pytest.raises(NotRegularFile, match="Not a regular file"):
        open_regular("/dev/zero")


def test_a_file_is_read_and_a_link_where_it_may_be_one(tmp_path: Path) -> None:
    """A link is an error of its own where links are not followed, as is what is not there."""
    path, link = tmp_path / "file", tmp_path / "link"
    path.write_bytes(b"content")
    link.symlink_to(path)
    for found in (path, link):
        with open_regular(found) as file:
            assert file.read() == b"content"
    with open_regular(path, follow=False) as file:
        assert not os.get_inheritable(file.fileno())
    with pytest.raises(OSError, match="symbolic links") as raised:
        open_regular(link, follow=False)
    assert raised.value.errno == errno.ELOOP
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "none")
    with pytest.raises(ValueError, match="null"):
        open_regular("a\0b")
