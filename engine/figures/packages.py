"""Every package of the packages file and of the records: what it is, and when it was used."""

from __future__ import annotations

from collections.abc import Mapping

from engine.figures.figures import Json, Known
from engine.packages import Package, Packages
from engine.store.reader import Reader
from engine.times import hour_of

Used = Mapping[str, tuple[int, int]]
"""Title -> the first and the last hour in which it was used."""


def hours_of_use(reader: Reader, known: Known) -> Used:
    """When each package was used. One of which only totals of a period are known was used between
    its first and its last hour.
    """
    used = reader.hours_of_use(known.now)
    for only in known.totals_only:
        of_period = (only.period.start, hour_of(min(only.period.end - 1, known.now)))
        for title in only.packages:
            first, last = used.get(title, of_period)
            used[title] = min(first, of_period[0]), max(last, of_period[1])
    return used


def package_list(packages: Packages, used: Used) -> Json:
    """`PackageList` of `openapi.yaml`: in the order of the file, then those only in records."""
    by_title: dict[str, list[Package]] = {title: [] for title in packages.titles}
    for entry in packages.entries:
        by_title[entry.title].append(entry)
    listed = [_described(title, entries, used) for title, entries in by_title.items()]
    others = sorted(title for title in used if title and title not in by_title)
    never = [package for package in listed if package["lastUsedAt"] is None]
    sizes = [package["bytes"] for package in never if package["bytes"] is not None]
    return {
        "packages": [*listed, *(_described(title, [], used) for title in others)],
        "neverUsed": len(never),
        "neverUsedBytes": sum(sizes) if sizes else None,
    }


def _described(title: str, entries: list[Package], used: Used) -> Json:
    first, last = used.get(title, (None, None))
    sizes = [entry.size for entry in entries if entry.size is not None]
    return {
        "title": title,
        "kinds": list(dict.fromkeys(entry.kind for entry in entries)),
        "hosts": list(dict.fromkeys(entry.host for entry in entries)),
        "listed": bool(entries),
        "firstUsedAt": first,
        "lastUsedAt": last,
        "bytes": sum(sizes) if sizes else None,
    }
