"""The smaller parts of the audit: tree, grub.cfg, fstab, table, and how findings are shown."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from rescue.model.finding import Finding, Severity, first_broken
from rescue.model.storage.disk import TableKind
from rescue.system.files.rooted_tree import Tree, without_comments
from rescue.text.fstab import parse_fstab
from rescue.text.grub_cfg import parse_menu
from rescue.ui.findings import finding_lines
from rescue.verify.owndisk import OwnDisk, is_kernel_name
from rescue.verify.table import check_table
from rescue.verify.uefi import Stub, parse_stub
from tests.fabricated_mirror import DATA, KERNELS, make_disk, make_record, mirror_uuid, partuuid


def test_links_are_followed_inside_the_tree(tmp_path: Path) -> None:
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "bin").symlink_to("/usr/bin")
    (tmp_path / "usr/bin/sh").symlink_to("../../../../usr/bin/dash")
    (tmp_path / "usr/bin/dash").write_text("x")
    tree = Tree(root=tmp_path)
    assert tree.locate("/bin/sh") == tmp_path / "usr/bin/dash"
    assert tree.is_file("/bin/sh")
    assert tree.locate("/../../etc") == tmp_path / "etc"


def test_vfat_knows_no_case(tmp_path: Path) -> None:
    (tmp_path / "efi/boot").mkdir(parents=True)
    (tmp_path / "efi/boot/bootx64.efi").write_text("x")
    tree = Tree(root=tmp_path)
    wanted = tmp_path / "efi/boot/bootx64.efi"
    assert tree.locate("/EFI/BOOT/BOOTX64.EFI", ignore_case=True) == wanted
    assert not tree.is_file("/EFI/BOOT/BOOTX64.EFI")


def test_a_pattern_matches_in_the_middle_and_through_links(tmp_path: Path) -> None:
    for name in ("debian", "BOOT", "empty"):
        (tmp_path / "real/EFI" / name).mkdir(parents=True)
    (tmp_path / "real/EFI/debian/grub.cfg").write_text("x")
    (tmp_path / "real/EFI/BOOT/grub.cfg").write_text("x")
    (tmp_path / "efi").symlink_to("/real")
    found = Tree(root=tmp_path).glob("/efi/EFI/*/grub.cfg")
    assert found == ("/efi/EFI/BOOT/grub.cfg", "/efi/EFI/debian/grub.cfg")


def test_comments_are_left_out() -> None:
    assert without_comments("a\n # b\n;c\nd # e") == "a\nd # e"


def test_debians_grub_cfg_is_read_with_submenus() -> None:
    menu = parse_menu((DATA / "grub.cfg").read_text())
    assert menu.faults == ()
    assert menu.sections[0] == "/etc/grub.d/00_header"
    assert menu.sections[-1] == "/etc/grub.d/41_custom"
    assert [image.path for image in menu.images] == [
        f"/vmlinuz-{version}" for version in (KERNELS[0], *(v for v in KERNELS for _ in "ab"))
    ]
    assert {image.filesystem for image in menu.images} == {mirror_uuid(3)}
    assert menu.images[0].title == "Debian GNU/Linux"
    submenu = "Advanced options for Debian GNU/Linux"
    last = f"Debian GNU/Linux, with Linux {KERNELS[1]} (recovery mode)"
    assert menu.images[-1].title == f"{submenu} > {last}"
    assert menu.images[-1].initrds == (f"/initrd.img-{KERNELS[1]}",)
    assert menu.images[-1].arguments[-1] == "single"
    assert {search.value for search in menu.searches} == {mirror_uuid(3), mirror_uuid(4)}


@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.7, 0.93, 0.97])
def test_a_grub_cfg_cut_anywhere_has_a_fault(share: float) -> None:
    text = (DATA / "grub.cfg").read_text()
    assert parse_menu(text[: int(len(text) * share)]).faults


def test_a_search_counts_for_its_entry_alone() -> None:
    menu = parse_menu(
        "search --fs-uuid --set=root aaaa\n"
        "menuentry 'one' {\n search.fs_uuid bbbb root hd0,gpt1\n linux ($root)/one root=x\n}\n"
        "menuentry 'two' {\n linux /two \\\n  root=y\n initrd /a /b\n}\n"
    )
    assert [(i.filesystem, i.path, i.arguments, i.initrds) for i in menu.images] == [
        ("bbbb", "/one", ("root=x",), ()),
        ("aaaa", "/two", ("root=y",), ("/a", "/b")),
    ]
    assert menu.faults == ()


def test_fstab_fields_are_unescaped() -> None:
    (entry,) = parse_fstab("# no\nLABEL=a /mnt/my\\040data/ ext4 ro,nofail 0 2\nbroken\n")
    assert (entry.target, entry.options) == ("/mnt/my data", ("ro", "nofail"))


def test_octal_in_fstab_is_of_bytes_and_not_of_letters() -> None:
    (entry,) = parse_fstab("LABEL=a /srv/H\\303\\266r ext4 defaults 0 2\n")
    assert entry.target == "/srv/Hör"


@pytest.mark.parametrize(
    ("spec", "number"),
    [
        (f"UUID={mirror_uuid(4)}", 4),
        (f"UUID={mirror_uuid(4).upper()}", 4),
        ('UUID="BBBB-2222"', 2),
        ("LABEL=mirror-root", 4),
        (f"PARTUUID={partuuid(6)}", 6),
        (f"/dev/disk/by-uuid/{mirror_uuid(3)}", 3),
        ("/dev/disk/by-label/mirror\\x2droot", 4),
        ("/dev/disk/by-id/virtio-MIRROR-part5", 5),
        ("/dev/vdb4", None),
        ("/dev/mapper/vg-root", None),
        ("LABEL=", None),
        ("UUID=no", None),
    ],
)
def test_specs_resolve_on_the_own_disk_alone(tmp_path: Path, spec: str, number: int | None) -> None:
    part = OwnDisk(disk=make_disk(tmp_path / "disk", TableKind.GPT)).resolve(spec)
    assert (part.number if part else None) == number


def test_kernel_names() -> None:
    assert is_kernel_name("/dev/nvme0n1p2")
    assert not is_kernel_name("/dev/disk/by-id/x")
    assert not is_kernel_name("UUID=x")


def test_a_disk_is_held_against_its_record(tmp_path: Path) -> None:
    disk = make_disk(tmp_path / "disk", TableKind.GPT)
    record = make_record(disk, TableKind.GPT)
    assert [one.severity for one in check_table(disk, record)] == [Severity.OK]
    root = replace(record.root, mirror_uuid="u", mirror_partuuid="p")
    other = replace(record, filesystems=(root,), mirror=replace(record.mirror, table_uuid="t"))
    assert [one.message for one in check_table(disk, other)] == [
        "the table's id is c0c0c0c0-2222-4000-8000-000000000000, recorded is t",
        f"partition 4 (/) has PARTUUID {partuuid(4)}, recorded is p",
        f"partition 4 (/) has UUID {mirror_uuid(4)}, recorded is u",
    ]


CHAIN = (
    Finding(severity=Severity.OK, link="bios", message="fine"),
    Finding(severity=Severity.NOTE, link="fstab", message="hm", file="/etc/fstab"),
    Finding(severity=Severity.ERROR, link="root=", message="[red] gone", file="/boot/x"),
    Finding(severity=Severity.ERROR, link="system", message="no init"),
)


def plain(findings: tuple[Finding, ...], *, only_problems: bool = False) -> tuple[str, ...]:
    return tuple(line.plain for line in finding_lines(findings, only_problems=only_problems))


def test_the_first_broken_link_is_stressed_and_named_at_the_end() -> None:
    assert first_broken(CHAIN) is CHAIN[2]
    assert plain(CHAIN) == (
        "   ok     bios         fine",
        "   note   fstab        /etc/fstab: hm",
        ">> BROKEN root=        /boot/x: [red] gone",
        "   BROKEN system       no init",
        "the first broken link is: root=: /boot/x: [red] gone",
    )
    assert len(plain(CHAIN, only_problems=True)) == 4


def test_a_whole_chain_ends_with_a_good_word() -> None:
    assert plain(CHAIN[:2])[-1] == "the boot chain is intact: 1 links checked"
    assert plain(CHAIN[:1], only_problems=True) == ()


def test_a_terminal_shows_the_words_as_they_are() -> None:
    console = Console(force_terminal=True, color_system="standard", width=200)
    with console.capture() as captured:
        for line in finding_lines(CHAIN):
            console.print(line)
    assert "[red] gone" in captured.get()
    assert "\x1b[1;31m" in captured.get()


def test_a_path_that_can_be_none_is_not_there(tmp_path: Path) -> None:
    tree = Tree(root=tmp_path)
    for path in ("/boot/a\0b", "/" + "n" * 300, "/" + "n/" * 3000):
        assert not tree.is_file(path)
        assert not tree.is_dir(path)


def test_a_carriage_return_in_a_file_stays_one(tmp_path: Path) -> None:
    (tmp_path / "fstab").write_bytes(b"# was\r/dev/vda1 / ext4 defaults\n")
    assert parse_fstab(Tree(root=tmp_path).text("/fstab")) == ()


@pytest.mark.parametrize("separator", ["\f", "\v", "\x1c", "\x85", "\u2028"])
def test_a_line_of_fstab_ends_where_libmount_ends_it(separator: str) -> None:
    assert parse_fstab(f"# was{separator}/dev/vda1 / ext4 defaults\n") == ()
    (entry,) = parse_fstab(f"LABEL=a{separator}b /data ext4 defaults\n")
    assert (entry.spec, entry.target) == (f"LABEL=a{separator}b", "/data")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("search.fs_uuid u-1 root hd0,gpt3\nset prefix=($root)'/grub'\nconfigfile $prefix/grub.cfg",
         Stub(uuid="u-1", config="/grub/grub.cfg")),
        ("search --no-floppy --fs-uuid --set=root u-1\nset prefix=(${root})/boot/grub\n"
         'configfile "${prefix}/grub.cfg"', Stub(uuid="u-1", config="/boot/grub/grub.cfg")),
        ("# search.fs_uuid u-1\nset prefix=($root)/grub\nconfigfile $prefix/grub.cfg", None),
        ("search.fs_uuid u-1 root\nset prefix=($root)/grub\n", None),
        ("search --fs-uuid\nset prefix=($root)/grub\nconfigfile $prefix/grub.cfg",
         Stub(uuid="", config="/grub/grub.cfg")),
    ],
)  # fmt: skip
def test_where_a_stub_goes_on(text: str, found: Stub | None) -> None:
    assert parse_stub(text) == found


def test_a_place_of_strokes_alone_is_the_root() -> None:
    (entry,) = parse_fstab("/dev/vda1 // ext4\n")
    assert entry.target == "/"


def test_what_waits_is_no_text(tmp_path: Path) -> None:
    """A FIFO in the place of fstab, with nobody at its other end, and a link to one."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "fstab").symlink_to("/fifo")
    tree = Tree(root=tmp_path)
    for name in ("/fifo", "/fstab"):
        with pytest.raises(OSError, match="not a regular file"):
            tree.text(name)
