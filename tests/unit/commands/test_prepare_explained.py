"""A refused prepare shows what its reasons speak of: the layers below the running system."""

import io
from dataclasses import replace

import pytest

from rescue.commands.prepare import explained
from rescue.grants import GuardRefusedError, unless_refused
from rescue.model.storage.device import DeviceKind
from rescue.model.storage.layer import Container
from rescue.model.storage.machine import Machine
from rescue.model.storage.mount import Mount
from rescue.plan.prepare import plan_prepare
from rescue.ui import terminal
from rescue.ui.screen import Screen
from rescue.units import Bytes
from tests.builders import ext4, layered, request, server, volume, with_disk, with_partition


def on_luks() -> Machine:
    """Return the server with its root in LUKS."""
    machine = server()
    disk = machine.disks[0]
    assert disk.table is not None
    held = replace(disk.table.partition(4), content=Container(kind="crypto_LUKS"), uses=())
    vault = volume("/dev/mapper/vault", held.path, kind=DeviceKind.CRYPT)
    root = Mount(device=vault.path, target="/", fstype="ext4")
    mounts = tuple(root if mount.target == "/" else mount for mount in machine.mounts)
    machine = replace(with_disk(machine, with_partition(disk, held)), mounts=mounts)
    return layered(machine, replace(vault, size=Bytes(3 << 30), content=ext4(4)))


def said(machine: Machine, *, silent: bool) -> str:
    out = io.StringIO()
    screen = Screen(console=terminal.console(file=out), errors=terminal.console(file=out))
    with pytest.raises(GuardRefusedError), explained(machine, screen, silent=silent):
        unless_refused(plan_prepare(machine, request()))
    return out.getvalue()


def test_the_layers_are_shown_before_the_reasons() -> None:
    lines = said(on_luks(), silent=False).splitlines()
    assert lines[:2] == ["As it is now:", "/dev/vda, 6.0 GiB:"]
    at = lines.index("  4: 3.0 GiB crypto_LUKS")
    assert lines[at + 1] == "    vault: 3.0 GiB encrypted device, ext4"


def test_a_program_that_reads_json_is_shown_nothing() -> None:
    assert said(on_luks(), silent=True) == ""


def test_without_layers_the_reasons_stand_for_themselves() -> None:
    plain = replace(server(), is_root=False)
    assert said(plain, silent=False) == ""
