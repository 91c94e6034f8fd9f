"""Images of the program as it is now, built once and unpacked for the tests."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.images import Image
from lab.processes import missing_programs
from tests.support.archive import PROGRAM, require_current

ROOT = Path(__file__).resolve().parents[2]
DIST = ROOT / "dist"


def inputs(filebeat: Path | None) -> str:
    """A digest of what an image is made from."""
    digest = hashlib.sha256(PROGRAM.read_bytes())
    for path in sorted((ROOT / "container").iterdir()):
        digest.update(path.read_bytes())
    if filebeat is not None:
        digest.update(filebeat.read_bytes())
    return digest.hexdigest()


def built(arch: str, *, with_filebeat: bool) -> Path:
    """The archive of an image, built unless it is there and current."""
    require_current()
    variant = "-filebeat" if with_filebeat else ""
    archive = DIST / f"offspot-metrics-{arch}{variant}.tar"
    filebeat = ROOT / "build" / ("filebeat" if arch == "amd64" else f"filebeat-{arch}")
    used = filebeat if with_filebeat else None
    note = archive.with_suffix(".inputs")
    DIST.mkdir(exist_ok=True)
    with (DIST / ".images.lock").open("w") as lock:  # of all processes of a run
        fcntl.flock(lock, fcntl.LOCK_EX)
        if used is not None and not used.exists():
            subprocess.run(["make", used.relative_to(ROOT)], cwd=ROOT, check=True)
        if not archive.exists() or not note.exists() or note.read_text() != inputs(used):
            command = ["container/build_image.sh", arch, *([str(used)] if used else [])]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            note.write_text(inputs(used))
    return archive


@pytest.fixture(scope="session")
def unpacked() -> Iterator[Callable[[str], Image]]:
    """Unpacks an image by its name, such as `amd64-filebeat`, once, where any user may enter."""
    if os.geteuid():
        pytest.skip("only root may run containers")
    needed = ["buildah", "crun", "mmdebstrap", "qemu-aarch64-static", "ip"]
    if missing := missing_programs(*needed):
        pytest.fail(f"not there: {', '.join(missing)}; `make image` installs them")
    images: dict[str, Image] = {}
    folder = Path(tempfile.mkdtemp(prefix="offspot-metrics-images-"))
    folder.chmod(0o755)

    def get(name: str) -> Image:
        if name not in images:
            arch, _, variant = name.partition("-")
            archive = built(arch, with_filebeat=bool(variant))
            images[name] = Image.unpack(archive, folder / name)
        return images[name]

    yield get
    shutil.rmtree(folder, ignore_errors=True)
