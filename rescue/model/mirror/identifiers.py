"""Identifiers, everything a file can name a block device by, and their map from source to mirror.

This map is the heart of a mirror that boots: one value, made once, stored, and used for fstab,
for every file of the boot, and by the audit that looks for what was forgotten.
"""

from dataclasses import dataclass
from functools import lru_cache

from rescue.text.fstab import LINE
from rescue.text.identifier_scanner import (
    IdentifierScanner,
    Replacements,
    hexed,
    octal,
    split_quotes,
    unoctal,
)

_BY = "/dev/disk/by-"
_FULL_UUID = 36


@dataclass(frozen=True, kw_only=True)
class DeviceNames:
    """The identifiers of one block device; empty where it has none of a kind.

    `paths` are whole paths: '/dev/vda1', '/dev/disk/by-id/virtio-SRC-part1'. Links below
    by-uuid, by-label, by-partuuid and by-partlabel are not listed: they follow from the others.
    `table_uuid` is of a whole disk: the GPT's GUID, or the MBR's signature in 8 digits. `array` is
    the UUID of an md array as mdadm spells it, in four words of eight digits; `grub` is GRUB's name
    of the device: 'hd0,gpt4' (GRUB manual, 'Device syntax').
    """

    uuid: str = ""
    label: str = ""
    partuuid: str = ""
    partlabel: str = ""
    paths: tuple[str, ...] = ()
    table_uuid: str = ""
    array: str = ""
    grub: str = ""


@dataclass(frozen=True, kw_only=True)
class DevicePair:
    """The source's device and the mirror's that takes its place."""

    old: DeviceNames
    new: DeviceNames


@dataclass(frozen=True, kw_only=True)
class IdentifierMap:
    """All pairs of one mirror: the disk itself and each partition."""

    pairs: tuple[DevicePair, ...] = ()

    @property
    def arrays(self) -> tuple[str, ...]:
        """The UUIDs of the source's arrays that the mirror has not."""
        gone = (pair.old.array for pair in self.pairs if not pair.new.array)
        return tuple(dict.fromkeys(filter(None, gone)))

    def inverted(self) -> "IdentifierMap":
        """Return the map of the other direction: from the mirror's to the source's."""
        return IdentifierMap(
            pairs=tuple(DevicePair(old=pair.new, new=pair.old) for pair in self.pairs)
        )

    def translate(self, text: str) -> str:
        """Return the text of any boot file with each identifier replaced by the mirror's.

        Tags (UUID=, LABEL=, PARTUUID=, PARTLABEL=, ID=), bare UUIDs, paths below /dev, systemd's
        unit names of them, and what GRUB's `search --label` is given. An identifier counts only
        as a whole token. Everything is replaced at once; the rest of the text is untouched.
        """
        parts, done = [], 0
        for word in _scanner(self).scan(text):
            parts += [text[done : word.start], word.replacement]
            done = word.end
        return "".join((*parts, text[done:]))

    def translate_fstab(self, text: str) -> str:
        """Return an fstab (man 5 fstab) whose lines name the mirror's devices.

        Comments, order and white space stay; only the first field is translated, and device
        names among the options ('x-systemd.requires=/dev/vda1').
        """
        return "\n".join(self._fstab_line(line) for line in text.split("\n"))

    def find_old(self, text: str) -> tuple[str, ...]:
        """Return the source's identifiers in the text, as spelled there, each once, in order."""
        return tuple(dict.fromkeys(word.text for word in _scanner(self).scan(text)))

    def same_length(self) -> dict[bytes, bytes]:
        """Return old and new UUID, PARTUUID and table id, where both are equally long.

        In lower and in upper case, for what can only be replaced in place.
        """
        words: dict[bytes, bytes] = {}
        for pair in self.pairs:
            for old, new in (
                (pair.old.uuid, pair.new.uuid),
                (pair.old.partuuid, pair.new.partuuid),
                (pair.old.table_uuid, pair.new.table_uuid),
            ):
                # Shorter ones (a vfat's, an MBR's) could be in any binary by chance.
                if len(old) == len(new) == _FULL_UUID and old != new:
                    words.setdefault(old.lower().encode(), new.lower().encode())
                    words.setdefault(old.upper().encode(), new.upper().encode())
        return words

    def _fstab_line(self, line: str) -> str:
        match = LINE.fullmatch(line)
        if match is None:
            return line
        part = match.groupdict(default="")
        return "".join(
            (
                part["indent"],
                self._fstab_spec(part["spec"]),
                part["target"],
                part["fstype"],
                part["gap"],
                self.translate(part["options"]),
                part["rest"],
            )
        )

    def _fstab_spec(self, spec: str) -> str:
        """Translate a first field; it is one token, whatever characters a label in it has.

        It may be spelled in octal where that is not needed, and is known by what it means then.
        """
        scanner, plain = _scanner(self), unoctal(spec)
        tag, equals, value = spec.partition("=")
        if not equals or spec.startswith("/"):
            known = scanner.replacements.paths
            return known.get(spec) or known.get(plain) or self._by_uuid(spec)
        quote, bare = split_quotes(value)
        return scanner.tag(tag, bare, quote) or scanner.tag(tag, unoctal(bare), quote) or spec

    def _by_uuid(self, spec: str) -> str:
        """Translate a path whose UUID is spelled in another case than udev's."""
        return self.translate(spec) if spec.startswith((f"{_BY}uuid/", f"{_BY}partuuid/")) else spec


@lru_cache(maxsize=8)
def _scanner(identifiers: IdentifierMap) -> IdentifierScanner:
    """Compile the map; a run asks the same one for some hundred files."""
    replacements = Replacements()
    for pair in identifiers.pairs:
        _add_ids(replacements, pair.old, pair.new)
        _add_array(replacements, pair.old, pair.new)
        _add_labels(replacements, pair.old, pair.new)
        _add_paths(replacements, pair.old, pair.new)
    return replacements.compiled()


def _add_ids(replacements: Replacements, old: DeviceNames, new: DeviceNames) -> None:
    """Add UUID, PARTUUID and table id, bare and as tags; each to its own kind where it can.

    A partition that the mirror leaves empty has no UUID: then its PARTUUID stands in, which at
    least never names the source.
    """
    if old.uuid and old.uuid != new.uuid:
        bare = new.uuid or new.partuuid or old.uuid
        replacements.ids.setdefault(old.uuid.lower(), bare)
        replacements.tags.setdefault(("UUID", old.uuid.lower()), _tag(new) or ("UUID", old.uuid))
    if old.partuuid and old.partuuid != new.partuuid:
        tag = ("PARTUUID", new.partuuid) if new.partuuid else _tag(new)
        replacements.ids.setdefault(old.partuuid.lower(), new.partuuid or new.uuid or old.partuuid)
        replacements.tags.setdefault(
            ("PARTUUID", old.partuuid.lower()), tag or ("PARTUUID", old.partuuid)
        )
    if old.table_uuid and old.table_uuid != new.table_uuid:
        replacements.ids.setdefault(old.table_uuid.lower(), new.table_uuid or old.table_uuid)


def _add_array(replacements: Replacements, old: DeviceNames, new: DeviceNames) -> None:
    """Add an array's UUID, as mdadm, GRUB and libblkid spell it.

    Where GRUB looked for the array it is told the partition; it is a hint, and `search` goes on
    where that is not true. Where mdadm's spelling is left (rd.md.uuid=), it names nothing any more.
    """
    if old.array and not new.array:
        device = new.grub or new.uuid or new.partuuid or old.array
        replacements.ids.setdefault(f"mduuid/{_plain(old.array)}", device)
        digits = _plain(old.array)
        parts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
        for spelled in (digits, old.array.lower(), "-".join(parts)):
            replacements.ids.setdefault(spelled, new.uuid or new.partuuid or old.array)
            replacements.tags.setdefault(("UUID", spelled), _tag(new) or ("UUID", old.array))


def _plain(array: str) -> str:
    return array.replace(":", "").lower()


def _add_labels(replacements: Replacements, old: DeviceNames, new: DeviceNames) -> None:
    """Add the label and the partition's name, in each way that files escape them.

    Partitions have the same names on both disks, so that a PARTLABEL names either: it becomes
    the mirror's PARTUUID.
    """
    if old.label and old.label != new.label:
        replacements.labels.setdefault(
            old.label, new.label or new.uuid or new.partuuid or old.label
        )
        for spell in (str, octal, hexed, _octal_hexed):
            tag = ("LABEL", spell(new.label)) if new.label else _tag(new)
            replacements.tags.setdefault(
                ("LABEL", spell(old.label)), tag or ("LABEL", spell(old.label))
            )
    if old.partlabel and old.partuuid != new.partuuid:
        tag = ("PARTUUID", new.partuuid) if new.partuuid else _tag(new)
        for spell in (str, octal, hexed, _octal_hexed):
            spelled = spell(old.partlabel)
            replacements.tags.setdefault(("PARTLABEL", spelled), tag or ("PARTLABEL", spelled))


def _add_paths(replacements: Replacements, old: DeviceNames, new: DeviceNames) -> None:
    """Add every path to the device; the new one is stable, whatever the old one was."""
    best = _path(new)
    by_partuuid = f"{_BY}partuuid/{new.partuuid}" if new.partuuid else best
    by_label = f"{_BY}label/{hexed(new.label)}" if new.label else best
    links = {path: best for path in old.paths if path not in new.paths}
    if old.uuid and old.uuid != new.uuid:
        links[f"{_BY}uuid/{old.uuid}"] = best
    if old.partuuid and old.partuuid != new.partuuid:
        links[f"{_BY}partuuid/{old.partuuid}"] = by_partuuid
    if old.label and old.label != new.label:
        links[f"{_BY}label/{hexed(old.label)}"] = by_label
    if old.partlabel and old.partuuid != new.partuuid:
        links[f"{_BY}partlabel/{hexed(old.partlabel)}"] = by_partuuid
    for link, replacement in links.items():
        replacements.paths.setdefault(link, replacement or link)
        replacements.paths.setdefault(octal(link), octal(replacement or link))
        if link.startswith(f"{_BY}id/"):
            name = replacement.removeprefix(f"{_BY}id/")
            tag = ("ID", name) if name != replacement else _tag(new)
            known = link.removeprefix(f"{_BY}id/")
            replacements.tags.setdefault(("ID", known), tag or ("ID", known))


def _tag(new: DeviceNames) -> tuple[str, str] | None:
    """Return the best tag for a device, or None where it has nothing to be tagged by."""
    if new.uuid:
        return "UUID", new.uuid
    return ("PARTUUID", new.partuuid) if new.partuuid else None


def _path(new: DeviceNames) -> str:
    """Return the best path for a device: it holds after the next boot, too."""
    if new.uuid:
        return f"{_BY}uuid/{new.uuid}"
    if new.partuuid:
        return f"{_BY}partuuid/{new.partuuid}"
    # A map that was inverted also knows the name that the kernel gave once: never the best one.
    stable = (path for path in new.paths if path.startswith(f"{_BY}id/"))
    return next(stable, new.paths[0] if new.paths else "")


def _octal_hexed(text: str) -> str:
    return octal(hexed(text))
