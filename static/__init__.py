"""The dashboard, as package data: `importlib.resources` finds files in an archive only so."""
