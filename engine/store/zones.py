"""The zone whose days, weeks, months and years are stored, and by which tables of zones."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from engine.store.meta import MetaTable
from engine.times import load_zone, zone_data


def choose_zone(meta: MetaTable, zone: ZoneInfo | None) -> tuple[ZoneInfo, str]:
    """The zone that is wanted, else the stored one, else UTC; and what has changed about it."""
    stored = meta.get("timezone")
    zone = zone or load_zone(str(stored or "UTC"))
    changed = ""
    if stored is not None and zone.key != stored:
        changed = f"time zone is now {zone.key}, was {stored}"
    elif stored is not None and zone_data(zone.key) != meta.get("zone_data", ""):
        tables = str(meta.get("zone_data", "")) or "those of this machine"
        changed = f"the tables of time zones are now {zone_data(zone.key)}, were {tables}"
    return zone, changed


def is_stored(meta: MetaTable, zone: ZoneInfo) -> bool:
    """Whether the stored periods are of this zone, by the tables that are here."""
    tables = zone_data(zone.key)
    return bool(meta.get("timezone") == zone.key and meta.get("zone_data", "") == tables)


def store_zone(meta: MetaTable, zone: ZoneInfo) -> None:
    """From now on the stored periods are of this zone."""
    meta.set("timezone", zone.key)
    meta.set("zone_data", zone_data(zone.key))
