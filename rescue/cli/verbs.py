"""The list of verbs, each loaded only when it is called."""

from collections.abc import Iterator, MutableMapping
from importlib import import_module

import click

_MODULES = {
    "wizard": "wizard",
    "disks": "disks",
    "prepare": "mirrors",
    "mirror": "mirrors",
    "mirrors": "rotation",
    "audit": "mirrors",
    "prove": "prove",
    "status": "status",
    "schedule": "schedule",
    "media": "media",
    "restore": "restore",
    "salvage": "restore",
    "failback": "mirrors",
    "drill": "drill",
    "notify": "status",
}
"""The module of this package that each verb is in, under its own name."""


class Verbs(MutableMapping[str, click.Command]):
    """The commands of a click group by their names; a module is imported with its first one."""

    def __init__(self) -> None:
        self._loaded: dict[str, click.Command] = {}
        self._names = dict.fromkeys(_MODULES)

    def __getitem__(self, name: str) -> click.Command:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._loaded:
            module = import_module(f"rescue.cli.{_MODULES[name]}")
            self._loaded[name] = getattr(module, name)
        return self._loaded[name]

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._names[name] = None
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._names[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
