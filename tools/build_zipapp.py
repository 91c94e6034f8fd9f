"""Builds dist/offspot-metrics, one executable file with the program and all it depends on.

It is equal whatever machine builds it and when. Wheels and unpacked dependencies are cached in
build/, and nothing is built when no input has changed.
"""

import argparse
import functools
import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
import zipfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

ROOT = Path(__file__).resolve().parent.parent

Spec = dict[str, Any]
Tree = dict[str, bytes]  # name in the archive -> content

MAIN = """\
import sys

if sys.version_info < ({lowest}):
    raise SystemExit("offspot-metrics needs Python {dotted} or newer; this is " + sys.version)

from {module} import {function}

raise SystemExit({function}())
"""


class BuildError(Exception):
    """The archive cannot be built; the message says what to change."""


def read_spec(root: Path) -> Spec:
    return tomllib.loads((root / "zipapp.spec").read_text(encoding="utf-8"))


# ------------------------------------------------------------------- the project's files


def matches(name: str, patterns: Iterable[str]) -> bool:
    return any(_matches(name, pattern) for pattern in patterns)


@functools.cache
def _matches(name: str, pattern: str) -> bool:
    """`**/` is any folders or none, a last `**` everything below; the rest as in a shell."""
    if pattern == "**":
        return True
    if pattern.endswith("/**"):
        top = pattern.removesuffix("/**")
        return any(_matches(str(parent), top) for parent in PurePosixPath(name).parents)
    if pattern.startswith("**/"):
        return PurePosixPath(name).match(pattern.removeprefix("**/"))
    path = PurePosixPath(name)
    return len(path.parts) == len(PurePosixPath(pattern).parts) and path.match(pattern)


def _files_below(folder: Path) -> Iterator[tuple[str, Path]]:
    skipped = {"__pycache__", "node_modules"}
    for where, folders, files in os.walk(folder):
        folders[:] = sorted(set(folders) - skipped)
        for file in sorted(files):
            path = Path(where, file)
            if path.suffix != ".pyc":
                yield path.relative_to(folder).as_posix(), path


def project_tree(root: Path, spec: Spec) -> Tree:
    """What the spec takes of this repository, by its name in the archive."""
    project = spec["project"]
    tree: Tree = {}
    for module in project["modules"]:
        tree[module] = _read(root / module)
    for package in project["packages"]:
        before = len(tree)
        for name, path in _files_below(root / package["folder"]):
            if matches(name, package["include"]):
                tree[f"{package['folder']}/{name}"] = path.read_bytes()
            elif not matches(name, package.get("leave", [])):
                raise BuildError(
                    f"{path.relative_to(root)} is neither included nor left out by zipapp.spec"
                )
        for pattern in package["include"]:
            if not any(
                matches(name.removeprefix(f"{package['folder']}/"), [pattern])
                for name in list(tree)[before:]
            ):
                raise BuildError(
                    f"nothing in {package['folder']}/ matches {pattern} of zipapp.spec"
                    + (" (run `make static` first)" if "dist" in pattern else "")
                )
    for source, target in project["files"].items():
        tree[target] = _read(root / source)
    return tree | _precompressed(tree, project["precompress"])


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BuildError(f"zipapp.spec names a file that cannot be read: {error}") from error


def made_pages(root: Path, dependencies: Path, modules: list[str]) -> Tree:
    """The files that `pages()` of these modules give, by their names in the archive."""
    command = [sys.executable, "-S", "-B", str(root / "tools/make_pages.py"), *modules]
    printed = _output(command, {"PYTHONPATH": f"{root}{os.pathsep}{dependencies}"})
    return {name: bytes.fromhex(page) for name, page in json.loads(printed).items()}


def _precompressed(tree: Tree, rules: dict[str, Any]) -> Tree:
    compressed = {}
    for name, data in tree.items():
        wanted = (
            any(name.startswith(f"{folder}/") for folder in rules["folders"])
            and PurePosixPath(name).suffix in rules["suffixes"]
            and len(data) >= rules["from_bytes"]
        )
        if wanted:
            compressed[f"{name}.gz"] = gzip.compress(data, compresslevel=9, mtime=0)
    return compressed


def build_note(root: Path) -> bytes:
    """build.json: the commit this was built from, which does not change by building again."""
    note: dict[str, str | None] = {"commit": None, "committedAt": None}
    git = ["git", "-C", str(root), "log", "-1", "--format=%H %cI"]
    if shutil.which("git"):
        found = subprocess.run(git, capture_output=True, text=True, check=False)
        if found.returncode == 0:
            note["commit"], note["committedAt"] = found.stdout.split()
    return (json.dumps(note) + "\n").encode()


# ------------------------------------------------------------------- dependencies


def dependency_folder(root: Path, spec: Spec, cache: Path) -> Path:
    """The locked wheels, unpacked without what the spec drops, with their byte code."""
    rules = spec["dependencies"]
    lock = (root / rules["lock"]).read_bytes()
    key = _digest(lock, _as_bytes(rules), _as_bytes(spec["python"]), _tools(root))
    unpacked = cache / f"dependencies-{key}"
    if not unpacked.is_dir():
        wheels = fetched_wheels(root / rules["lock"], rules["wheels"], cache)
        tree: Tree = {}
        for wheel in sorted(wheels.glob("*.whl")):
            tree |= _unpack(wheel, rules)
        _store(compiled(root, tree, cache), unpacked)
    return unpacked


def fetched_wheels(lock: Path, wheels: dict[str, str], cache: Path) -> Path:
    """The lock's wheels, checked against its hashes by pip."""
    target = cache / f"wheels-{_digest(lock.read_bytes(), _as_bytes(wheels))}"
    if target.is_dir():
        return target
    partial = target.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--require-hashes", "--no-deps", "--only-binary=:all:", "--implementation=cp"]
    command += ["--python-version", wheels["python"], "--platform", wheels["platform"]]
    command += ["--dest", str(partial), "--requirement", str(lock)]
    if subprocess.run(command, check=False).returncode != 0:
        raise BuildError(f"pip could not fetch what {lock.name} asks for; its message is above")
    partial.rename(target)
    return target


def _unpack(wheel: Path, rules: dict[str, Any]) -> Tree:
    tree: Tree = {}
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            name = _installed_name(entry.filename)
            if not entry.is_dir() and name is not None and _is_taken(name, rules):
                tree[name] = archive.read(entry)
    return tree


def _installed_name(name: str) -> str | None:
    """Where an installer puts this file of a wheel; None when that is not among the modules."""
    top, _, rest = name.partition("/")
    if not top.endswith(".data"):
        return name
    kind, _, rest = rest.partition("/")
    return rest if kind in {"purelib", "platlib"} else None


def _is_taken(name: str, rules: dict[str, Any]) -> bool:
    top, _, rest = name.partition("/")
    if top.endswith(".dist-info"):
        return matches(rest, rules["dist_info"])
    return matches(name, rules["keep"]) or not matches(name, rules["drop"])


def _store(tree: Tree, folder: Path) -> None:
    partial = folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    _write_tree(tree, partial)
    partial.rename(folder)


# ------------------------------------------------------------------- byte code


def compiled(root: Path, tree: Tree, cache: Path) -> Tree:
    """The tree with X.pyc next to each X.py, compiled by a fresh process to be reproducible."""
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as where:
        folder = Path(where)
        _write_tree({name: data for name, data in tree.items() if name.endswith(".py")}, folder)
        command = [sys.executable, "-S", "-P", str(root / "tools/compile_tree.py"), str(folder)]
        _output(command, {"PATH": os.environ["PATH"]})
        return tree | _tree_in(folder, "*.pyc")


def _output(command: list[str], environment: dict[str, str]) -> str:
    """What a Python prints that knows nothing of this one's environment."""
    environment = {"PYTHONHASHSEED": "0", "PYTHONUTF8": "1", **environment}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BuildError(f"{' '.join(command)} fails:\n{done.stderr}")
    return done.stdout


def _write_tree(tree: Tree, folder: Path) -> None:
    for name, data in tree.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _tree_in(folder: Path, pattern: str = "*") -> Tree:
    found = sorted(folder.rglob(pattern))
    return {str(path.relative_to(folder)): path.read_bytes() for path in found if path.is_file()}


# ------------------------------------------------------------------- the archive


def main_module(spec: Spec) -> bytes:
    module, function = spec["archive"]["entry"].split(":")
    dotted = spec["python"]["lowest"]
    lowest = dotted.replace(".", ", ")
    return MAIN.format(lowest=lowest, dotted=dotted, module=module, function=function).encode()


def refuse_native(tree: Tree, spec: Spec) -> None:
    suffixes = tuple(spec["native"]["suffixes"])
    magic = tuple(bytes.fromhex(start) for start in spec["native"]["magic"])
    native = [
        name
        for name, data in tree.items()
        if name.endswith(suffixes) or ".so." in name or data.startswith(magic)
    ]
    if native:
        raise BuildError("compiled for one machine, so not for this archive: " + ", ".join(native))


def packed(tree: Tree, spec: Spec) -> bytes:
    """The bytes of the archive: sorted names, one date, one mode."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    rules = spec["archive"]
    date = datetime.fromtimestamp(int(epoch), UTC) if epoch else rules["date"]
    out = io.BytesIO()
    out.write(rules["launcher"].encode())
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(tree):
            entry = zipfile.ZipInfo(name, date.timetuple()[:6])
            entry.create_system = 3  # Unix, on whatever system this runs
            entry.external_attr = 0o100644 << 16
            stored = name.endswith((".gz", ".png", ".woff2"))
            if name.endswith(".pyc"):
                stored = matches(name, rules["quick"]) and not matches(name, rules["rare"])
            entry.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            archive.writestr(entry, tree[name])
    return out.getvalue()


def smoke(archive: Path, spec: Spec) -> None:
    """Run the spec's commands as on a machine that has Python and nothing else."""
    with tempfile.TemporaryDirectory() as empty:
        for command in spec["smoke"]["commands"]:
            isolated = [plain_python(), "-I", "-S", str(archive), *command]
            done = subprocess.run(
                isolated,
                cwd=empty,
                env={"HOME": empty, "PATH": "/usr/bin:/bin"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=spec["smoke"]["seconds"],
                check=False,
            )
            if done.returncode != 0:
                raise BuildError(
                    f"the archive fails at `offspot-metrics {' '.join(command)}`"
                    f" (exit {done.returncode}):\n{done.stdout}{done.stderr}"
                )


def plain_python() -> str:
    """The Python behind a virtual environment, which knows nothing of what is installed in it."""
    return str(Path(sys.executable).resolve())


# ------------------------------------------------------------------- putting it together


def _digest(*parts: bytes) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for part in (sys.version.encode(), *parts):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def _as_bytes(rules: Any) -> bytes:
    return json.dumps(rules, sort_keys=True, default=str).encode()


def _tools(root: Path) -> bytes:
    names = ["build_zipapp.py", "compile_tree.py", "make_pages.py"]
    return b"".join((root / "tools" / name).read_bytes() for name in names)


def _note(output: Path) -> Path:
    return output.with_name(f".{output.name}.inputs")


def inputs(root: Path, spec: Spec) -> tuple[Tree, str]:
    """The project's own files in the archive, and a digest of all that the archive is made from."""
    ours = project_tree(root, spec)
    ours["build.json"] = build_note(root)
    ours["__main__.py"] = main_module(spec)
    parts = [_as_bytes(spec), (root / spec["dependencies"]["lock"]).read_bytes(), _tools(root)]
    parts += [os.environ.get("SOURCE_DATE_EPOCH", "").encode()]
    parts += [part for name in sorted(ours) for part in (name.encode(), ours[name])]
    return ours, _digest(*parts)


def is_current(root: Path, output: Path) -> bool:
    """Whether the archive is there and was built from the sources as they are now."""
    note = _note(output)
    if not (output.exists() and note.exists()):
        return False
    return note.read_text() == inputs(root, read_spec(root))[1]


def build(root: Path, output: Path, cache: Path, *, force: bool = False) -> bool:
    """Build the archive unless it is up to date; say whether it was built."""
    if not force and is_current(root, output):
        return False
    spec = read_spec(root)
    ours, state = inputs(root, spec)
    dependencies = dependency_folder(root, spec, cache)
    ours |= made_pages(root, dependencies, spec["project"]["made"]["modules"])
    tree = _tree_in(dependencies) | compiled(root, ours, cache)
    unused = spec["project"]["made"]["from"] + spec["python"]["without_bytecode"]
    tree = {name: data for name, data in tree.items() if not matches(name, unused)}
    refuse_native(tree, spec)
    data = packed(tree, spec)
    limit = spec["archive"]["size_limit_bytes"]
    if len(data) > limit:
        raise BuildError(f"the archive has {len(data):,} bytes, zipapp.spec allows {limit:,}")

    output.parent.mkdir(parents=True, exist_ok=True)
    unproven = output.with_name(output.name + ".unproven")
    unproven.write_bytes(data)
    unproven.chmod(0o755)
    smoke(unproven, spec)
    unproven.replace(output)
    _note(output).write_text(state)
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description="Build the archive that zipapp.spec declares.")
    parser.add_argument("--output", type=Path, help="elsewhere than zipapp.spec says")
    parser.add_argument("--cache", type=Path, default=ROOT / "build/zipapp")
    parser.add_argument("--force", action="store_true", help="build even when nothing changed")
    options = parser.parse_args()
    started = time.monotonic()
    try:
        output = options.output or ROOT / read_spec(ROOT)["archive"]["output"]
        built = build(ROOT, output.absolute(), options.cache, force=options.force)
    except BuildError as error:
        print(f"build_zipapp: {error}", file=sys.stderr)
        return 1
    size = output.stat().st_size
    said = f"{size:,} bytes, {time.monotonic() - started:.1f} s" if built else "up to date"
    print(f"{output.name}: {said}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
