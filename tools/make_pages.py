"""Prints the files that a module's `pages()` gives as JSON, in base64; build_zipapp.py runs it.

The module is found on PYTHONPATH with what it depends on, as the build has it.
"""

import base64
import json
import sys
from importlib import import_module

module = sys.argv[1]
folder = module.rpartition(".")[0].replace(".", "/")
pages = import_module(module).pages()
encoded = {f"{folder}/{name}": base64.b64encode(page).decode() for name, page in pages.items()}
print(json.dumps(encoded))
