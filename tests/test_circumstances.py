"""Beside a figure stands of what it is."""

import subprocess
from pathlib import Path

from lab.circumstances import commit_of


def git(root: Path, *words: str) -> str:
    who = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    command = ["git", *who, *words]
    return subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout


def test_a_changed_tree_is_said_to_be_one(tmp_path: Path) -> None:
    """The commit alone for a clean tree, `-changed` for a changed or a new file; what measuring
    writes itself is no change, and neither is what git ignores.
    """
    git(tmp_path, "init", "-q")
    for name in ("code.py", "made.json", ".gitignore"):
        (tmp_path / name).write_text("build/\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "one")
    commit = git(tmp_path, "rev-parse", "--short", "HEAD").strip()
    assert commit_of(tmp_path, ["made.json"]) == commit
    (tmp_path / "made.json").write_text("2")
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "x").write_text("2")
    assert commit_of(tmp_path, ["made.json"]) == commit
    (tmp_path / "new.py").write_text("")
    assert commit_of(tmp_path, ["made.json"]) == f"{commit}-changed"
    (tmp_path / "new.py").unlink()
    (tmp_path / "code.py").write_text("2")
    assert commit_of(tmp_path, ["made.json"]) == f"{commit}-changed"
