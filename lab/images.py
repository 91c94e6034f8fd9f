"""Images of containers: archives as `docker save` writes them."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from lab.processes import ChainError


@dataclass(frozen=True)
class Image:
    """The root file system of an image, unpacked, and what it says of itself."""

    root: Path
    config: Mapping[str, Any]

    @classmethod
    def unpack(cls, archive: Path, folder: Path) -> Self:
        """Unpack an archive of `docker save`."""
        root = folder / "rootfs"
        root.mkdir(parents=True)
        with tarfile.open(archive) as outer:
            [manifest] = json.load(_member(outer, "manifest.json"))
            config = json.load(_member(outer, manifest["Config"]))
            for layer in manifest["Layers"]:
                with tarfile.open(fileobj=_member(outer, layer)) as inner:
                    inner.extractall(root, filter="fully_trusted")  # noqa: S202 (our own image)
        return cls(root, config)

    @property
    def environment(self) -> dict[str, str]:
        pairs: list[str] = self.config["config"]["Env"]
        return {name: value for name, _, value in (pair.partition("=") for pair in pairs)}

    @property
    def command(self) -> list[str]:
        """What starts where no other command is given."""
        return [*self.config["config"]["Entrypoint"], *self.config["config"]["Cmd"]]


def _member(archive: tarfile.TarFile, name: str) -> Any:
    found = archive.extractfile(name)
    if found is None:
        raise ChainError(f"{archive.name!r} has no file {name}")
    return found
