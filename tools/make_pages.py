"""Prints the files that a module's `pages()` gives as JSON; build_zipapp.py runs it.

The module is found on PYTHONPATH with what it depends on, as the build has it.
"""

import json
import sys
from importlib import import_module

module = sys.argv[1]
folder = module.rpartition(".")[0].replace(".", "/")
pages = import_module(module).pages()
print(json.dumps({f"{folder}/{name}": page.decode() for name, page in pages.items()}))
