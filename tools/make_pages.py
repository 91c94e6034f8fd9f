"""Prints the files that `pages()` of some modules gives as JSON, in hexadecimal digits.

build_zipapp.py runs it. The modules are found on PYTHONPATH with what they depend on, as the build
has them.
"""

import json
import sys
from importlib import import_module

found: dict[str, str] = {}
for module in sys.argv[1:]:
    folder = module.rpartition(".")[0].replace(".", "/")
    pages = import_module(module).pages()
    found |= {f"{folder}/{name}": page.hex() for name, page in pages.items()}
print(json.dumps(found))
