"""Migrates what an older rescue stored, before it is read: plain JSON in, plain JSON out.

A machine was saved, and a record lies on disks, by whatever version was installed then. Each
function takes one version to the next, and leaves alone what is no value of that kind: the reader
says what is wrong with it.
"""

from collections.abc import Callable
from typing import Any

Json = dict[str, Any]


def machine(data: Json) -> Json:
    """Return a machine in the form of version 2, where every layer has a key, formerly its path."""
    if not _is_version(data, 1):
        return data
    changed = _each(data, "devices", lambda device: {"key": device.get("path"), **device})
    return {**changed, "version": 2}


def record(data: Json) -> Json:
    """Return a record as version 2 has it: partitions, which were numbers, are places."""
    if not _is_version(data, 1):
        return data
    changed = _each(_each(data, "filesystems", _placed), "swaps", _placed)
    return {**changed, "version": 2}


def handover(data: Json) -> Json:
    """Return a handover as version 2 has it: its record is of version 2, and migrates itself."""
    return {**data, "version": 2} if _is_version(data, 1) else data


def summary(data: Json) -> Json:
    """Return a run's summary with the key `failing_source`, which version 1 called `distrust`."""
    if "distrust" not in data:
        return data
    rest = {key: value for key, value in data.items() if key != "distrust"}
    return {"failing_source": data["distrust"], **rest}


def container(data: Json) -> Json:
    """Return a container without its contents, which since version 2 are devices of their own."""
    return {key: value for key, value in data.items() if key != "holds"}


def _placed(pair: Json) -> Json:
    if "partition" not in pair:
        return pair
    rest = {key: value for key, value in pair.items() if key != "partition"}
    return {**rest, "place": {"type": "OnPartition", "number": pair["partition"]}}


def _is_version(data: Json, number: int) -> bool:
    return type(data.get("version")) is int and data["version"] == number


def _each(data: Json, key: str, change: Callable[[Json], Json]) -> Json:
    """Return the data with each object of one of its lists changed."""
    rows = data.get(key)
    if not isinstance(rows, list):
        return data
    return {**data, key: [change(row) if isinstance(row, dict) else row for row in rows]}
