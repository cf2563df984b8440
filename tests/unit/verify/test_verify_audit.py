"""The audit on a fabricated mirror: a good one passes, each single fault is named."""

import os
import shutil
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from rescue.model.boot.firmware import GrubPlatform
from rescue.model.finding import Finding, Severity
from rescue.model.mirror.record import MirrorRecord
from rescue.model.storage.disk import TableKind
from rescue.verify import essentials
from rescue.verify.audit import audit
from tests.fabricated_mirror import (
    KERNELS,
    FabricatedMirror,
    boot_image,
    bzimage,
    core_image,
    efi_image,
    elf,
    fabricate,
    initramfs,
    install_bios,
    mirror_uuid,
    module_info_64,
    partuuid,
    source_uuid,
    without_content,
)

STRANGER = "12345678-9999-4999-8999-123456789abc"
NEW, OLD = KERNELS


@pytest.fixture(autouse=True)
def _owner(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests owns the fabricated root."""
    monkeypatch.setattr(essentials, "ROOT_OWNER", os.getuid())


@pytest.fixture
def mirror(tmp_path: Path) -> FabricatedMirror:
    return fabricate(tmp_path)


def looked_at(mirror: FabricatedMirror) -> tuple[Finding, ...]:
    return audit(tree=mirror.tree, disk=mirror.disk, record=mirror.record)


def errors(mirror: FabricatedMirror) -> list[Finding]:
    return [one for one in looked_at(mirror) if one.severity is Severity.ERROR]


def notes(mirror: FabricatedMirror) -> list[Finding]:
    return [one for one in looked_at(mirror) if one.severity is Severity.NOTE]


def test_a_good_mirror_has_every_link_and_no_error(mirror: FabricatedMirror) -> None:
    findings = looked_at(mirror)
    assert {one.severity for one in findings} == {Severity.OK}
    links = list(dict.fromkeys(one.link for one in findings))
    assert links == [
        "table",
        "bios",
        "uefi",
        "stub",
        "grub",
        "grub.cfg",
        "kernel",
        "modules",
        "initramfs",
        "root=",
        "resume=",
        "fstab",
        "identifiers",
        "system",
    ]


def test_the_file_that_the_firmware_asks_for_is_there_or_nothing_is_well(
    mirror: FabricatedMirror,
) -> None:
    def found(asked_for: str, record: MirrorRecord) -> list[Finding]:
        findings = audit(tree=mirror.tree, disk=mirror.disk, record=record, asked_for=asked_for)
        return [one for one in findings if one.severity is Severity.ERROR]

    assert found("BOOTX64.EFI", mirror.record) == []
    (missing,) = found("BOOTIA32.EFI", mirror.record)
    assert (missing.link, missing.file) == ("uefi", "/boot/efi/EFI/BOOT/BOOTIA32.EFI")
    assert "firmware" in missing.message
    bios = replace(mirror.record, platforms=(GrubPlatform.I386_PC,))
    shutil.rmtree(mirror.tree / "boot/efi/EFI/BOOT")
    assert found("", bios) == []
    assert [one.link for one in found("BOOTX64.EFI", bios)] == ["uefi"]


def test_a_good_mbr_mirror_has_no_error(tmp_path: Path) -> None:
    mirror = fabricate(tmp_path, kind=TableKind.MBR)
    mirror.edit("/etc/fstab", "UUID=BBBB-2222", "#")
    assert errors(mirror) == []


@dataclass(frozen=True)
class Fault:
    """One thing done to a good mirror, the finding it must give, and what follows from it."""

    do: Callable[[FabricatedMirror], object]
    link: str
    file: str
    says: str
    then: tuple[tuple[str, str], ...] = ()


def remove(*paths: str) -> Callable[[FabricatedMirror], None]:
    def do(mirror: FabricatedMirror) -> None:
        for path in paths:
            target = mirror.tree / path.lstrip("/")
            if target.is_dir():
                shutil.rmtree(target)
            else:
                target.unlink()

    return do


def edit(path: str, old: str, new: str) -> Callable[[FabricatedMirror], None]:
    return lambda mirror: mirror.edit(path, old, new)


def write(path: str, data: bytes | str) -> Callable[[FabricatedMirror], object]:
    return lambda mirror: mirror.write(path, data)


def cut(path: str, share: float) -> Callable[[FabricatedMirror], None]:
    def do(mirror: FabricatedMirror) -> None:
        file = mirror.tree / path.lstrip("/")
        os.truncate(file, int(file.stat().st_size * share))

    return do


def init_leads_out(mirror: FabricatedMirror) -> None:
    """/sbin/init is absolute and good on the machine that looks, and not on the mirror."""
    outside = mirror.tree.parent / "outside"
    outside.write_bytes(elf(""))
    outside.chmod(0o755)
    link = mirror.tree / "usr/sbin/init"
    link.unlink()
    link.symlink_to(outside)


def core_elsewhere(mirror: FabricatedMirror) -> None:
    """GRUB's core image is whole, and lies where a partition's file system will overwrite it."""
    core = (mirror.tree / "boot/grub/i386-pc/core.img").read_bytes()
    install_bios(mirror, boot_image(), core, at=2048 * 5)


def core_of_source(mirror: FabricatedMirror) -> None:
    config = f"search.fs_uuid {source_uuid(3)} root\n"
    install_bios(mirror, boot_image(), core_image(prefix="/grub", config=config), at=2048)


def core_of_other_partition(mirror: FabricatedMirror) -> None:
    install_bios(mirror, boot_image(), core_image(prefix="(,gpt5)/grub"), at=2048)


def grub_of_source(mirror: FabricatedMirror) -> None:
    tail = module_info_64("/EFI/debian", f"search.fs_uuid {source_uuid(3)} root\n")
    mirror.write("/boot/efi/EFI/debian/grubx64.efi", efi_image(tail=tail))


def circle(mirror: FabricatedMirror) -> None:
    link = mirror.tree / "usr/sbin/init"
    link.unlink()
    link.symlink_to("/sbin/init")


def one_search_of_a_stranger(mirror: FabricatedMirror) -> None:
    file = mirror.tree / "boot/grub/grub.cfg"
    text = file.read_text()
    at = text.rindex(f"--set=root {mirror_uuid(3)}")
    file.write_text(text[:at] + text[at:].replace(mirror_uuid(3), STRANGER, 1))


def all_but_last_lines(mirror: FabricatedMirror) -> None:
    file = mirror.tree / "boot/grub/grub.cfg"
    file.write_text(file.read_text()[: file.read_text().index("/initrd.img-" + OLD)])


def unclosed(mirror: FabricatedMirror) -> None:
    mirror.edit("/boot/grub/grub.cfg", "\t\t\tfwsetup\n\t\t}\n", "\t\t\tfwsetup\n")


CFG, FSTAB, CORE = "/boot/grub/grub.cfg", "/etc/fstab", "/boot/grub/i386-pc/core.img"
INITRD, VMLINUZ, MODULES = f"/boot/initrd.img-{NEW}", f"/boot/vmlinuz-{NEW}", f"/lib/modules/{NEW}"
ESP = "/boot/efi/EFI"
SWAP_LINE = f"UUID={mirror_uuid(6)} none"

FAULTS = {
    # BIOS
    "boot sector wiped": Fault(
        lambda m: m.poke(0, bytes(512)), "bios", "", "the first sector is not GRUB's boot sector"
    ),
    "boot signature lost": Fault(
        lambda m: m.poke(0, boot_image()[:510] + b"\0\0"), "bios", "", "not GRUB's boot sector"
    ),
    "boot sector of another GRUB": Fault(
        lambda m: m.write("/boot/grub/i386-pc/boot.img", boot_image().replace(b"\x90", b"\x91")),
        "bios",
        "/boot/grub/i386-pc/boot.img",
        "not that of this file",
    ),
    "core image overwritten": Fault(
        lambda m: m.poke(2048 + 2, bytes(512)), "bios", CORE, "is not this core image"
    ),
    "core image's first sector wiped": Fault(
        lambda m: m.poke(2048, bytes(512)), "bios", CORE, "is not this core image"
    ),
    "core image in a partition": Fault(
        core_elsewhere, "bios", CORE, "is not in the BIOS boot partition"
    ),
    "core image looks for the source": Fault(core_of_source, "bios", CORE, "is the source's"),
    "core image's prefix leads nowhere": Fault(
        core_of_other_partition, "bios", CORE, "(,gpt5)/grub, which is not there"
    ),
    "core.img missing": Fault(remove(CORE), "bios", CORE, "is missing"),
    # UEFI
    "BOOTX64.EFI missing": Fault(
        remove(f"{ESP}/BOOT/bootx64.efi"), "uefi", f"{ESP}/BOOT/BOOTX64.EFI", "is missing"
    ),
    "grub beside the removable shim missing": Fault(
        remove(f"{ESP}/BOOT/grubx64.efi"), "uefi", f"{ESP}/BOOT/grubx64.efi", "is missing"
    ),
    "shim missing": Fault(
        remove(f"{ESP}/debian/shimx64.efi"), "uefi", f"{ESP}/debian/shimx64.efi", "is missing"
    ),
    "grubx64.efi is no program": Fault(
        write(f"{ESP}/debian/grubx64.efi", b"MZ" + bytes(100)),
        "uefi",
        f"{ESP}/debian/grubx64.efi",
        "is not a program",
    ),
    "GRUB on the ESP looks for the source": Fault(
        grub_of_source, "uefi", f"{ESP}/debian/grubx64.efi", "is the source's"
    ),
    "stub missing": Fault(
        remove(f"{ESP}/debian/grub.cfg"), "stub", f"{ESP}/debian/grub.cfg", "is missing"
    ),
    "stub with a stranger's UUID": Fault(
        edit(f"{ESP}/debian/grub.cfg", mirror_uuid(3), STRANGER),
        "stub",
        f"{ESP}/debian/grub.cfg",
        f"{STRANGER}: not the mirror's",
    ),
    "stub with a wrong prefix": Fault(
        edit(f"{ESP}/debian/grub.cfg", "'/grub'", "'/boot/grub'"),
        "stub",
        f"{ESP}/debian/grub.cfg",
        "/boot/boot/grub/grub.cfg, which is not there",
    ),
    "stub empty": Fault(
        write(f"{ESP}/debian/grub.cfg", ""), "stub", f"{ESP}/debian/grub.cfg", "does not say"
    ),
    # GRUB
    "GRUB's modules missing": Fault(
        remove("/boot/grub/x86_64-efi"), "grub", "/boot/grub/x86_64-efi/normal.mod", "are missing"
    ),
    "grub.cfg with a stranger's UUID": Fault(
        one_search_of_a_stranger, "grub.cfg", CFG, f"{STRANGER}: not on the mirror's own disk"
    ),
    "grub.cfg cut off": Fault(
        all_but_last_lines,
        "grub.cfg",
        CFG,
        "in the middle of section /etc/grub.d/10_linux",
        then=(("initramfs", CFG),),
    ),
    "grub.cfg with an open block": Fault(unclosed, "grub.cfg", CFG, "is not closed"),
    "grub.cfg empty": Fault(write(CFG, "\n"), "grub.cfg", CFG, "is empty"),
    # kernels
    "kernel missing": Fault(remove(VMLINUZ), "kernel", VMLINUZ, "is missing"),
    "kernel is something else": Fault(write(VMLINUZ, bytes(4096)), "kernel", VMLINUZ, "no kernel"),
    "kernel cut off": Fault(cut(VMLINUZ, 0.9), "kernel", VMLINUZ, "cut off"),
    "modules missing": Fault(
        remove(f"/usr{MODULES}"), "modules", MODULES, f"kernel {NEW} has no modules"
    ),
    "one module missing": Fault(
        remove(f"/usr{MODULES}/kernel/fs/jbd2/jbd2.ko"), "modules", MODULES, "jbd2.ko"
    ),
    "list of modules empty": Fault(
        write(f"/usr{MODULES}/modules.dep", ""), "modules", f"{MODULES}/modules.dep", "is empty"
    ),
    "kernel newer than its modules": Fault(
        write(VMLINUZ, bzimage("6.1.0-19-amd64")),
        "modules",
        "/lib/modules/6.1.0-19-amd64",
        "no",
        then=(("initramfs", INITRD),),
    ),
    # initramfs
    "initramfs missing": Fault(remove(INITRD), "initramfs", INITRD, "is missing"),
    "initramfs cut off": Fault(cut(INITRD, 0.7), "initramfs", INITRD, "cannot be read to its end"),
    "initramfs empty": Fault(write(INITRD, b""), "initramfs", INITRD, "it is empty"),
    "initramfs zeroed": Fault(
        write(INITRD, bytes(4096)), "initramfs", INITRD, "begins with 000000000000"
    ),
    "initramfs of another kernel": Fault(
        write(INITRD, initramfs(OLD)), "initramfs", INITRD, f"made for kernel {OLD}, not {NEW}"
    ),
    "source's UUID in a binary of the initramfs": Fault(
        write(INITRD, initramfs(NEW, {"bin/x": b"\0\xff" + source_uuid(4).encode() + b"\0"})),
        "initramfs",
        INITRD,
        f"{source_uuid(4)}, which is the source's, in bin/x",
    ),
    "source's device in the initramfs's crypttab": Fault(
        write(INITRD, initramfs(NEW, {"cryptroot/crypttab": b"home /dev/vda5 none\n"})),
        "initramfs",
        INITRD,
        "/dev/vda5",
    ),
    "initramfs resumes from the source": Fault(
        write(
            INITRD, initramfs(NEW, {"conf/conf.d/resume": f"RESUME=UUID={source_uuid(6)}".encode()})
        ),
        "initramfs",
        INITRD,
        f"{source_uuid(6)}, which is the source's, in conf/conf.d/resume",
    ),
    "initramfs resumes from a stranger": Fault(
        write(INITRD, initramfs(NEW, {"conf/conf.d/zz-auto": f"RESUME=UUID={STRANGER}".encode()})),
        "resume=",
        INITRD,
        "is not on the mirror's own disk (in conf/conf.d/zz-auto)",
    ),
    # kernel command line
    "root= of a stranger": Fault(
        edit(CFG, f"root=UUID={mirror_uuid(4)} ro  quiet", f"root=UUID={STRANGER} ro  quiet"),
        "root=",
        CFG,
        f"root=UUID={STRANGER} is not on the mirror's own disk",
    ),
    "root= is another partition": Fault(
        edit(CFG, f"root=UUID={mirror_uuid(4)} ro  quiet", f"root=UUID={mirror_uuid(5)} ro"),
        "root=",
        CFG,
        "is not the root file system",
    ),
    "root= by the kernel's name": Fault(
        edit(CFG, f"root=UUID={mirror_uuid(4)} ro  quiet", "root=/dev/vdb4 ro  quiet"),
        "root=",
        CFG,
        "a name of the kernel's",
    ),
    "resume= of a stranger": Fault(
        edit(CFG, f"resume=UUID={mirror_uuid(6)}", f"resume=UUID={STRANGER}"),
        "resume=",
        CFG,
        "is not on the mirror's own disk",
    ),
    "resume= is not a swap": Fault(
        edit(CFG, f"resume=UUID={mirror_uuid(6)}", f"resume=UUID={mirror_uuid(5)}"),
        "resume=",
        CFG,
        "is not a swap area",
    ),
    # fstab
    "fstab missing": Fault(remove(FSTAB), "fstab", FSTAB, "is missing"),
    "fstab with a stranger's UUID": Fault(
        edit(FSTAB, "UUID=BBBB-2222", "UUID=CCCC-3333"), "fstab", FSTAB, "UUID=CCCC-3333 is not on"
    ),
    "fstab by the kernel's name": Fault(
        edit(FSTAB, "UUID=BBBB-2222", "/dev/vdb2"), "fstab", FSTAB, "a name of the kernel's"
    ),
    "fstab mounts the wrong partition": Fault(
        edit(FSTAB, partuuid(5), partuuid(3)), "fstab", FSTAB, "is partition 3, not partition 5"
    ),
    "fstab says the wrong kind": Fault(
        edit(FSTAB, "/home           ext4", "/home           xfs"), "fstab", FSTAB, "says xfs"
    ),
    "fstab without /home": Fault(
        edit(FSTAB, f"PARTUUID={partuuid(5)}", "#"), "fstab", FSTAB, "no line mounts /home"
    ),
    "swap of a stranger": Fault(
        edit(FSTAB, SWAP_LINE, f"UUID={STRANGER} none"), "fstab", FSTAB, STRANGER
    ),
    "swap that is none": Fault(
        edit(FSTAB, SWAP_LINE, f"UUID={mirror_uuid(5)} none"), "fstab", FSTAB, "is not a swap area"
    ),
    "swap file missing": Fault(remove("/swapfile"), "fstab", "/swapfile", "is missing"),
    "swap file without signature": Fault(
        write("/swapfile", bytes(8192)), "fstab", "/swapfile", "no swap signature"
    ),
    "mount point missing": Fault(remove("/home"), "fstab", "/home", "to mount on is missing"),
    # what names the source
    "stale crypttab": Fault(
        write("/etc/crypttab", f"home UUID={source_uuid(5)} none luks\n"),
        "identifiers",
        "/etc/crypttab",
        source_uuid(5),
    ),
    "default/grub names the source": Fault(
        write("/etc/default/grub", f'GRUB_CMDLINE_LINUX="resume=UUID={source_uuid(6)}"\n'),
        "identifiers",
        "/etc/default/grub",
        source_uuid(6),
    ),
    "device.map names the source": Fault(
        write("/boot/grub/device.map", "(hd0)\t/dev/vda\n"),
        "identifiers",
        "/boot/grub/device.map",
        "/dev/vda",
    ),
    "a unit names the source": Fault(
        write("/etc/systemd/system/srv.mount", f"[Mount]\nWhat=/dev/disk/by-uuid/{source_uuid(5)}"),
        "identifiers",
        "/etc/systemd/system/srv.mount",
        source_uuid(5),
    ),
    "a loader entry on the ESP names the source": Fault(
        write(
            "/boot/efi/loader/entries/a.conf", f"options root=PARTUUID={partuuid(4, mirror=False)}"
        ),
        "identifiers",
        "/boot/efi/loader/entries/a.conf",
        partuuid(4, mirror=False),
    ),
    "grub-pc would be installed on the source": Fault(
        write(
            "/var/cache/debconf/config.dat",
            "Name: foo/bar\nValue: /dev/vda1\n\n"
            "Name: grub-pc/install_devices\nTemplate: grub-pc/install_devices\nValue: /dev/vda\n",
        ),
        "identifiers",
        "/var/cache/debconf/config.dat",
        "/dev/vda,",
    ),
    # the system
    "init missing": Fault(
        remove("/usr/lib/systemd/systemd"), "system", "/sbin/init", "leads nowhere"
    ),
    "init leads out of the tree": Fault(init_leads_out, "system", "/sbin/init", "leads nowhere"),
    "init in a circle": Fault(circle, "system", "/sbin/init", "leads nowhere"),
    "init is no program": Fault(
        lambda m: m.write("/usr/lib/systemd/systemd", b"", mode=0o755),
        "system",
        "/sbin/init",
        "no ELF file",
    ),
    "init is not executable": Fault(
        lambda m: (m.tree / "usr/lib/systemd/systemd").chmod(0o644),
        "system",
        "/sbin/init",
        "is not executable",
    ),
    "loader missing": Fault(
        remove("/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"),
        "system",
        "/lib64/ld-linux-x86-64.so.2",
        "the loader of /sbin/init is missing",
    ),
    "libc missing": Fault(
        remove("/usr/lib/x86_64-linux-gnu/libc.so.6"), "system", "/lib", "libc.so.6"
    ),
    "mode of / lost": Fault(lambda m: m.tree.chmod(0o700), "system", "/", "has mode 0700"),
    "no /proc": Fault(remove("/proc"), "system", "/proc", "is missing"),
    "no passwd": Fault(remove("/etc/passwd"), "system", "/etc/passwd", "is missing"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_one_fault_gives_exactly_the_finding_that_names_it(
    mirror: FabricatedMirror, name: str
) -> None:
    fault = FAULTS[name]
    fault.do(mirror)
    found = errors(mirror)
    expected = [(fault.link, fault.file), *fault.then]
    assert [(one.link, one.file) for one in found] == expected, found
    assert fault.says in found[0].message


HOME_GUID = "933AC7E1-2EB4-4F13-B844-0E14E2AEF915"


def with_point(mirror: FabricatedMirror, point: str) -> FabricatedMirror:
    """Return the mirror with its /home mounted elsewhere, and no line of fstab for it."""
    pairs = tuple(
        replace(pair, mount_point=point) if pair.mount_point == "/home" else pair
        for pair in mirror.record.filesystems
    )
    mirror.edit(FSTAB, f"PARTUUID={partuuid(5)}", "#")
    (mirror.tree / point.lstrip("/")).mkdir(parents=True, exist_ok=True)
    return replace(mirror, record=replace(mirror.record, filesystems=pairs))


def of_type(mirror: FabricatedMirror, type_: str, attrs: str = "") -> FabricatedMirror:
    assert mirror.disk.table is not None
    parts = tuple(
        replace(part, type=type_, attrs=attrs) if part.number == 5 else part
        for part in mirror.disk.table.partitions
    )
    table = replace(mirror.disk.table, partitions=parts)
    return replace(mirror, disk=replace(mirror.disk, table=table))


@pytest.mark.parametrize(
    ("point", "unit"),
    [
        ("/srv/my-data", "srv-my\\x2ddata.mount"),
        ("/srv/Hör", "srv-H\\xc3\\xb6r.mount"),
        ("/.hidden", "\\x2ehidden.mount"),
        ("/home", "home.mount"),
    ],
)
@pytest.mark.parametrize("folder", ["/etc", "/usr/lib", "/usr/local/lib"])
def test_a_unit_mounts_what_no_line_of_fstab_does(
    mirror: FabricatedMirror, point: str, unit: str, folder: str
) -> None:
    mirror = with_point(mirror, point)
    assert any(f"no line mounts {point}" in one.message for one in errors(mirror))
    path = f"{folder}/systemd/system/{unit}"
    mirror.write(path, f"[Mount]\nWhat=/dev/disk/by-uuid/{mirror_uuid(5)}\nWhere={point}\n")
    assert errors(mirror) == []


@pytest.mark.parametrize(
    ("what", "says"),
    [
        (f"/dev/disk/by-uuid/{mirror_uuid(3)}", "is partition 3, not partition 5"),
        ("/dev/vda5", "is a name of the kernel's"),
        (f"UUID={STRANGER}", "is not on the mirror's own disk"),
    ],
)
def test_a_unit_that_mounts_something_else_is_found(
    mirror: FabricatedMirror, what: str, says: str
) -> None:
    mirror = with_point(mirror, "/srv/my-data")
    unit = "/usr/lib/systemd/system/srv-my\\x2ddata.mount"
    mirror.write(unit, f"[Mount]\nWhat={what}\n")
    assert [one.file for one in errors(mirror) if says in one.message] == [unit]
    own = f"[Mount]\nWhat=UUID={mirror_uuid(5)}\n"
    mirror.write(f"/etc/systemd/system/{unit.rpartition('/')[2]}.d/own.conf", own)
    assert not [one for one in errors(mirror) if one.link == "fstab"]


def test_a_partition_is_mounted_by_its_type(mirror: FabricatedMirror) -> None:
    mirror = with_point(mirror, "/home")
    assert errors(mirror)
    assert errors(of_type(mirror, HOME_GUID)) == []
    assert errors(of_type(mirror, HOME_GUID, "GUID:60")) == []
    assert errors(of_type(mirror, HOME_GUID, "RequiredPartition GUID:60,63"))
    assert errors(of_type(mirror, "0FC63DAF-8483-4772-8E79-3D69D8477DE4"))


def test_the_source_in_fstab_is_named_by_two_links(mirror: FabricatedMirror) -> None:
    mirror.edit(FSTAB, SWAP_LINE, f"UUID={source_uuid(6)} none")
    assert [(one.link, one.file) for one in errors(mirror)] == [
        ("fstab", FSTAB),
        ("identifiers", FSTAB),
    ]


def test_the_source_in_grub_cfg_is_named_before_what_follows_from_it(
    mirror: FabricatedMirror,
) -> None:
    mirror.edit(CFG, mirror_uuid(3), source_uuid(3))
    found = errors(mirror)
    assert (found[0].link, found[0].file) == ("grub.cfg", CFG)
    assert "which is the source's" in found[0].message


def test_what_os_prober_found_on_other_disks_is_only_a_note(mirror: FabricatedMirror) -> None:
    begin = "### BEGIN /etc/grub.d/30_os-prober ###\n"
    entry = f"menuentry 'Other' {{\n search --fs-uuid --set=root {STRANGER}\n linux /vmlinuz\n}}\n"
    mirror.edit(CFG, begin, begin + entry)
    notes = [one for one in looked_at(mirror) if one.severity is Severity.NOTE]
    assert errors(mirror) == []
    assert [(one.link, one.file) for one in notes] == [("grub.cfg", CFG)]


def test_a_kernel_that_no_entry_starts_is_only_a_note(mirror: FabricatedMirror) -> None:
    mirror.write("/boot/vmlinuz-6.1.0-9-amd64", bzimage("6.1.0-9-amd64"))
    notes = [one for one in looked_at(mirror) if one.severity is Severity.NOTE]
    assert errors(mirror) == []
    assert [one.file for one in notes] == ["/boot/vmlinuz-6.1.0-9-amd64"]


def test_an_mbr_disk_has_its_core_image_in_the_gap(tmp_path: Path) -> None:
    mirror = fabricate(tmp_path, kind=TableKind.MBR)
    mirror.edit("/etc/fstab", "UUID=BBBB-2222", "#")
    core = (mirror.tree / CORE.lstrip("/")).read_bytes()
    install_bios(mirror, boot_image(), core, at=3 * 2048 - 2)
    assert [(one.link, one.file) for one in errors(mirror)] == [("bios", CORE)]
    assert "the gap before the first partition" in errors(mirror)[0].message


def test_a_swap_area_that_is_gone_breaks_the_table_first(mirror: FabricatedMirror) -> None:
    gone = replace(mirror, disk=without_content(mirror.disk, 6))
    found = errors(gone)
    assert found[0].link == "table"
    assert "partition 6 (swap) holds nothing" in found[0].message


def test_a_disk_that_cannot_be_read_is_a_broken_link_and_no_exception(
    mirror: FabricatedMirror,
) -> None:
    mirror.image.unlink()
    found = errors(mirror)
    assert [one.link for one in found] == ["bios"]
    assert "cannot be read: No such file or directory" in found[0].message


def test_a_mirror_that_nothing_starts_says_so(mirror: FabricatedMirror) -> None:
    bare = replace(mirror, record=replace(mirror.record, platforms=()))
    assert [one.link for one in errors(bare)] == ["grub"]


def test_grub_made_for_this_disk_alone_needs_no_stub(mirror: FabricatedMirror) -> None:
    grub = efi_image(tail=module_info_64("(,gpt3)/grub"))
    mirror.write(f"{ESP}/BOOT/bootx64.efi", grub)
    mirror.write(f"{ESP}/debian/grubx64.efi", grub)
    for name in ("BOOT/grubx64.efi", "debian/shimx64.efi", "debian/grub.cfg"):
        (mirror.tree / f"boot/efi/EFI/{name}").unlink()
    assert errors(mirror) == []


def test_bios_is_looked_at_only_where_it_was_installed(mirror: FabricatedMirror) -> None:
    mirror.poke(0, bytes(512))
    uefi = replace(mirror, record=replace(mirror.record, platforms=(GrubPlatform.X86_64_EFI,)))
    assert errors(uefi) == []


def test_a_block_list_in_pieces_is_followed(mirror: FabricatedMirror) -> None:
    """GRUB splits the core image where another program has marked sectors of the gap."""
    core = (mirror.tree / CORE.lstrip("/")).read_bytes()
    padded = bytearray(core + bytes(-len(core) % 512))
    count = len(padded) // 512 - 1
    struct.pack_into("<QHH", padded, 500, 2049, 1, 0x820)
    struct.pack_into("<QHH", padded, 488, 2060, count - 1, 0x840)
    mirror.poke(2048, bytes(padded[:1024]) + bytes(512))
    mirror.poke(2060, bytes(padded[1024:]))
    assert errors(mirror) == []


MEMTEST = """menuentry "Memory test (memtest86+x64.bin)" {
\tsearch --no-floppy --fs-uuid --set=root BOOT
\tlinux   /memtest86+x64.bin
}
menuentry 'iPXE' --class network {
\tsearch --no-floppy --fs-uuid --set=root BOOT
\tlinux16 /ipxe.lkrn
\tinitrd16 /script.ipxe
}
"""
WINDOWS = """menuentry "Windows"{
\tinsmod chain
\tsearch --no-floppy --fs-uuid --set=root 1234-ABCD
\tchainloader /EFI/Microsoft/Boot/bootmgfw.efi
}
"""
OF_A_THIRD_DISK = f"""menuentry 'Another Linux' --id other {{
\tsearch --no-floppy --fs-uuid --set=root {STRANGER}
\tlinux /vmlinuz root=UUID={STRANGER} ro
\tinitrd /initrd.img
}}
"""
# As os-prober lists an attached mirror by the menu of an earlier night.
OF_THE_MIRROR = f"""menuentry 'Debian GNU/Linux 12 (on /dev/vdb4)' --class debian {{
\tsearch --no-floppy --fs-uuid --set=root {mirror_uuid(3)}
\tlinux /vmlinuz-6.1.0-9-amd64 root=/dev/vdb4
\tinitrd /initrd.img-6.1.0-9-amd64
}}
"""


def add_section(mirror: FabricatedMirror, name: str, text: str, *, first: bool = False) -> None:
    """Add what a script of /etc/grub.d has written, as the first or the last of the entries."""
    before = "### BEGIN /etc/grub.d/10_linux ###\n" if first else "### BEGIN /etc/grub.d/41_custom"
    text = text.replace("BOOT", mirror_uuid(3))
    mark = f"### BEGIN /etc/grub.d/{name} ###\n{text}### END /etc/grub.d/{name} ###\n\n"
    mirror.edit(CFG, before, mark + before)


@pytest.mark.parametrize(
    ("section", "text"),
    [
        ("20_memtest86+", MEMTEST),
        ("45_windows", WINDOWS),
        ("06_custom", OF_A_THIRD_DISK),
        ("30_os-prober", OF_THE_MIRROR),
        ("31_hold", "menuentry 'Wait' {\n\tconfigfile (hd1,gpt2)/boot/grub/grub.cfg\n}\n"),
        ("06_theme", f"search --fs-uuid --set=drive {STRANGER}\nbackground_image ($drive)/x.png\n"),
    ],
)
def test_an_entry_that_is_not_this_systems_breaks_nothing(
    mirror: FabricatedMirror, section: str, text: str
) -> None:
    for name in ("memtest86+x64.bin", "ipxe.lkrn"):
        # Both begin as a kernel does, and are none.
        mirror.write(f"/boot/{name}", bzimage("memtest")[:1500])
    add_section(mirror, section, text)
    assert errors(mirror) == []


def test_the_default_entry_must_boot_wherever_it_stands(mirror: FabricatedMirror) -> None:
    add_section(mirror, "06_custom", OF_A_THIRD_DISK, first=True)
    assert {one.link for one in errors(mirror)} == {"grub.cfg", "root="}
    mirror.edit(CFG, 'set default="0"', 'set default="1"')
    assert errors(mirror) == []
    mirror.edit(CFG, 'set default="1"', 'set default="${saved_entry}"')
    mirror.write("/boot/grub/grubenv", "# GRUB Environment Block\nsaved_entry=other\n####")
    assert {one.link for one in errors(mirror)} == {"grub.cfg", "root="}


def test_a_default_that_starts_another_program_is_said(mirror: FabricatedMirror) -> None:
    add_section(mirror, "06_first", MEMTEST, first=True)
    mirror.write("/boot/memtest86+x64.bin", b"MZ")
    mirror.write("/boot/ipxe.lkrn", b"MZ")
    assert errors(mirror) == []
    assert "starts no kernel of this system" in notes(mirror)[0].message
    (mirror.tree / "boot/memtest86+x64.bin").unlink()
    assert [one.link for one in errors(mirror)] == ["kernel"]


def test_a_menu_without_this_system_boots_nothing(mirror: FabricatedMirror) -> None:
    mirror.write("/boot/memtest86+x64.bin", b"MZ")
    mirror.write("/boot/ipxe.lkrn", b"MZ")
    mirror.write(CFG, MEMTEST.replace("BOOT", mirror_uuid(3)))
    assert "no entry in it starts a kernel of this system" in errors(mirror)[0].message


def test_a_stale_entry_that_is_not_the_default_is_only_a_note(mirror: FabricatedMirror) -> None:
    """As where a kernel was removed by hand, and 'update-grub' did not run: on the source too."""
    (mirror.tree / f"boot/vmlinuz-{OLD}").unlink()
    (mirror.tree / f"boot/initrd.img-{OLD}").unlink()
    assert errors(mirror) == []
    assert [one.link for one in notes(mirror)] == ["kernel", "initramfs"]


def test_an_old_kernel_that_is_there_must_boot(mirror: FabricatedMirror) -> None:
    os.truncate(mirror.tree / f"boot/vmlinuz-{OLD}", 2000)
    assert [(one.link, one.file) for one in errors(mirror)] == [("kernel", f"/boot/vmlinuz-{OLD}")]


def test_a_script_of_ones_own_may_not_name_the_source(mirror: FabricatedMirror) -> None:
    script = f"#!/bin/sh\nexec tail -n +3 $0\nsearch --fs-uuid --set=root {source_uuid(3)}\n"
    mirror.write("/etc/grub.d/45_own", script, mode=0o755)
    assert [(one.link, one.file) for one in errors(mirror)] == [
        ("identifiers", "/etc/grub.d/45_own")
    ]


def test_a_boot_sector_that_points_behind_the_disk(mirror: FabricatedMirror) -> None:
    for sector in (64 * 2048, 2**63, 2**64 - 1):
        code = bytearray(boot_image())
        struct.pack_into("<Q", code, 0x5C, sector)
        mirror.poke(0, bytes(code[:0x66]))
        (found,) = errors(mirror)
        assert f"at sector {sector}, where the boot sector looks" in found.message


def test_a_core_image_of_a_few_bytes_is_damaged(mirror: FabricatedMirror) -> None:
    core = core_image(prefix="(,gpt3)/grub")[:1100]
    install_bios(mirror, boot_image(), core, at=2048)
    assert "the core image is damaged" in errors(mirror)[0].message


def test_a_menu_that_names_what_can_be_no_path(mirror: FabricatedMirror) -> None:
    mirror.edit("/boot/grub/grub.cfg", f"/vmlinuz-{KERNELS[0]}", "/vmlinuz-\0")
    assert any("the kernel is missing" in each.message for each in errors(mirror))


def test_a_swap_file_whose_name_can_be_no_path(mirror: FabricatedMirror) -> None:
    mirror.edit("/etc/fstab", "/swapfile none", "/swap\\000file none")
    assert any("the swap file is missing" in each.message for each in errors(mirror))
