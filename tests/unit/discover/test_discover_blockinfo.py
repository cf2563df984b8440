"""Recorded output of util-linux, parsed into our words."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from rescue.errors import RescueError
from rescue.model.mirror.elsewhere import elsewhere
from rescue.model.storage.device import DeviceKind
from rescue.model.storage.disk import TableKind
from rescue.system.block import blockinfo
from rescue.system.files import automount
from tests.builders import bare_disk, ext4, part, server, volume, with_disk, with_partition

DATA = Path(__file__).parents[2] / "data" / "discover"


def recorded(name: str) -> str:
    return (DATA / name).read_text("utf-8")


def test_a_label_with_every_awkward_character_is_read_as_it_is() -> None:
    seen = blockinfo.parse_signature(blockinfo.parse_properties(recorded("blkid-ext4.txt")))
    assert seen.label == 'rö"ö \\x$'
    assert (seen.type, seen.usage) == ("ext4", "filesystem")
    assert seen.uuid == "2613c7f4-9cbe-4eb2-a60d-182102d2f812"


def test_signatures_of_fat_swap_and_a_table() -> None:
    def seen(name: str) -> blockinfo.Signature:
        return blockinfo.parse_signature(blockinfo.parse_properties(recorded(name)))

    assert seen("blkid-vfat.txt").version == "FAT32"
    assert seen("blkid-vfat.txt").uuid == "12AB-34CD"
    assert (seen("blkid-swap.txt").type, seen("blkid-swap.txt").label) == ("swap", "sw")
    assert seen("blkid-gpt.txt") == blockinfo.Signature(
        table_kind="gpt", table_uuid="aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
    )


def test_probing_goes_past_every_cache() -> None:
    assert blockinfo.probe_argv("/dev/vda1") == ["blkid", "-p", "-o", "udev", "/dev/vda1"]


def test_mounts_with_subvolume_bind_and_a_layer() -> None:
    mounts = {mount.target: mount for mount in blockinfo.parse_mounts(recorded("findmnt.json"))}
    assert mounts["/"].root == "/@rootfs"
    assert mounts["/"].device == "/dev/nvme10n1p3"
    assert mounts["/boot/efi"].major_minor == "259:1"
    assert mounts["/srv/boot copy"].root == "/grub"
    assert mounts["/home"].device == "/dev/mapper/vg0-home"
    assert mounts["/proc/sys/fs/binfmt_misc"].options == ()
    assert "ro" in mounts["/srv/boot copy"].options


def test_options_keep_commas_inside_quotes() -> None:
    row = '{"target": "/", "options": "rw,context=\\"a:b:c0,c1\\",noatime"}'
    mount = blockinfo.parse_mounts(f'{{"filesystems": [{row}]}}')[0]
    assert mount.options == ("rw", 'context="a:b:c0,c1"', "noatime")


def test_findmnt_prints_nothing_where_there_is_nothing() -> None:
    assert blockinfo.parse_mounts("") == ()
    assert blockinfo.parse_fstab("", "") == ()


def test_an_answer_that_is_no_list_is_an_error_of_ours() -> None:
    with pytest.raises(RescueError, match="list of file systems"):
        blockinfo.parse_mounts('{"other": 1}')


def test_fstab_keeps_the_spec_and_tells_what_it_resolves_to() -> None:
    entries = blockinfo.parse_fstab(recorded("fstab.json"), recorded("fstab-evaluated.json"))
    by_target = {entry.target: entry for entry in entries}
    assert by_target["/x"].spec == "UUID=4d494928-dcd0-4186-b780-f5fce7a30318"
    assert by_target["/x"].device == ""
    assert by_target["/k"].spec == "PARTLABEL=a b"
    assert by_target["/ä"].spec == "LABEL=bär"
    assert by_target["/y"].device == "/dev/nosuch"
    assert by_target["/w"].device == ""
    assert by_target["/f"].may_be_absent
    assert [entry.target for entry in entries] == ["/x", "/y", "/z", "/k", "/ä", "/w", "/f"]


def test_an_fstab_that_changed_between_two_looks_is_not_paired_up_wrongly() -> None:
    with pytest.raises(RescueError, match="changed"):
        blockinfo.parse_fstab(recorded("fstab.json"), "")


def test_swaps_of_the_kernel() -> None:
    text = (
        "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
        "/dev/vda6                               partition\t999420\t\t0\t\t-2\n"
        "/var/swap\\040file                       file\t\t65532\t\t0\t\t-3\n"
    )
    device, file = blockinfo.parse_swaps(text)
    assert (device.path, device.is_file, device.size) == ("/dev/vda6", False, 999420 * 1024)
    assert (file.path, file.is_file) == ("/var/swap file", True)


def test_a_swap_file_has_the_size_of_the_file_not_the_kernels(tmp_path: Path) -> None:
    swapfile = tmp_path / "swapfile"
    swapfile.write_bytes(b"\0" * 65536)
    table = tmp_path / "swaps"
    table.write_text(f"Filename Type Size Used Priority\n{swapfile} file 60 0 -2\n")
    assert [swap.size for swap in blockinfo.swaps(str(table))] == [65536]


def test_a_server_with_mounts_of_every_kind_as_findmnt_tells_it() -> None:
    mounts = blockinfo.parse_mounts(recorded("findmnt-layers.json"))
    assert automount.waiting(mounts) == ("/boot/efi",)
    assert {mount.target: mount.device for mount in mounts if mount.is_block} == {
        "/": "/dev/vda4",
        "/boot": "/dev/vda3",
        "/home": "/dev/vda5",
        "/mnt": "/dev/mapper/vault",
        "/srv/Hör": "/dev/mapper/srv_vg-lazy",
        "/srv/data": "/dev/mapper/srv_vg-data",
        "/srv/my-data": "/dev/vda7",
    }
    entries = blockinfo.parse_fstab(
        recorded("fstab-layers.json"), recorded("fstab-layers-evaluated.json")
    )
    devices = (
        volume("/dev/mapper/srv_vg-data", "/dev/vdb"),
        volume("/dev/mapper/srv_vg-lazy", "/dev/vdb"),
        volume("/dev/mapper/vault", "/dev/vdc", kind=DeviceKind.MAPPED),
    )
    known = {f"/dev/vda{number}": f"/dev/vda{number}" for number in range(1, 8)}
    known |= {each.path.replace("mapper/srv_vg-", "srv_vg/"): each.path for each in devices}
    lines = tuple(replace(entry, device=known.get(entry.device, "")) for entry in entries)
    machine = server(TableKind.GPT, bare_disk(), bare_disk("/dev/vdc", "DATA0002"))
    machine = with_disk(machine, with_partition(machine.disks[0], part(7, 5120, 64, ext4(7))))
    machine = replace(machine, mounts=mounts, fstab=lines, devices=devices)
    assert [(each.what, each.waits) for each in elsewhere(machine, "/dev/vda")] == [
        ("/srv/data", True),
        ("/srv/Hör", False),
        ("/mnt", False),
    ]


def test_a_label_cannot_tell_another_property() -> None:
    # Line separators that udev leaves in a label, and that end a line for Python's splitlines.
    for separator in "\u2028\u2029\x85":
        text = f"ID_FS_LABEL_ENC=a{separator}ID_FS_UUID_ENC=forged\nID_FS_TYPE=btrfs\n"
        told = blockinfo.parse_signature(blockinfo.parse_properties(text))
        assert told.uuid == ""
        assert told.label == f"a{separator}ID_FS_UUID_ENC=forged"


@pytest.mark.parametrize(
    "rows",
    [
        "null",
        '{"target": "/"}',
        "[null]",
        '["/"]',
        '[{"source": "/dev/vda1"}]',
        '[{"target": 1}]',
        '[{"target": "/", "options": ["ro"]}]',
        '[{"target": "/", "maj:min": 254}]',
        "[" * 100_000,
    ],
)
def test_rows_of_another_kind_are_an_error_of_ours(rows: str) -> None:
    with pytest.raises(RescueError, match="list of file systems"):
        blockinfo.parse_mounts(f'{{"filesystems": {rows}}}')


def test_a_line_of_the_kernels_without_a_size_is_left_out() -> None:
    text = "Filename Type Size\n/dev/vda6 partition 1024 0 -2\n/dev/vda7 partition many 0 -2\n"
    assert [swap.path for swap in blockinfo.parse_swaps(text)] == ["/dev/vda6"]


def test_a_swap_file_may_have_any_name(tmp_path: Path) -> None:
    listing = tmp_path / "swaps"
    listing.write_bytes(b"Filename Type Size\n/sw\xff\\040ap file 1024 0 -2\n")
    assert [swap.path for swap in blockinfo.swaps(str(listing))] == [os.fsdecode(b"/sw\xff ap")]


def test_a_line_of_fstab_without_a_place_is_of_none() -> None:
    text = '{"filesystems": [{"source": "/dev/vda6", "target": null, "fstype": "swap"}]}'
    assert [entry.target for entry in blockinfo.parse_fstab(text, text)] == ["none"]
