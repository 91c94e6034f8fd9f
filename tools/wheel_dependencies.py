"""Gives the wheel the dependencies that requirements.in names, so that they are written once.

Comes in: requirements.in. Goes out: `dependencies` of the wheel's metadata. Called by hatchling.
"""

from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface


class WheelDependencies(MetadataHookInterface):
    def update(self, metadata: dict[str, Any]) -> None:
        lines = (Path(self.root) / "requirements.in").read_text(encoding="utf-8").splitlines()
        metadata["dependencies"] = [line for line in lines if line and not line.startswith("#")]
