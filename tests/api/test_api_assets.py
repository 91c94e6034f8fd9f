"""The dashboard's files: from a folder, from an archive, from the operator; and nothing else."""

import gzip
import os
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.api import assets, folders
from engine.api.assets import load_assets
from tests.api.web import STRICT_POLICY, Client, an_app
from tests.support.measured import measured

FILES = {
    "index.html": b"<!doctype html><title>ours</title>" + b" " * 600,
    "favicon.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "assets/index-B4x_9-Qz.js": b"export default 1;" * 100,
    "assets/logo-original.png": b"\x89PNG",
}


def no_report() -> None:
    raise OSError("these tests need no figures")


def client_of(found: assets.Assets) -> Client:
    return Client(an_app(no_report, assets=found))


@pytest.fixture(params=["folder", "archive"])
def package(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A package with a built dashboard, in a folder or inside a zip, as in the built program."""
    name = f"dashboard_of_{request.param}_{tmp_path.name.replace('-', '_')}"
    files = {f"{name}/__init__.py": b""}
    files |= {f"{name}/dist/{path}": body for path, body in FILES.items()}
    files[f"{name}/dist/index.html.gz"] = gzip.compress(FILES["index.html"], mtime=0)
    place = tmp_path
    if request.param == "archive":
        place = tmp_path / "program.pyz"
        with zipfile.ZipFile(place, "w") as archive:
            for path, body in files.items():
                archive.writestr(path, body)
    else:
        for path, body in files.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(body)
    sys.path.insert(0, str(place))
    yield name
    sys.path.remove(str(place))
    sys.modules.pop(name, None)


def test_the_built_in_dashboard(package: str) -> None:
    """Every file by its name, the page also for its views; compressed as it was built."""
    client = client_of(load_assets(package=package))
    for path, body in FILES.items():
        reply = client.get(f"/{path}")
        assert (reply.status, reply.body) == (200, body)
        assert reply.headers["content-security-policy"] == STRICT_POLICY
    for view in ("/", "/home", "/status/details", "/when/2026-09-01..2026-11-30"):
        assert client.get(view).body == FILES["index.html"]
    packed = client.get("/", Accept_Encoding="gzip")
    assert gzip.decompress(packed.body) == FILES["index.html"]
    assert client.get("/index.html.gz").status == 404
    assert client.get("/2026-09-01..2026-11-30.js").status == 404


def test_how_long_a_file_may_be_kept(package: str) -> None:
    """For ever when its name has a hash; the page and plain names are asked for again."""
    client = client_of(load_assets(package=package))
    kept = {path: client.get(f"/{path}").headers["cache-control"] for path in FILES}
    assert kept.pop("assets/index-B4x_9-Qz.js") == "public, max-age=31536000, immutable"
    assert set(kept.values()) == {"no-cache"}


def test_types_are_our_own_table(package: str) -> None:
    """The same on every machine; JSON and scripts are never sniffed."""
    client = client_of(load_assets(package=package))
    types = {path: client.get(f"/{path}").headers["content-type"] for path in FILES}
    assert types == {
        "index.html": "text/html; charset=utf-8",
        "favicon.svg": "image/svg+xml",
        "assets/index-B4x_9-Qz.js": "text/javascript; charset=utf-8",
        "assets/logo-original.png": "image/png",
    }


@pytest.mark.parametrize("path", ["/nothing.js", "/assets/nothing.css", "/index.htm", "/a.b/c.d"])
def test_a_dotted_name_that_is_no_file(package: str, path: str) -> None:
    """404: a page in place of a script would only confuse a browser."""
    assert client_of(load_assets(package=package)).get(path).status == 404


def test_without_a_built_dashboard_a_page_says_so() -> None:
    """A checkout works before the first build, and shows the way to the figures."""
    reply = client_of(load_assets(package="no_such_package")).get("/")
    assert reply.status == 200
    assert b'href="/api/v1/"' in reply.body


def test_the_operators_own_dashboard_replaces_ours(package: str, tmp_path: Path) -> None:
    """All of it, with the policy for pages that are not ours; the API keeps the strict one."""
    folder = tmp_path / "own"
    (folder / "css").mkdir(parents=True)
    (folder / "index.html").write_text("<style>p{}</style>theirs")
    (folder / "css" / "site.css").write_text("p{}")
    (folder / "LOGO.PNG").write_bytes(b"png")
    client = client_of(load_assets(folder, package=package))
    page = client.get("/")
    assert page.body == b"<style>p{}</style>theirs"
    assert page.headers["content-security-policy"] == "default-src 'self' 'unsafe-inline' data:"
    assert client.get("/css/site.css").headers["content-type"] == "text/css; charset=utf-8"
    assert client.get("/LOGO.PNG").headers["content-type"] == "image/png"
    assert client.get("/favicon.svg").status == 404
    assert client.get("/health").headers["content-security-policy"] == STRICT_POLICY


def test_the_logo_is_that_of_the_owner_else_of_the_offspot(package: str, tmp_path: Path) -> None:
    """Of both folders of branding the owner's comes first, and a square logo before a wide one."""
    assert load_assets(tmp_path, package=package).logo is None
    for name in (
        "offspot.branding/horizontal-logo-light.png",
        "offspot.branding/square-logo-light.png",
        "branding/horizontal-logo-light.png",
        "branding/square-logo-light.png",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"\x89PNG")
        assert load_assets(tmp_path, package=package).logo == f"/{name}"


def test_branding_stands_beside_our_page(package: str, tmp_path: Path) -> None:
    """A folder without a page only adds files; so do the folders that are given by name."""
    folder, branding = tmp_path / "ui", tmp_path / "elsewhere"
    (folder / "branding").mkdir(parents=True)
    branding.mkdir()
    (folder / "branding" / "logo.png").write_bytes(b"mounted")
    (folder / "favicon.svg").write_bytes(b"<svg>theirs</svg>")
    (branding / "logo.png").write_bytes(b"given")
    given = {"offspot.branding": branding, "branding": branding}
    client = client_of(load_assets(folder, given, package=package))
    assert client.get("/branding/logo.png").body == b"mounted"
    assert client.get("/favicon.svg").body == b"<svg>theirs</svg>", "instead of ours"
    assert client.get("/offspot.branding/logo.png").body == b"given"
    assert client.get("/").body == FILES["index.html"]
    assert client.get("/").headers["content-security-policy"] == STRICT_POLICY


def test_only_regular_files_of_the_folder_are_served(
    package: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Links that leave it, pipes and loops are left out and named in the log; links inside work."""
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    folder = tmp_path / "ui"
    (folder / "sub").mkdir(parents=True)
    (folder / "real.txt").write_text("real")
    (folder / "inside.txt").symlink_to("real.txt")
    (folder / "outside.txt").symlink_to(secret)
    (folder / "absolute.txt").symlink_to("/etc/passwd")
    (folder / "dangling.txt").symlink_to("nowhere")
    (folder / "sub" / "loop").symlink_to(folder, target_is_directory=True)
    os.mkfifo(folder / "pipe.txt")
    client = client_of(load_assets(folder, package=package))
    assert client.get("/real.txt").body == b"real"
    assert client.get("/inside.txt").body == b"real"
    for name in ("outside", "absolute", "dangling", "pipe"):
        assert client.get(f"/{name}.txt").status == 404
        assert f"{name}.txt" in caplog.text
    assert client.get("/sub/loop/real.txt").status == 404


def test_a_file_that_appears_later_is_not_served(package: str, tmp_path: Path) -> None:
    """The list is made at start; a request touches no file system."""
    folder = tmp_path / "ui"
    folder.mkdir()
    (folder / "old.txt").write_text("old")
    client = client_of(load_assets(folder, package=package))
    (folder / "new.txt").write_text("new")
    (folder / "old.txt").unlink()
    assert client.get("/new.txt").status == 404
    assert client.get("/old.txt").body == b"old"


def test_a_folder_that_is_missing_counts_as_empty(
    package: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The built-in page is better than no start."""
    client = client_of(load_assets(tmp_path / "nowhere", package=package))
    assert client.get("/").body == FILES["index.html"]
    assert "nowhere" in caplog.text


def test_a_folder_has_bounds(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Of 2,002 files 2,000 are served, of files those of up to 4 GiB, what lies in up to
    16 folders; of a folder with more than 20,000 names nothing.
    """
    folder = tmp_path / "ui"
    deepest = folder.joinpath(*(f"d{number}" for number in range(17)))
    deepest.mkdir(parents=True)
    (deepest / "deep.txt").write_text("x")
    (deepest.parent / "less.txt").write_text("x")
    with (folder / "00-giant.txt").open("wb") as giant:
        giant.truncate((4 << 30) + 1)  # it has no content on the disk
    with (folder / "01-large.txt").open("wb") as large:
        large.truncate(4 << 30)
    assert [name for name, _ in folders.list_folder(folder)] == [
        "01-large.txt",
        f"{'/'.join(deepest.parent.relative_to(folder).parts)}/less.txt",
    ]
    for number in range(2000):
        (folder / f"{number:04}.txt").write_text("x")
    (folder / "index.html").write_text("the page")
    client = client_of(load_assets(folder, package="no_such_package"))
    assert client.get("/").body == b"the page"  # the last by name, and the first that is needed
    served = [client.get(f"/{number:04}.txt").status for number in range(1996, 2000)]
    assert served == [200] * 2 + [404] * 2
    assert client.get("/00-giant.txt").status == 404
    assert "too many" in caplog.text
    names = len(list(folder.iterdir()))
    for number in range(names, 20_000):
        (folder / f"z{number:05}").touch()
    assert len(list(folders.list_folder(folder))) == 2000
    (folder / "one more").touch()
    assert list(folders.list_folder(folder)) == []
    assert "too large" in caplog.text


def test_names_with_a_dot_before_them_are_not_served(package: str, tmp_path: Path) -> None:
    """S35: `.git`, `.env`, whatever is below such a folder, and links to them."""
    folder = tmp_path / "ui"
    (folder / ".git").mkdir(parents=True)
    (folder / "css" / ".cache").mkdir(parents=True)
    for name in (".git/config", ".env", ".htpasswd.txt", "css/.cache/a.css", "css/.b.css"):
        (folder / name).write_text("secret")
    (folder / "config.txt").symlink_to(".git/config")
    (folder / "link").symlink_to(".git", target_is_directory=True)
    (folder / "real.txt").write_text("real")
    client = client_of(load_assets(folder, package=package))
    for name in (".git/config", ".env", ".htpasswd.txt", "css/.cache/a.css", "css/.b.css"):
        assert client.get(f"/{name}").body != b"secret"
    assert client.get("/config.txt").status == 404
    assert client.get("/link/config.txt").status == 404
    assert client.get("/real.txt").body == b"real"


@pytest.mark.parametrize("folder", ["/proc", "/sys", "/proc/self"])
@pytest.mark.timeout(60)
def test_a_folder_of_the_kernel_does_not_hang(package: str, folder: str) -> None:
    """S35: `UI_LOCATION=/proc` is looked at in a moment, and nothing of it is served."""
    began = time.monotonic()
    found = dict(folders.list_folder(Path(folder)))
    measured(folder=folder, files=len(found), seconds=time.monotonic() - began)
    assert time.monotonic() - began < 5
    assert found == {}
    client = client_of(load_assets(Path(folder), package=package))
    assert client.get("/environ").body == FILES["index.html"]


def test_a_large_file_is_sent_from_disk(package: str, tmp_path: Path) -> None:
    """Whole, with its tag; 404 once it is another file than at the start."""
    folder = tmp_path / "ui"
    folder.mkdir()
    body = os.urandom(1024 * 1024 + 1)
    (folder / "film.mp4").write_bytes(body)
    (folder / "small.bin").write_bytes(body[:-1])
    found = dict(folders.list_folder(folder))
    assert [type(content) for content in found.values()] == [folders.DiskFile, bytes]
    client = client_of(load_assets(folder, package=package))
    reply = client.get("/film.mp4")
    assert (reply.status, reply.body) == (200, body)
    assert int(reply.headers["content-length"]) == len(body)
    assert client.ask("HEAD", "/film.mp4").headers == reply.headers
    again = client.get("/film.mp4", If_None_Match=reply.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    (folder / "film.mp4").write_bytes(body + b"more")
    reply = client.get("/film.mp4")
    assert (reply.status, reply.json) == (404, {"detail": "Not Found"})
    (folder / "film.mp4").unlink()
    (folder / "film.mp4").symlink_to("/etc/passwd")
    assert client.get("/film.mp4").status == 404


def test_what_does_not_fit_in_memory_is_sent_from_disk(tmp_path: Path) -> None:
    """However many small files there are, they take at most 8 MiB of memory."""
    folder = tmp_path / "ui"
    folder.mkdir()
    for number in range(10):
        (folder / f"{number}.bin").write_bytes(bytes([number]) * (1 << 20))
    found = list(folders.list_folder(folder))
    assert [isinstance(content, bytes) for _, content in found] == [True] * 8 + [False] * 2
    client = client_of(load_assets(folder, package="no_such_package"))
    assert client.get("/9.bin").body == b"\x09" * (1 << 20)
