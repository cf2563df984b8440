"""Partition tables as sfdisk reads them (`sfdisk --json`, man 8 sfdisk)."""

import json
import re
from typing import Any

from rescue.model.storage import partition_type
from rescue.model.storage.disk import (
    GPT_ENTRIES,
    Partition,
    PartitionKind,
    PartitionTable,
    TableKind,
)
from rescue.system.process.answer import count_of, rows_of, text_of, understood
from rescue.system.process.run import run
from rescue.units import Sectors

MBR_EXTENDED = frozenset({"5", "f", "85"})
"""The MBR type codes of an extended partition: CHS, LBA, Linux."""

_GPT_FLAGS = {
    partition_type.ESP: ("boot", "esp"),
    partition_type.BIOS_BOOT: ("bios_grub",),
    partition_type.LVM: ("lvm",),
    partition_type.RAID: ("raid",),
    partition_type.SWAP: ("swap",),
    partition_type.PREP: ("prep",),
    partition_type.HOME: ("linux-home",),
}
_GPT_ATTRS = {"LegacyBIOSBootable": "legacy_boot", "RequiredPartition": "hidden"}
_MBR_FLAGS = {
    "8e": ("lvm",),
    "fd": ("raid",),
    "ef": ("esp",),
    "82": ("swap",),
    "c": ("lba",),
    "e": ("lba",),
    "f": ("lba",),
    "41": ("prep",),
}


def table_argv(path: str) -> list[str]:
    """Return the command that prints the partition table of a disk or image file."""
    return ["sfdisk", "--json", path]


def read_table(path: str) -> PartitionTable:
    """Read the table of a disk or image file; contents, nodes and uses are not filled.

    Raises RescueError where sfdisk finds no table that it can read (CommandError), and where it is
    of another kind.
    """
    return parse_table(run(table_argv(path)).stdout)


def parse_table(text: str) -> PartitionTable:
    """Given sfdisk's JSON of a GPT or MBR table, return the table.

    Raises RescueError for another kind of table and for text that is not sfdisk's.
    """
    with understood(
        "sfdisk did not answer with a partition table that is known here",
        hint="only GPT and MBR tables are supported",
    ):
        raw: dict[str, Any] = json.loads(text)["partitiontable"]
        kind = TableKind(raw["label"])
        uuid = text_of(raw, "id").lower().removeprefix("0x")
        device = text_of(raw, "device")
        parts = tuple(
            _partition(row, device=device, kind=kind, table_uuid=uuid)
            for row in rows_of(raw.get("partitions", []))
        )
        # Said only where it is not the usual number; sfdisk 2.38 says it as a text.
        entries = int(raw.get("table-length", GPT_ENTRIES))
        return PartitionTable(kind=kind, uuid=uuid, partitions=parts, entries=entries)


def _partition(row: dict[str, Any], *, device: str, kind: TableKind, table_uuid: str) -> Partition:
    number = _number(text_of(row, "node"), device=device)
    said = text_of(row, "type")
    code = said.upper() if kind is TableKind.GPT else said.lower()
    attrs = text_of(row, "attrs", "")
    bootable = bool(row.get("bootable", False))
    is_gpt = kind is TableKind.GPT
    return Partition(
        number=number,
        start=Sectors(count_of(row, "start")),
        length=Sectors(count_of(row, "size")),
        kind=PartitionKind.PRIMARY if is_gpt else mbr_kind(number, code),
        type=code,
        uuid=text_of(row, "uuid").lower() if is_gpt else mbr_partuuid(table_uuid, number),
        name=text_of(row, "name", ""),
        attrs=attrs,
        bootable=bootable,
        flags=flags_of(kind, code, attrs=attrs, bootable=bootable),
    )


def _number(node: str, *, device: str) -> int:
    """Return the number in sfdisk's name of a partition of `device`.

    libfdisk makes that name from the device it was given (fdisk_partname: '', 'p' or '-part' and
    the number). The exact device is taken off; nothing is guessed from a kernel name's shape.
    """
    found = re.fullmatch(r"(?:p|-part)?(\d+)", node.removeprefix(device))
    if not node.startswith(device) or found is None:
        raise ValueError(f"'{node}' is no partition of {device}")
    return int(found[1])


def mbr_kind(number: int, code: str) -> PartitionKind:
    """Given number and type code of an MBR partition, return where its entry is."""
    if code in MBR_EXTENDED:
        return PartitionKind.EXTENDED
    return PartitionKind.LOGICAL if number > 4 else PartitionKind.PRIMARY


def mbr_partuuid(table_uuid: str, number: int) -> str:
    """Return the PARTUUID that kernel and libblkid give an MBR partition; '' without disk id."""
    return f"{table_uuid}-{number:02x}" if table_uuid.strip("0") else ""


def flags_of(kind: TableKind, code: str, *, attrs: str, bootable: bool) -> tuple[str, ...]:
    """Return libparted's names for what type, attributes and boot flag say, sorted."""
    if kind is TableKind.MBR:
        flags = {*_MBR_FLAGS.get(code, ()), *(("boot",) if bootable else ())}
    else:
        words = attrs.replace(",", " ").split()
        flags = {*_GPT_FLAGS.get(code, ()), *(_GPT_ATTRS[w] for w in words if w in _GPT_ATTRS)}
    return tuple(sorted(flags))
