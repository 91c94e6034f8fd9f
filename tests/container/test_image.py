"""What is in the images, of both processors, with Filebeat and without."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.version import __version__
from lab.images import Image

pytestmark = [pytest.mark.full, pytest.mark.timeout(590)]

IMAGES = {"amd64": 100, "amd64-filebeat": 167, "arm64": 100, "arm64-filebeat": 167}
"""The size unpacked that is allowed, in MB."""
LABELS = {
    *("source", "title", "description", "version", "revision", "created", "licenses"),
    "documentation",
}


@pytest.fixture(params=IMAGES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def image(name: str, unpacked: Callable[[str], Image]) -> Image:
    return unpacked(name)


def files(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]


def test_it_is_small(name: str, image: Image) -> None:
    """Unpacked, it takes no more than what is allowed."""
    size = sum(path.stat().st_size for path in files(image.root))
    print(f"{name}: {size / 1e6:.1f} MB")
    assert size <= IMAGES[name] * 1_000_000


def test_it_has_a_python_and_no_shell(name: str, image: Image) -> None:
    """Its commands are Python, the program and Filebeat; nothing in it is more than its user."""
    wanted = {"python3", "python3.13", "offspot-metrics"}
    commands = {path.name for path in (image.root / "usr/bin").iterdir()}
    assert commands == wanted | ({"filebeat"} if "filebeat" in name else set())
    assert not [
        path for path in files(image.root) if path.stat().st_mode & (stat.S_ISUID | stat.S_ISGID)
    ]
    writable = [
        path for path in image.root.rglob("*")
        if not path.is_symlink() and path.stat().st_mode & stat.S_IWOTH and path.name != "tmp"
    ]  # fmt: skip
    assert writable == []


def test_every_module_has_byte_code_of_its_python(image: Image) -> None:
    """Next to each source is byte code that Python 3.13 loads without a look at the source."""
    magic = (3571).to_bytes(2, "little") + b"\r\n"
    sources = [path for path in files(image.root) if path.suffix == ".py"]
    assert len(sources) > 900
    for source in sources:
        compiled = source.parent / "__pycache__" / f"{source.stem}.cpython-313.pyc"
        head = compiled.read_bytes()[:8]
        assert head == magic + (1).to_bytes(4, "little"), source  # hashed, and not checked


def test_it_says_what_it_is(name: str, image: Image) -> None:
    """Labels as in the family, the processor, the port, and how to ask for its health."""
    config = image.config["config"]
    labels = config["Labels"]
    assert {f"org.opencontainers.image.{one}" for one in LABELS} <= set(labels)
    assert labels["org.opencontainers.image.version"] == __version__
    assert len(labels["org.opencontainers.image.revision"]) == 40
    assert image.config["architecture"] == name.partition("-")[0]
    assert image.command == ["/usr/bin/offspot-metrics", "serve"]
    assert config["Healthcheck"]["Test"] == ["CMD", "/usr/bin/offspot-metrics", "healthcheck"]
    assert config["ExposedPorts"] == {"80/tcp": {}}
    assert {"HOST": "0.0.0.0", "PORT": "80", "UI_LOCATION": "/src/ui"}.items() <= (
        image.environment.items()
    )


def test_it_names_the_packages_that_are_in_it(image: Image) -> None:
    """Scanners find Debian's release, and the packages that have files in the image with their
    versions, no others; all that is Debian's belongs to one of them. People find the licences.
    """
    root = image.root
    release = (root / "etc/os-release").read_text()
    assert "VERSION_CODENAME=trixie\n" in release
    status = (root / "var/lib/dpkg/status").read_text()
    assert "Package: python3.13-minimal\n" in status
    assert "Package: libsqlite3-0\n" in status
    stanzas = [stanza.splitlines() for stanza in status.strip().split("\n\n")]
    named = {stanza[0].removeprefix("Package: ") for stanza in stanzas}
    assert all("Status: install ok installed" in stanza for stanza in stanzas)
    lists = {path.stem: path.read_text().split() for path in root.glob("var/lib/dpkg/info/*.list")}
    assert lists.keys() == named
    assert not named & {"python3", "media-types", "mawk", "libreadline8t64"}
    for name, paths in lists.items():
        assert paths, name
        assert all(os.path.lexists(root / path[1:]) for path in paths), name
    ours = ("usr/lib/offspot-metrics/", "usr/bin/offspot-metrics", "usr/bin/filebeat")
    places = [*(root / "usr/lib").rglob("*"), *(root / "usr/bin").iterdir()]
    theirs = {
        f"/{path.relative_to(root)}" for path in places
        if not path.is_dir() and path.suffix != ".pyc"
        and not str(path.relative_to(root)).startswith(ours)
    }  # fmt: skip
    assert theirs - {path for paths in lists.values() for path in paths} == set()
    assert (root / "usr/share/doc/python3.13/copyright").exists()
    assert (root / "usr/lib/offspot-metrics/LICENSE").exists()
