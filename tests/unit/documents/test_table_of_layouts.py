"""The README's tables of layouts: stories play what is seen, and the planner refuses so."""

import ast
import importlib
import inspect
import itertools
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest

from rescue.model.finding import Refused
from rescue.model.mirror.plan import Plan
from rescue.model.storage.machine import Machine
from rescue.plan.prepare import plan_prepare
from tests.builders import request
from tests.lab import variant as variants
from tests.lab.hardware import BIOS, UEFI, Firmware
from tests.lab.layered.server import LAYERED
from tests.lab.layout import LAYOUTS
from tests.lab.variant import Variant
from tests.layouts.described import TARGET, Described, machine_of

README = Path(__file__).parents[3] / "README.md"
RELEASES = {"Debian 12": "bookworm", "Debian 13": "trixie"}
FIRMWARES = {"BIOS": BIOS, "UEFI": UEFI}
VARIANTS = {name: each for name, each in vars(variants).items() if isinstance(each, Variant)}

LAB_LAYOUT = {
    "GPT: ext4, vfat, swap": "gpt",
    "MBR: ext4, swap": "mbr",
    "LVM": "lvm",
    "LVM in LUKS": "lvm-luks",
    "md RAID 1": "md1",
}
"""Which of the lab's layouts a row is seen with."""

Played = tuple[str, str, Firmware]
"""A layout, a release of Debian and a firmware, as a story is played with them."""


def table(head: str) -> list[list[str]]:
    """Return the rows of the README's table whose first line begins so, the first line included."""
    text = README.read_text("utf-8")
    block = text[text.index(head) :].partition("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines()]
    return [rows[0], *rows[2:]]


SEEN = table("| the system's disk | Debian 12, BIOS |")
REFUSED = dict(table("| the system's disk | `rescue prepare` says |")[1:])
LINKS = dict(re.findall(r"^\[(\w+)\]: (\S+)$", README.read_text("utf-8"), re.MULTILINE))


def stories() -> Iterator[tuple[str, Played, str]]:
    """Yield for each 'seen in' of the table: its row, what it claims, and the file it names."""
    for name, *cells in SEEN[1:]:
        for head, cell in zip(SEEN[0][1:], cells, strict=True):
            release, firmware = head.split(", ")
            claimed = cell.partition(";")[0] if cell.startswith("seen in") else ""
            for link in re.findall(r"\]\[(\w+)\]", claimed):
                yield name, (LAB_LAYOUT[name], RELEASES[release], FIRMWARES[firmware]), LINKS[link]


def played(path: str) -> set[Played]:
    """Return what the stories of a file are played with, as their parameters or their text say."""
    module = importlib.import_module(path.removesuffix(".py").replace("/", "."))
    tests = (each for name, each in vars(module).items() if name.startswith("test_"))
    return {each for test in tests for each in _played(module, test)}


def _played(module: ModuleType, test: FunctionType) -> Iterator[Played]:
    written = _words(test)
    for case in _cases(test):
        layouts = [case["layout"]] if "layout" in case else written & {*LAYOUTS, *LAYERED}
        firmwares = [case["firmware"]] if "firmware" in case else _named(written, FIRMWARES)
        servers = [case["variant"]] if "variant" in case else _named(written, VARIANTS)
        suites = {each.suite for each in servers} or {variants.BOOKWORM.suite}
        yield from itertools.product(layouts or {"gpt"}, suites, firmwares or [BIOS])


def _cases(test: FunctionType) -> Iterator[dict[str, Any]]:
    """Yield the parameters of each case of a test, by their names."""
    for mark in getattr(test, "pytestmark", []):
        if mark.name == "parametrize":
            names, cases = mark.args
            several = names.split(", ") if isinstance(names, str) else names
            for each in cases:
                given = getattr(each, "values", each)
                yield dict(
                    zip(several, given if isinstance(given, tuple) else (given,), strict=True)
                )
            return
    yield {}


def _words(test: FunctionType) -> set[str]:
    """Return the names and texts that stand in the code of a test."""
    tree = ast.parse(inspect.getsource(test))
    names = {each.id for each in ast.walk(tree) if isinstance(each, ast.Name)}
    texts = {each.value for each in ast.walk(tree) if isinstance(each, ast.Constant)}
    return names | {each for each in texts if isinstance(each, str)}


def _named(written: set[str], known: dict[str, Any]) -> list[Any]:
    return [each for name, each in known.items() if name in written]


@pytest.mark.parametrize(("row", "claim", "path"), list(stories()))
def test_what_is_called_seen_is_played_by_the_story_that_is_named(
    row: str, claim: Played, path: str
) -> None:
    assert claim in played(path), f"{path} does not play {row} so"


def test_a_story_plays_nothing_that_it_does_not_name() -> None:
    assert ("mbr", "bookworm", UEFI) not in played(LINKS["m"])
    assert ("gpt", "trixie", UEFI) in played(LINKS["m"])


def test_every_cell_says_seen_or_not() -> None:
    for name, *cells in SEEN[1:]:
        for cell in cells:
            assert cell.startswith(("seen in ", "not seen", "made on ")), f"{name}: {cell}"


def of_layers(
    firmware: str, *layers: str, filesystem: str = "ext4", options: str = "defaults"
) -> Machine:
    """Return a server whose root lies in these layers of a GPT's partition."""
    chain = ("gpt", "partition", *layers)
    esp = {"mount": "/boot/efi", "fs": "vfat", "chain": chain[:2], "options": "defaults"}
    boot = {"mount": "/boot", "fs": "ext4", "chain": chain[:2], "options": "defaults"}
    root = {"mount": "/", "fs": filesystem, "chain": chain, "options": options}
    outside = [esp] if firmware == "uefi" else []
    outside += [boot] if "luks" in layers else []
    return machine_of(
        Described(
            id="specimen",
            source="",
            distribution="Debian",
            firmware=firmware,
            architecture="amd64",
            loader="grub",
            root_chain=(*chain, filesystem),
            system_disks=2 if "md raid1" in layers else 1,
            mounts=(*outside, root),
            swap=(),
            extras=(),
            certainty="",
        )
    )


def with_boot(machine: Machine, **changed: Any) -> Machine:
    return replace(machine, boot=replace(machine.boot, **changed))


LAYERS: dict[str, tuple[str, ...]] = {
    "LVM": ("lvm",),
    "LUKS": ("luks",),
    "LVM in LUKS": ("luks", "lvm"),
    "md RAID 1": ("md raid1",),
}


def specimen(row: str, firmware: str) -> Machine | None:
    """Return a server as a row names it, None where its kind has no such firmware."""
    match row:
        case "btrfs subvolumes":
            return of_layers(firmware, filesystem="btrfs", options="subvol=@")
        case "ZFS":
            return of_layers(firmware, filesystem="zfs")
        case "ARM":
            plain = of_layers(firmware)
            return with_boot(plain, architecture="armv7l", board="Raspberry Pi")
        case "UEFI of 32 bits":
            return with_boot(of_layers("uefi"), efi_bits=32) if firmware == "uefi" else None
        case "systemd-boot alone":
            alone = with_boot(of_layers("uefi"), loader="systemd-boot 252", grub_menu=False)
            return alone if firmware == "uefi" else None
        case _:
            return of_layers(firmware, *LAYERS[row])


@pytest.mark.parametrize("firmware", FIRMWARES.values())
@pytest.mark.parametrize("row", REFUSED)
def test_what_is_called_refused_is_refused_in_these_words(row: str, firmware: str) -> None:
    machine = specimen(row, firmware)
    if machine is None:
        return
    answer = plan_prepare(machine, request(TARGET))
    assert isinstance(answer, Refused), "it gets a plan: its row belongs into the other table"
    assert any(REFUSED[row] in each.reason for each in answer.findings), answer.findings


@pytest.mark.parametrize("layer", LAYERS)
def test_each_layer_is_in_one_of_the_tables(layer: str) -> None:
    machine = specimen(layer, "bios")
    assert machine is not None
    is_planned = isinstance(plan_prepare(machine, request(TARGET)), Plan)
    assert (layer in REFUSED) is not is_planned
    assert (layer in [name for name, *_ in SEEN]) is is_planned
