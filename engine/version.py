"""The version of the program, and nothing else: `--version` loads no other module."""

__version__ = "0.1.0"
