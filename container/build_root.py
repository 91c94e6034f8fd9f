"""Makes the root file system of the image: Debian's Python and this program, with their byte code.

Packages are extracted, not installed: no maintainer script runs, and there is no shell. What the
program does not need is left out. Byte code is made by the Python that will load it.
"""

import argparse
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
SUITE = "trixie"
LIBRARIES = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
LOADERS = {
    "amd64": "lib64/ld-linux-x86-64.so.2",
    "arm64": "lib/ld-linux-aarch64.so.1",
}
EMULATORS = {"amd64": "qemu-x86_64-static", "arm64": "qemu-aarch64-static"}
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
USER = 65532
"""Owns `/data`; the program becomes this user where it can (`engine/runtime/rights.py`)."""

KEPT_LIBRARIES = tuple(
    """
    ld-linux libbz2. libc. libcrypto. libdl. libexpat. libffi. libgcc_s. liblzma. libm. libnss_dns.
    libnss_files. libpthread. libresolv. librt. libsqlite3. libssl. libutil. libuuid. libz. libzstd.
    """.split()
)
"""Beginnings of the names of shared libraries that Python's modules or the C library load."""
DROPPED = tuple(
    """
    __phello__ _pyrepl config-* curses dbm idlelib lib2to3 pydoc_data sitecustomize.py test tkinter
    turtle.py turtledemo unittest venv lib-dynload/_codecs_* lib-dynload/_curses* lib-dynload/_dbm*
    lib-dynload/_multibytecodec* lib-dynload/_test* lib-dynload/_xx* lib-dynload/readline*
    lib-dynload/xx*
    """.split()
)
"""What is left out of the standard library: nothing of it is imported."""

PACKAGES = "var/lib/packages"
PACKAGES_HOOK = f"""
mkdir -p "$1/{PACKAGES}"
for deb in "$1"/var/cache/apt/archives/*.deb; do
    kept="$1/{PACKAGES}/$(dpkg-deb -f "$deb" Package)"
    {{ dpkg-deb -f "$deb"; echo "Status: install ok installed"; }} > "$kept.control"
    dpkg-deb --fsys-tarfile "$deb" | tar -t > "$kept.list"
done
"""
"""Keeps what each extracted package says of itself, and the names of its files."""


def run(*command: object) -> str:
    """What a command prints; it stops the build if it fails."""
    done = subprocess.run(
        [str(one) for one in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{shlex.join(map(str, command))}\n{done.stdout}\nbuild_root: it failed")
    return done.stdout


def extracted(arch: str, cache: Path) -> Path:
    """Debian's Python and the packages that it depends on, extracted once."""
    root = cache / f"debian-{SUITE}-{arch}-root"
    if not root.is_dir():
        partial = root.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.parent.mkdir(parents=True, exist_ok=True)
        hook = f"--extract-hook={PACKAGES_HOOK}"
        options = ["--quiet", "--variant=extract", f"--arch={arch}"]
        options += ["--include=python3,base-files", hook]
        run("mmdebstrap", *options, SUITE, partial)
        partial.rename(root)
    return root


def take_system(debian: Path, root: Path, arch: str) -> Path:
    """Copy what is needed of Debian. The folder of the standard library."""
    libraries = Path("usr/lib", LIBRARIES[arch])
    (root / libraries).mkdir(parents=True)
    for path in (debian / libraries).iterdir():
        if path.name.startswith(KEPT_LIBRARIES) and not path.is_dir():
            shutil.copy2(path, root / libraries, follow_symlinks=False)
    [python] = (debian / "usr/lib").glob("python3.*")
    standard = root / "usr/lib" / python.name
    shutil.copytree(python, standard, symlinks=True)
    for pattern in DROPPED:
        for path in list(standard.glob(pattern)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    (root / "usr/bin").mkdir()
    for name in (python.name, "python3"):
        shutil.copy2(debian / "usr/bin" / name, root / "usr/bin", follow_symlinks=False)
    for name in ("bin", "lib", "sbin"):
        (root / name).symlink_to(f"usr/{name}")
    (root / "usr/sbin").symlink_to("bin")
    loader = root / "usr" / LOADERS[arch]
    loader.parent.mkdir(exist_ok=True)
    if loader.parent.name == "lib64":
        (root / "lib64").symlink_to("usr/lib64")
    if not loader.is_symlink():
        loader.symlink_to(f"../lib/{LIBRARIES[arch]}/{loader.name}")
    for notice in (debian / "usr/share/doc").glob("*/copyright"):
        (root / notice.relative_to(debian)).parent.mkdir(parents=True)
        shutil.copy2(notice, root / notice.relative_to(debian))
    (root / "etc").mkdir()
    for name in ("usr/lib/os-release", "etc/os-release", "etc/debian_version"):
        shutil.copy2(debian / name, root / name, follow_symlinks=False)
    return standard


def name_packages(debian: Path, root: Path) -> None:
    """List the packages of which there is more than the licence, in dpkg's form, with the files
    that are there: scanners look up the known faults of these versions.
    """
    dpkg = root / "var/lib/dpkg"
    (dpkg / "info").mkdir(parents=True)
    with (dpkg / "status").open("w") as status:
        for listed in sorted((debian / PACKAGES).glob("*.list")):
            names = [name.removeprefix("./") for name in listed.read_text().splitlines()]
            inside = [
                name for name in names
                if name and not name.endswith("/") and not name.startswith("usr/share/doc/")
                and os.path.lexists(root / name)
            ]  # fmt: skip
            if inside:
                status.write(f"{listed.with_suffix('.control').read_text()}\n")
                (dpkg / "info" / listed.name).write_text("".join(f"/{n}\n" for n in inside))


def take_program(archive: Path, root: Path, filebeat: Path | None) -> Path:
    """Unpack the program, with Filebeat if it is given. The folder of the program."""
    program = root / "usr/lib/offspot-metrics"
    with zipfile.ZipFile(archive) as packed:
        names = [name for name in packed.namelist() if not name.endswith(".pyc")]
        packed.extractall(program, [name for name in names if name != "__main__.py"])
    command = root / "usr/bin/offspot-metrics"
    shutil.copy(HERE / "entry.py", command)
    command.chmod(0o755)
    if filebeat is not None:
        shutil.copy(filebeat, root / "usr/bin/filebeat")
        (root / "usr/bin/filebeat").chmod(0o755)
    return program


def make_places(root: Path) -> None:
    """Users, and the folders that are mounted over."""
    users = {"root": (0, "/"), "offspot-metrics": (USER, "/data")}
    (root / "etc/passwd").write_text(
        "".join(f"{n}:x:{i}:{i}::{home}:/usr/bin/false\n" for n, (i, home) in users.items())
    )
    (root / "etc/group").write_text("".join(f"{n}:x:{i}:\n" for n, (i, _) in users.items()))
    (root / "etc/nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\n")
    for name in ("data", "conf", "reverse-proxy-logs", "src/ui", "proc", "sys", "dev", "run"):
        (root / name).mkdir(parents=True)
    (root / "tmp").mkdir()
    (root / "tmp").chmod(0o1777)


def python_of(root: Path, arch: str) -> list[str]:
    """The command that starts the Python of a root, emulated where this is another processor."""
    python = next((root / "usr/bin").glob("python3.*"))
    loader = root / "usr/lib" / LIBRARIES[arch] / Path(LOADERS[arch]).name
    start = [loader, "--library-path", loader.parent, python, "-I", "-S", "-B"]
    emulator = [] if arch == native_arch() else [EMULATORS[arch]]
    return [*emulator, *map(str, start)]


def native_arch() -> str:
    return MACHINES[platform.machine()]


def compile_all(root: Path, arch: str, cache: Path, folders: list[Path]) -> None:
    """Make byte code, which is the same for all processors: emulated it takes minutes.

    `unchecked-hash`: it is loaded without a look at the source, and is the same each time.
    """
    quick = python_of(extracted(native_arch(), cache), native_arch())
    theirs = python_of(root, arch)
    tag = "import sys; print(sys.version_info)"
    if (ours := run(*quick, "-c", tag)) != (other := run(*theirs, "-c", tag)):
        raise SystemExit(f"build_root: {cache} has Pythons of two versions, {ours} and {other}")
    compiler = [*quick, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
    run(*compiler, "-s", root, "-p", "/", *folders)
    modules = sorted(folders[0].glob("lib-dynload/*.so"))
    names = [path.name.partition(".")[0] for path in modules]
    run(*theirs, "-c", f"import {', '.join(names)}")  # each finds the libraries that it needs


def build(arch: str, archive: Path, filebeat: Path | None, output: Path, cache: Path) -> int:
    """Make the root. Its size in bytes."""
    partial = output.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    debian = extracted(arch, cache)
    standard = take_system(debian, partial, arch)
    name_packages(debian, partial)
    program = take_program(archive, partial, filebeat)
    make_places(partial)
    compile_all(partial, arch, cache, [standard, program])
    shutil.rmtree(output, ignore_errors=True)
    partial.rename(output)
    return sum(path.lstat().st_size for path in output.rglob("*") if path.is_file())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arch", choices=LIBRARIES, required=True)
    parser.add_argument("--archive", type=Path, required=True, help="dist/offspot-metrics")
    parser.add_argument("--filebeat", type=Path, help="the Filebeat program of that processor")
    parser.add_argument("--output", type=Path, required=True, help="the folder to make")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--max-megabytes", type=float, required=True)
    given = parser.parse_args()
    size = build(given.arch, given.archive, given.filebeat, given.output, given.cache)
    print(f"{given.output.name}: {size / 1e6:.1f} MB unpacked")
    if size > given.max_megabytes * 1e6:
        sys.exit(f"build_root: more than the {given.max_megabytes:g} MB that are allowed")


if __name__ == "__main__":
    main()
