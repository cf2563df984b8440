"""The scanner for identifiers in text: tags, paths, bare UUIDs, unit names, GRUB's searches.

One pass over a text finds all of them, so that an identifier that was just written is never
taken for another device's old one.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

FULL_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

# What may stand behind a label that is not in quotes: labels hold nearly any other character.
_LABEL_END = r"""(?=$|[\s"'`,:;)\]}>|&])"""
_ID_END = r"(?![0-9A-Za-z-])"
_PATH_START = r"(?<![\w./+@-])"
_PATH_END = r"(?![\w/+@#%=-]|\.\w|\\x|\\[0-7])"
# os-prober names GRUB's menu entries after the short id of a vfat file system.
_SHORT_START = r"(?:(?<![\w-])(?:0x)?|(?<=osprober-efi-)|(?<=osprober-chain-))"
_SEARCH = re.compile(r"(?<![\w.-])search(?:\.fs_label)?[ \t][^\n;]*")
_BY_LABEL = re.compile(r"search\.fs_label[ \t]|[ \t](?:--label|-l)(?![^ \t])")
_QUOTES = "\"'"


def octal(text: str) -> str:
    """Return the text as fstab spells it: white space and backslash in octal (man 5 fstab)."""
    return "".join(f"\\{ord(char):03o}" if char in " \t\n\\" else char for char in text)


def unoctal(text: str) -> str:
    """Undo the octal escapes of fstab and the kernel's tables, which encode bytes, not letters.

    '\\040' is a blank, '\\303\\266' an o-umlaut in UTF-8; bytes that are not UTF-8 are kept.
    """
    data = re.sub(
        rb"\\([0-7]{3})",
        lambda found: bytes([int(found[1], 8) & 0xFF]),
        text.encode("utf-8", "surrogateescape"),
    )
    return data.decode("utf-8", "surrogateescape")


def hexed(text: str) -> str:
    """Return the text as udev spells it in links and systemd in by-label paths: '\\x20'."""
    return "".join(
        char if char.isalnum() or char in "#+-.:=@_" or ord(char) > 127 else f"\\x{ord(char):02x}"
        for char in text
    )


def unit_name(path: str) -> str:
    """Return a path as systemd names its unit, without suffix (man 1 systemd-escape, --path)."""
    words = [word for word in path.split("/") if word]
    if not words:
        return "-"
    name = "-".join(
        "".join(c if re.fullmatch(r"[0-9A-Za-z:_.]", c) else _bytes(c) for c in word)
        for word in words
    )
    return f"\\x2e{name[1:]}" if name.startswith(".") else name


def _bytes(char: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in char.encode("utf-8", "surrogateescape"))


@dataclass(frozen=True, kw_only=True)
class Word:
    """One place in a text that names a known device, and its replacement."""

    start: int
    end: int
    text: str
    replacement: str


@dataclass(frozen=True)
class Replacements:
    """All old spellings with their new ones; fill it first, then compile it once.

    `tags` maps (tag, value) to (tag, value), both as spelled; `ids` are bare and in lower case;
    `labels` are what GRUB's `search --label` is given.
    """

    paths: dict[str, str] = field(default_factory=dict)
    tags: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)

    def compiled(self) -> "IdentifierScanner":
        """Return what finds these words in texts."""
        units = {unit_name(old): unit_name(new) for old, new in self.paths.items()}
        words = "|".join(
            filter(None, (_units(units), _paths(self.paths), self._tags(), self._ids()))
        )
        labels = _one_of(self.labels)
        label = rf"(?P<label>(?<=[ \t])(?:{labels}|\"(?:{labels})\"|'(?:{labels})')(?=[ \t]|$))"
        search = "|".join(filter(None, (label if labels else "", words)))
        return IdentifierScanner(
            replacements=self,
            units=units,
            words=re.compile(words or r"(?!)"),
            search=re.compile(search or r"(?!)"),
        )

    def _tags(self) -> str:
        """Return the branch for 'TAG=value', the value bare or in quotes."""
        branches = []
        for tag in ("PARTUUID", "UUID", "PARTLABEL", "LABEL", "ID"):
            values = [value for known, value in self.tags if known == tag]
            bare = _one_of(value for value in values if not re.search(r"\s", value))
            if not values:
                continue
            every, end = _one_of(values), _ID_END if tag.endswith("UUID") else _LABEL_END
            choice = "|".join(
                filter(
                    None,
                    (rf'"(?:{every})"', rf"'(?:{every})'", rf"(?:{bare}){end}" if bare else ""),
                )
            )
            branches.append(
                f"{tag}=(?ai:{choice})" if tag.endswith("UUID") else f"{tag}=(?:{choice})"
            )
        return rf"(?P<tag>(?<![0-9A-Za-z_])(?:{'|'.join(branches)}))" if branches else ""

    def _ids(self) -> str:
        """Return the branch for bare ids.

        A full UUID counts wherever no letter or digit touches it, since GRUB makes menu ids such
        as 'gnulinux-advanced-UUID'; the short ids of vfat and MBR only as whole tokens.
        """
        full = _one_of(each for each in self.ids if FULL_UUID.fullmatch(each))
        short = _one_of(each for each in self.ids if not FULL_UUID.fullmatch(each))
        branches = (
            rf"(?<![0-9A-Za-z])(?=[0-9A-Fa-f])(?ai:{full})(?![0-9A-Za-z])" if full else "",
            rf"{_SHORT_START}(?=[0-9A-Za-z])(?ai:{short})(?![\w-])" if short else "",
        )
        return f"(?P<id>{'|'.join(filter(None, branches))})" if self.ids else ""


@dataclass(frozen=True, kw_only=True)
class IdentifierScanner:
    """Finds the known words in texts; made by `Replacements.compiled`."""

    replacements: Replacements
    units: dict[str, str]
    words: re.Pattern[str]
    search: re.Pattern[str]

    def scan(self, text: str) -> Iterator[Word]:
        """Yield the words of the text in order, without overlaps."""
        done = 0
        for line in _SEARCH.finditer(text):
            if not _BY_LABEL.search(line.group()):
                continue
            yield from self._within(self.words, text, done, line.start())
            yield from self._within(self.search, text, line.start(), line.end())
            done = line.end()
        yield from self._within(self.words, text, done, len(text))

    def tag(self, tag: str, value: str, quote: str = "") -> str | None:
        """Return the new 'TAG=value' for a whole old one, or None where it is not known."""
        key = value.lower() if tag.endswith("UUID") else value
        new = self.replacements.tags.get((tag, key))
        if new is None:
            return None
        spelled = new[1] if quote or not re.search(r"\s", new[1]) else octal(new[1])
        return f"{new[0]}={quote}{spelled}{quote}"

    def _within(self, pattern: re.Pattern[str], text: str, start: int, end: int) -> Iterator[Word]:
        for match in pattern.finditer(text, start, end):
            new = self._replacement(match.lastgroup or "", match.group())
            yield Word(start=match.start(), end=match.end(), text=match.group(), replacement=new)

    def _replacement(self, group: str, old: str) -> str:
        if group == "path":
            return self.replacements.paths[old]
        if group == "unit":
            return self.units[old]
        if group == "label":
            quote, bare = split_quotes(old)
            new = self.replacements.labels[bare]
            quote = quote or ("'" if re.search(r"\s", new) else "")
            return f"{quote}{new}{quote}"
        if group == "tag":
            tag, _, value = old.partition("=")
            quote, bare = split_quotes(value)
            return self.tag(tag, bare, quote) or old
        prefix = "0x" if old.startswith("0x") else ""
        return prefix + self.replacements.ids[old.lower().removeprefix("0x")]


def split_quotes(text: str) -> tuple[str, str]:
    """Return the quotation mark around a text ('' if there is none) and the text inside."""
    if len(text) > 1 and text[0] in _QUOTES and text[-1] == text[0]:
        return text[0], text[1:-1]
    return "", text


def _one_of(words: Iterable[str]) -> str:
    """Return a branch of literal words, the longest first, since the first match wins."""
    return "|".join(re.escape(word) for word in sorted(set(words), key=len, reverse=True))


def _paths(paths: dict[str, str]) -> str:
    """Return the branch for device paths; in links below /dev/disk a colon goes on."""
    links = _one_of(path for path in paths if path.startswith("/dev/disk/"))
    nodes = _one_of(path for path in paths if not path.startswith("/dev/disk/"))
    branches = (
        rf"(?:{links})(?!:\w){_PATH_END}" if links else "",
        rf"(?:{nodes}){_PATH_END}" if nodes else "",
    )
    return f"(?P<path>{_PATH_START}(?=/)(?:{'|'.join(filter(None, branches))}))" if paths else ""


def _units(units: dict[str, str]) -> str:
    """Return the branch for systemd's unit names of devices (man 5 systemd.device)."""
    suffix = r"(?=\.(?:device|swap|mount|automount)(?!\w))"
    return rf"(?P<unit>(?<![\w\\-])(?=dev-)(?:{_one_of(units)}){suffix})" if units else ""
