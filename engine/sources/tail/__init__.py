"""The logs of a folder are read by this program itself: a source."""

from engine.sources.tail.source import prepare

__all__ = ["prepare"]
