"""Counts log files into a store, each line once: running files, recognising logs, workers."""

from engine.replay.run import Progress, Replay, Summary

__all__ = ["Progress", "Replay", "Summary"]
