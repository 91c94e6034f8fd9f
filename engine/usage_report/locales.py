"""What the report needs of Babel's data: numbers, dates and plurals of the languages of the page.

The build makes one file of it and leaves this and Babel's own files, which are eight times as
large, out of the archive.
"""

from __future__ import annotations

import pickle
from importlib import resources
from typing import Any, Final

from engine.settings.choices import LANGUAGES

NAME: Final = "locales.pickle"
_KEYS: Final = (
    *("number_symbols", "decimal_formats", "percent_formats", "plural_form"),
    *("default_numbering_system", "numbering_systems", "months", "days", "quarters", "eras"),
    *("day_periods", "day_period_rules", "week_data", "date_formats", "time_formats"),
    *("datetime_formats", "datetime_skeletons", "interval_formats"),
)


def pages() -> dict[str, bytes]:
    """The file that the report reads, by its name: language -> what Babel knows of it."""
    from babel import localedata  # noqa: PLC0415 (the build has it on its path)

    found = {}
    for code in LANGUAGES:
        data = _unpickle("root.dat")
        localedata.merge(data, _unpickle(f"{code}.dat"))
        found[code] = {key: data[key] for key in _KEYS if key in data}
    return {NAME: pickle.dumps(found, protocol=4)}


def _unpickle(name: str) -> dict[str, Any]:
    data = resources.files("babel").joinpath("locale-data", name).read_bytes()
    found: dict[str, Any] = pickle.loads(data)  # noqa: S301 (it is of the package)
    return found
