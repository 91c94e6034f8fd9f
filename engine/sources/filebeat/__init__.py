"""Filebeat reads the logs, and is checked: a source."""

from engine.sources.filebeat.source import prepare

__all__ = ["prepare"]
