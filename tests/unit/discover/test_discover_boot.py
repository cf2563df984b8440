"""How a system was started, read from a small tree of its files."""

from pathlib import Path

from rescue.discover.boot import distributor, read_boot
from rescue.discover.tools import missing_tools, needed_tools
from rescue.model.boot.firmware import Firmware, GrubPlatform
from rescue.model.storage.filesystem import FsKind

DEBIAN = {"ID": "debian", "NAME": "Debian GNU/Linux"}


def test_debians_own_distributor_is_a_command_and_means_the_distribution() -> None:
    bookworm = "GRUB_DISTRIBUTOR=`lsb_release -i -s 2> /dev/null || echo Debian`\n"
    trixie = "GRUB_DISTRIBUTOR=`( . /etc/os-release && echo ${NAME} )`\n"
    assert distributor([bookworm], DEBIAN) == "debian"
    assert distributor([trixie], DEBIAN) == "debian"
    assert distributor([], {}) == "debian"


def test_a_distributor_is_cut_at_the_blank_and_lowered_and_the_last_one_counts() -> None:
    first, second = 'GRUB_DISTRIBUTOR="Other"\n', "GRUB_DISTRIBUTOR='ACME Server'\n"
    assert distributor([first, second], DEBIAN) == "acme"
    assert distributor(["#GRUB_DISTRIBUTOR=Old\n"], DEBIAN) == "debian"


def put(path: Path, text: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_uefi_system_with_both_platforms(tmp_path: Path) -> None:
    (tmp_path / "sys/firmware/efi").mkdir(parents=True)
    put(tmp_path / "proc/cmdline", "root=UUID=1 ro quiet\n")
    put(tmp_path / "proc/sys/kernel/random/boot_id", "b007\n")
    put(tmp_path / "etc/os-release", 'ID="debian"\n')
    put(tmp_path / "etc/default/grub", "GRUB_DISTRIBUTOR=Debian\n")
    put(tmp_path / "etc/default/grub.d/10-x.cfg", "GRUB_DISTRIBUTOR=Mine\n")
    put(tmp_path / "usr/lib/grub/i386-pc/modinfo.sh")
    put(tmp_path / "usr/lib/grub/x86_64-efi/modinfo.sh")
    for name in ("6.1.0-28-amd64", "6.1.0-27-amd64", "6.1.0-29-amd64.dpkg-new"):
        put(tmp_path / f"boot/vmlinuz-{name}")
    boot = read_boot(tmp_path)
    assert boot.firmware is Firmware.UEFI
    assert boot.command_line == "root=UUID=1 ro quiet"
    assert boot.distributor == "mine"
    assert boot.platforms == (GrubPlatform.I386_PC, GrubPlatform.X86_64_EFI)
    assert boot.kernels == ("6.1.0-27-amd64", "6.1.0-28-amd64")
    assert boot.boot_id == "b007"


def test_grub_modules_that_are_half_removed_are_not_installed(tmp_path: Path) -> None:
    (tmp_path / "usr/lib/grub/x86_64-efi").mkdir(parents=True)
    boot = read_boot(tmp_path)
    assert (boot.firmware, boot.platforms) == (Firmware.BIOS, ())


def test_missing_programs_come_with_the_package_that_holds_them() -> None:
    there = {tool for tool, _ in needed_tools(tuple(FsKind))} - {"rsync", "mkfs.xfs", "mkfs.vfat"}

    def which(tool: str) -> str | None:
        return f"/usr/bin/{tool}" if tool in there else None

    assert missing_tools({FsKind.EXT4, FsKind.VFAT}, which) == (
        ("rsync", "rsync"),
        ("mkfs.vfat", "dosfstools"),
    )
