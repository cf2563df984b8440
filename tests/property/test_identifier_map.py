"""For any devices and any text: nothing of the source is left, and nothing else is touched."""

import string
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from rescue.model.mirror.identifiers import DeviceNames, DevicePair, IdentifierMap
from rescue.text.identifier_scanner import hexed, octal

# Labels as people give them; those of the mirror are made of characters no file escapes.
LABELS = st.text(
    alphabet=string.ascii_letters + string.digits + " _-.,:/\\#=+@äß漢", min_size=1, max_size=16
).filter(lambda label: not label.isspace())
PLAIN = "".join(sorted(set(string.printable) - set("\x0b\x0c\r")))


@dataclass(frozen=True)
class Device:
    """One partition of a generated source, and the map's pair for it."""

    number: int
    pair: DevicePair

    def spellings(self) -> list[str]:
        """Return the ways in which a file names the source's partition."""
        old = self.pair.old
        label = old.label
        return [
            f"UUID={old.uuid}",
            f'UUID="{old.uuid}"',
            f"{old.uuid}",
            f"/dev/disk/by-uuid/{old.uuid}",
            f"PARTUUID={old.partuuid}",
            f"/dev/disk/by-partuuid/{old.partuuid.upper()}",
            f"LABEL={octal(label)}",
            f"LABEL={hexed(label)}",
            f'LABEL="{label}"',
            f"/dev/disk/by-label/{hexed(label)}",
            f"PARTLABEL={octal(old.partlabel)}",
            f"/dev/disk/by-partlabel/{hexed(old.partlabel)}",
            *old.paths,
        ]


def _full(kind: int, number: int, salt: int) -> str:
    return f"{kind:08x}-{salt:04x}-4000-8000-{number:012x}"


@st.composite
def sources(draw: st.DrawFn) -> tuple[IdentifierMap, list[Device]]:
    """Draw a disk with some partitions and the map to its mirror."""
    salt = draw(st.integers(0, 0xFFFF))
    labels = draw(st.lists(LABELS, min_size=1, max_size=6, unique=True))
    mbr, vfat = draw(st.booleans()), draw(st.booleans())
    stem = draw(st.sampled_from(["/dev/vda", "/dev/sda", "/dev/nvme10n1p", "/dev/mmcblk0p"]))
    devices = []
    for number, label in enumerate(labels, start=1):
        short = vfat and number == 1
        old = DeviceNames(
            uuid=f"{0xA000 + number:04X}-{salt:04X}" if short else _full(0xA, number, salt),
            label=label,
            partuuid=f"aaaa{salt:04x}-{number:02x}" if mbr else _full(0xB, number, salt),
            partlabel=draw(LABELS),
            paths=(f"{stem}{number}", f"/dev/disk/by-id/ata-A_{salt}-part{number}"),
        )
        empty = draw(st.booleans())
        new = DeviceNames(
            uuid="" if empty else _full(0xC, number, salt),
            label="" if empty else f"m-{number}-{salt:04x}",
            partuuid=f"cccc{salt:04x}-{number:02x}" if mbr else _full(0xD, number, salt),
            partlabel=old.partlabel,
            paths=(f"/dev/disk/by-id/ata-M_{salt}-part{number}",),
        )
        devices.append(Device(number, DevicePair(old=old, new=new)))
    disk = DevicePair(
        old=DeviceNames(table_uuid=f"aaaa{salt:04x}", paths=(f"/dev/disk/by-id/ata-A_{salt}",)),
        new=DeviceNames(table_uuid=f"cccc{salt:04x}", paths=(f"/dev/disk/by-id/ata-M_{salt}",)),
    )
    return IdentifierMap(pairs=(disk, *(device.pair for device in devices))), devices


@st.composite
def texts(draw: st.DrawFn) -> tuple[IdentifierMap, str]:
    """Draw a map, and a text in which the source is named between other words."""
    ids, devices = draw(sources())
    spellings = [each for device in devices for each in device.spellings()]
    words = st.one_of(st.sampled_from(spellings), st.text(alphabet=PLAIN, max_size=12))
    return ids, draw(st.sampled_from([" ", "\n", "\t"])).join(draw(st.lists(words, max_size=12)))


@given(texts())
def test_after_translation_nothing_of_the_source_is_found(drawn: tuple[IdentifierMap, str]) -> None:
    ids, text = drawn
    assert ids.find_old(ids.translate(text)) == ()


@given(texts())
def test_translation_is_done_once(drawn: tuple[IdentifierMap, str]) -> None:
    ids, text = drawn
    once = ids.translate(text)
    assert ids.translate(once) == once


@given(texts())
def test_a_text_changes_exactly_where_it_names_the_source(
    drawn: tuple[IdentifierMap, str],
) -> None:
    ids, text = drawn
    assert (ids.translate(text) != text) == bool(ids.find_old(text))


@given(sources(), st.data())
def test_each_spelling_is_found_wherever_it_stands(
    drawn: tuple[IdentifierMap, list[Device]], data: st.DataObject
) -> None:
    ids, devices = drawn
    word = data.draw(st.sampled_from([s for device in devices for s in device.spellings()]))
    before = data.draw(st.sampled_from(["", " ", "\n", "root=", '"', "(", "x-systemd.requires="]))
    after = data.draw(st.sampled_from(["", " ro", "\n", "'", ")"]))
    assert ids.find_old(f"{before}{word}{after}")


@given(sources(), st.data())
def test_a_longer_token_is_another_device(
    drawn: tuple[IdentifierMap, list[Device]], data: st.DataObject
) -> None:
    ids, devices = drawn
    old = data.draw(st.sampled_from(devices)).pair.old
    tail = data.draw(st.text(alphabet="0123456789abcdef", min_size=1, max_size=4))
    for word in (old.uuid, old.partuuid):
        assert ids.find_old(f"{word}{tail}") == ()
        assert ids.find_old(f"{tail}{word}") == ()
    assert ids.find_old(f"{old.paths[0]}{tail}") == ()


@given(st.text(alphabet=PLAIN + "äß漢"))
def test_a_text_without_identifiers_is_not_touched(text: str) -> None:
    ids = IdentifierMap(
        pairs=(
            DevicePair(
                old=DeviceNames(
                    uuid=_full(1, 1, 1), label="a very own label", paths=("/dev/vdq7",)
                ),
                new=DeviceNames(uuid=_full(2, 2, 2), label="m"),
            ),
        )
    )
    assert ids.translate(text) == text
    assert ids.translate_fstab(text) == text


FIELD = st.text(alphabet=string.ascii_letters + string.digits + "/=,.-_\\#", min_size=1, max_size=9)
GAP = st.text(alphabet=" \t", min_size=1, max_size=4)


@st.composite
def fstabs(draw: st.DrawFn) -> tuple[IdentifierMap, list[str], str]:
    """Draw a map and an fstab: comments, blank lines, lines of the source's and of others'."""
    ids, devices = draw(sources())
    specs = [
        spelling
        for device in devices
        for spelling in device.spellings()
        if " " not in spelling and spelling.startswith(("/dev", "UUID", "LABEL", "PART"))
    ]
    lines = []
    for _ in range(draw(st.integers(0, 6))):
        spec = draw(st.one_of(st.sampled_from(specs), FIELD))
        fields = [spec, f"/{draw(FIELD)}", "ext4", draw(st.sampled_from(["defaults", "ro,x=/y"]))]
        lines.append(
            draw(
                st.one_of(
                    st.just("".join(f"{field}{draw(GAP)}" for field in fields) + "0 2"),
                    st.just(f"  # {spec} was here"),
                    st.sampled_from(["", "   ", "#", "lonely"]),
                )
            )
        )
    return ids, specs, "\n".join(lines)


@settings(max_examples=200)
@given(fstabs())
def test_an_fstab_keeps_lines_comments_gaps_and_the_other_fields(
    drawn: tuple[IdentifierMap, list[str], str],
) -> None:
    ids, specs, text = drawn
    old_lines, new_lines = text.split("\n"), ids.translate_fstab(text).split("\n")
    assert len(old_lines) == len(new_lines)
    for old, new in zip(old_lines, new_lines, strict=True):
        if old.lstrip().startswith("#") or len(old.split()) < 2:
            assert new == old
        else:
            assert new.split()[1:] == old.split()[1:]
            first_old, first_new = old.split()[0], new.split()[0]
            assert new == old.replace(first_old, first_new, 1)
            if first_old in specs:
                assert first_new != first_old
                assert ids.find_old(first_new) == ()
