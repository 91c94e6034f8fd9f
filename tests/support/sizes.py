"""Which cases of a parametrised test are run by `make test`, and which by `make test-full` only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def quick(cases: Iterable[Any], *chosen: Any) -> list[Any]:
    """All cases; those that are not among the chosen ones are full sizes."""
    found = list(cases)
    assert all(one in found for one in chosen)
    return [c if c in chosen else _full(c) for c in found]


def _full(case: Any) -> Any:
    values = case if isinstance(case, tuple) else (case,)
    return pytest.param(*values, marks=pytest.mark.full)
