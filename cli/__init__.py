"""The command line: one file per command. A command gets a `Config`, calls the engine, and prints.

Each command loads what it needs when it runs, so that one that needs little starts quickly.
"""
