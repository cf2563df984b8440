"""The identifier map on the files of a real boot: each spelling, and what only looks like one."""

import pytest

from rescue.model.mirror.identifiers import DeviceNames, DevicePair, IdentifierMap
from rescue.model.mirror.record import RECORD_VERSION, MirrorRecord
from rescue.store.codec import from_json, to_json
from tests.builders import enrolled

ROOT = "50bce000-0000-4000-8000-000000000004"
TWIN = "f7e50008-0000-4000-8000-000000000008"
NTFS = "50BCE0000000AAAA"

IDS = IdentifierMap(
    pairs=(
        DevicePair(
            old=DeviceNames(
                table_uuid="5eedbeef", paths=("/dev/vda", "/dev/disk/by-id/virtio-SRC")
            ),
            new=DeviceNames(table_uuid="cafe0001", paths=("/dev/disk/by-id/virtio-MIR",)),
        ),
        DevicePair(
            old=DeviceNames(
                uuid=ROOT,
                label="my root",
                partuuid="5eedbeef-01",
                partlabel="Debian root",
                paths=("/dev/vda1", "/dev/disk/by-id/virtio-SRC-part1"),
            ),
            new=DeviceNames(
                uuid=TWIN, label="my_root-f7e5", partuuid="cafe0001-01", partlabel="Debian root"
            ),
        ),
        DevicePair(
            old=DeviceNames(uuid="50BC-E002", label="ESP", partuuid="5eedbeef-02"),
            new=DeviceNames(uuid="F7E5-0002", label="ESP-F7E5", partuuid="cafe0001-02"),
        ),
        DevicePair(
            old=DeviceNames(uuid=NTFS, label="Windows", partuuid="5eedbeef-03"),
            new=DeviceNames(partuuid="cafe0001-03"),
        ),
        DevicePair(
            old=DeviceNames(uuid="same-uuid", label="same", partuuid="same-part"),
            new=DeviceNames(uuid="same-uuid", label="same", partuuid="same-part"),
        ),
    )
)

SPELLINGS = [
    (f"UUID={ROOT}", f"UUID={TWIN}"),
    (f'UUID="{ROOT}"', f'UUID="{TWIN}"'),
    (f"root=UUID={ROOT.upper()}", f"root=UUID={TWIN}"),
    (f"search.fs_uuid {ROOT} root hd0,gpt4", f"search.fs_uuid {TWIN} root hd0,gpt4"),
    (f"'gnulinux-advanced-{ROOT}'", f"'gnulinux-advanced-{TWIN}'"),
    (f"saved_entry=gnulinux-{ROOT}>x-{ROOT}", f"saved_entry=gnulinux-{TWIN}>x-{TWIN}"),
    (f"/dev/disk/by-uuid/{ROOT}", f"/dev/disk/by-uuid/{TWIN}"),
    ("--fs-uuid 50BC-E002", "--fs-uuid F7E5-0002"),
    ("UUID=50bc-e002", "UUID=F7E5-0002"),
    ("'osprober-efi-50BC-E002'", "'osprober-efi-F7E5-0002'"),
    ("PARTUUID=5EEDBEEF-01", "PARTUUID=cafe0001-01"),
    ("root=PARTUUID=5eedbeef-01/PARTNROFF=1", "root=PARTUUID=cafe0001-01/PARTNROFF=1"),
    ("/dev/disk/by-partuuid/5eedbeef-01", "/dev/disk/by-partuuid/cafe0001-01"),
    ("label-id: 0x5eedbeef", "label-id: 0xcafe0001"),
    ("signature 5EEDBEEF.", "signature cafe0001."),
    ("LABEL=ESP", "LABEL=ESP-F7E5"),
    ('root=LABEL="my root" ro', 'root=LABEL="my_root-f7e5" ro'),
    ("root=LABEL='my root'", "root=LABEL='my_root-f7e5'"),
    (r"LABEL=my\040root", "LABEL=my_root-f7e5"),
    (r"LABEL=my\x20root", "LABEL=my_root-f7e5"),
    (r"/dev/disk/by-label/my\x20root", "/dev/disk/by-label/my_root-f7e5"),
    (r"/dev/disk/by-label/my\134x20root", "/dev/disk/by-label/my_root-f7e5"),
    ("search --no-floppy --label --set=root ESP", "search --no-floppy --label --set=root ESP-F7E5"),
    ('search -l "my root" --set root', 'search -l "my_root-f7e5" --set root'),
    ("if x; then search.fs_label ESP root; fi", "if x; then search.fs_label ESP-F7E5 root; fi"),
    (r"PARTLABEL=Debian\040root", "PARTUUID=cafe0001-01"),
    ('PARTLABEL="Debian root"', 'PARTUUID="cafe0001-01"'),
    (r"/dev/disk/by-partlabel/Debian\x20root", "/dev/disk/by-partuuid/cafe0001-01"),
    ("root=/dev/vda1 ro", f"root=/dev/disk/by-uuid/{TWIN} ro"),
    ("(/dev/vda1)", f"(/dev/disk/by-uuid/{TWIN})"),
    ("cryptdevice=/dev/vda1:root", f"cryptdevice=/dev/disk/by-uuid/{TWIN}:root"),
    ("/dev/disk/by-id/virtio-SRC-part1", f"/dev/disk/by-uuid/{TWIN}"),
    ("ID=virtio-SRC-part1", f"UUID={TWIN}"),
    ("(hd0)\t/dev/disk/by-id/virtio-SRC", "(hd0)\t/dev/disk/by-id/virtio-MIR"),
    ("Value: /dev/vda, /dev/sdx", "Value: /dev/disk/by-id/virtio-MIR, /dev/sdx"),
    ("dev=/dev/vda,/dev/vda1", f"dev=/dev/disk/by-id/virtio-MIR,/dev/disk/by-uuid/{TWIN}"),
    # What the mirror leaves empty has a PARTUUID only; that never names the source.
    (f"UUID={NTFS}", "PARTUUID=cafe0001-03"),
    (f"/dev/disk/by-uuid/{NTFS}", "/dev/disk/by-partuuid/cafe0001-03"),
    ("LABEL=Windows", "PARTUUID=cafe0001-03"),
]


ARRAY = "1F2E3D4C:5b6a7988:97a6b5c4:d3e2f101"
ARRAY_OF_GRUB = ARRAY.replace(":", "").lower()
MEMBER = IdentifierMap(
    pairs=(
        DevicePair(
            old=DeviceNames(
                uuid=ROOT,
                array=ARRAY,
                paths=(
                    "/dev/md1",
                    "/dev/md/root",
                    "/dev/disk/by-id/md-name-server:root",
                    f"/dev/disk/by-id/md-uuid-{ARRAY}",
                ),
            ),
            new=DeviceNames(uuid=TWIN, partuuid="cafe0001-03", grub="hd0,gpt3"),
        ),
    )
)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("root=/dev/md1 ro", f"root=/dev/disk/by-uuid/{TWIN} ro"),
        ("/dev/md/root", f"/dev/disk/by-uuid/{TWIN}"),
        ("/dev/disk/by-id/md-name-server:root", f"/dev/disk/by-uuid/{TWIN}"),
        (f"/dev/disk/by-id/md-uuid-{ARRAY}", f"/dev/disk/by-uuid/{TWIN}"),
        ("ID=md-name-server:root", f"UUID={TWIN}"),
        ("dev-md1.device", rf"dev-disk-by\x2duuid-{TWIN.replace('-', chr(92) + 'x2d')}.device"),
        (f"set root='mduuid/{ARRAY_OF_GRUB}'", "set root='hd0,gpt3'"),
        (
            f"search --no-floppy --fs-uuid --set=root --hint='mduuid/{ARRAY_OF_GRUB}' {ROOT}",
            f"search --no-floppy --fs-uuid --set=root --hint='hd0,gpt3' {TWIN}",
        ),
        (f"rd.md.uuid={ARRAY.lower()}", f"rd.md.uuid={TWIN}"),
    ],
)
def test_an_array_becomes_the_mirror_s_partition(old: str, new: str) -> None:
    assert MEMBER.translate(old) == new
    assert MEMBER.find_old(old)
    assert MEMBER.find_old(new) == ()


def test_the_arrays_that_a_mirror_leaves_behind_are_known() -> None:
    assert MEMBER.arrays == (ARRAY,)
    assert MEMBER.inverted().arrays == ()
    assert IDS.arrays == ()


@pytest.mark.parametrize("text", ["/dev/md10", "/dev/md1p1", "/dev/md/root2", "insmod mdraid1x"])
def test_other_arrays_are_left_alone(text: str) -> None:
    assert MEMBER.translate(text) == text


@pytest.mark.parametrize(("old", "new"), SPELLINGS)
def test_each_spelling_becomes_the_mirror_s(old: str, new: str) -> None:
    assert IDS.translate(old) == new
    assert IDS.find_old(old)
    assert IDS.find_old(new) == ()


def test_systemd_s_unit_names_of_devices() -> None:
    escaped_root, escaped_twin = ROOT.replace("-", r"\x2d"), TWIN.replace("-", r"\x2d")
    text = rf"After=dev-vda1.device dev-disk-by\x2duuid-{escaped_root}.swap dev-vda10.device"
    new = rf"dev-disk-by\x2duuid-{escaped_twin}"
    assert IDS.translate(text) == f"After={new}.device {new}.swap dev-vda10.device"


@pytest.mark.parametrize(
    "text",
    [
        "/dev/vda10",
        "/dev/vdaa",
        "/mnt/dev/vda1",
        "./dev/vda",
        "/dev/vda1/x",
        "/dev/disk/by-id/virtio-SRC-part10",
        "/dev/disk/by-id/virtio-SRC2",
        f"{ROOT}0",
        f"a{ROOT}",
        "50BC-E0022",
        "x50BC-E002",
        "50BC-E002-1",
        "1-50BC-E002",
        "5eedbeef-011",
        "5eedbeef0",
        "a5eedbeef",
        "LABEL=ESP2",
        "LABEL=ESP-old",
        "LABEL=ESP.bak",
        "LABEL=esp",
        "MYLABEL=ESP",
        "PARTLABEL=ESP",
        "search --fs-uuid --set=root ESP",
        "search --label other --set=ESP",
        "the ESP is mounted",
        "menuentry 'Debian root'",
        "set root='hd0,gpt4'",
        "UUID=same-uuid LABEL=same PARTUUID=same-part",
        "",
    ],
)
def test_what_only_looks_like_one_is_left_alone(text: str) -> None:
    assert IDS.translate(text) == text
    assert IDS.find_old(text) == ()


def test_everything_is_replaced_at_once() -> None:
    one, two, three = (f"{digit * 8}-0000-4000-8000-000000000000" for digit in "123")
    chain = IdentifierMap(
        pairs=(
            DevicePair(old=DeviceNames(uuid=one), new=DeviceNames(uuid=two)),
            DevicePair(old=DeviceNames(uuid=two), new=DeviceNames(uuid=three)),
        )
    )
    assert chain.translate(f"UUID={one} UUID={two}") == f"UUID={two} UUID={three}"


def test_identifiers_are_found_once_and_in_order() -> None:
    text = f"/dev/vda1 UUID={ROOT} /dev/vda1 LABEL=ESP"
    assert IDS.find_old(text) == ("/dev/vda1", f"UUID={ROOT}", "LABEL=ESP")


def test_an_empty_map_changes_nothing() -> None:
    empty = IdentifierMap(pairs=(DevicePair(old=DeviceNames(), new=DeviceNames()),))
    text = f"UUID={ROOT} search --label x\n/dev/vda = 0x"
    assert (empty.translate(text), empty.find_old(text)) == (text, ())


FSTAB = f"""\
# / was on /dev/vda1 during installation, UUID={ROOT}
UUID={ROOT} /               ext4    errors=remount-ro 0       1
\tLABEL=my\\040root\t/srv/my\\040files\text4\tx-systemd.requires=/dev/vda,noatime\t0\t2  # {ROOT}
/dev/vda1 /mnt/{ROOT} ext4 defaults 0 0
UUID=50bc-e002  /boot/efi       vfat    umask=0077      0       1
LABEL=ESP,2 /other ext4 noauto
//nas/5eedbeef-01 /nas cifs credentials=/root/c,_netdev 0 0
/srv/my\\040files /bind none bind
tmpfs	/var/spool/scratch	tmpfs	size=16m,mode=1777,nosuid	0	0

   #LABEL=ESP	/mnt/backup	ext4	nofail,x-systemd.device-timeout=5s	0	2
/dev/vda1"""

NEW_FSTAB = f"""\
# / was on /dev/vda1 during installation, UUID={ROOT}
UUID={TWIN} /               ext4    errors=remount-ro 0       1
\tLABEL=my_root-f7e5\t/srv/my\\040files\text4\tx-systemd.requires=/dev/disk/by-id/virtio-MIR,noatime\t0\t2  # {ROOT}
/dev/disk/by-uuid/{TWIN} /mnt/{ROOT} ext4 defaults 0 0
UUID=F7E5-0002  /boot/efi       vfat    umask=0077      0       1
LABEL=ESP,2 /other ext4 noauto
//nas/5eedbeef-01 /nas cifs credentials=/root/c,_netdev 0 0
/srv/my\\040files /bind none bind
tmpfs	/var/spool/scratch	tmpfs	size=16m,mode=1777,nosuid	0	0

   #LABEL=ESP	/mnt/backup	ext4	nofail,x-systemd.device-timeout=5s	0	2
/dev/vda1"""  # noqa: E501


def test_an_fstab_keeps_everything_but_its_devices() -> None:
    assert IDS.translate_fstab(FSTAB) == NEW_FSTAB
    assert IDS.translate_fstab(NEW_FSTAB) == NEW_FSTAB


def test_an_fstab_with_carriage_returns_keeps_them() -> None:
    assert IDS.translate_fstab(f"UUID={ROOT} / ext4\r\n") == f"UUID={TWIN} / ext4\r\n"


def test_a_record_with_its_map_comes_back_from_json() -> None:
    record = enrolled().record
    again = from_json(to_json(record), MirrorRecord, known_version=RECORD_VERSION, where="record")
    assert again == record
    text = "root=UUID=50bce000-0000-4000-8000-000000000004"
    assert again.identifiers.translate(text) == record.identifiers.translate(text) != text


@pytest.mark.parametrize("spelled", ["LABEL=Hör", r"LABEL=H\303\266r", r'LABEL="H\303\266r"'])
def test_a_label_in_fstab_is_known_in_octal_too(spelled: str) -> None:
    names = DevicePair(
        old=DeviceNames(uuid="old-uuid", label="Hör"), new=DeviceNames(uuid="new", label="Hor-1")
    )
    line = f"{spelled} /srv/H\\303\\266r ext4 defaults 0 2"
    fresh = IdentifierMap(pairs=(names,)).translate_fstab(line)
    assert fresh.replace('"', "").startswith("LABEL=Hor-1 /srv/H\\303\\266r ")


@pytest.mark.parametrize("odd", ["\u2028", "\xa0", "\x0c"])
def test_a_label_in_fstab_ends_at_a_blank_alone(odd: str) -> None:
    pair = DevicePair(old=DeviceNames(uuid=ROOT, label=f"my{odd}root"), new=DeviceNames(uuid=TWIN))
    ids = IdentifierMap(pairs=(pair,))
    text = f"LABEL=my{odd}root / ext4 defaults 0 1\n"
    assert ids.translate_fstab(text) == f"UUID={TWIN} / ext4 defaults 0 1\n"


def test_letters_that_only_python_takes_for_others_are_no_identifier() -> None:
    # A long s and the Kelvin sign: their lower case is that of s and k, where case is ignored.
    pv = "2Ts2Zk-sssk-kkks-ssss-kkkk-ssss-kTs2Zk"
    pair = DevicePair(old=DeviceNames(uuid=pv), new=DeviceNames(uuid=TWIN))
    ids = IdentifierMap(pairs=(pair,))
    for letter, odd in (("s", "\u017f"), ("k", "\u212a")):
        text = f" {pv.replace(letter, odd)} "
        assert ids.translate(text) == text
    assert ids.translate(f" {pv} UUID={pv.upper()} ") == f" {TWIN} UUID={TWIN} "
