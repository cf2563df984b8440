"""grub.cfg, read for what a boot takes from it: entries, searches, kernels, initramfs."""

import re
from dataclasses import dataclass, field, replace
from itertools import dropwhile, pairwise

from rescue.model.boot.menu import Entry, Image, Menu, Search
from rescue.text.grub_script import Sign, tokens

_SECTION = re.compile(r"### (BEGIN|END) (\S+) ###")
_CUT_MARK = re.compile(r"#{1,3}( [A-Z]*( \S*)?)?")
_LINUX = frozenset({"linux", "linux16", "linuxefi"})
_INITRD = frozenset({"initrd", "initrd16", "initrdefi"})
_KEYWORDS = frozenset({"then", "else", "do"})
_SEARCHES = {"search.fs_uuid": "uuid", "search.fs_label": "label", "search.file": "file"}
_DEEPEST, _LONGEST = 16, 200
"""Menus around an entry, and characters of each title, that an image is called by."""

_OPTIONS = {"--fs-uuid": "uuid", "-u": "uuid", "--label": "label", "-l": "label"}


@dataclass
class _State:
    searches: list[Search] = field(default_factory=list)
    images: list[Image] = field(default_factory=list)
    initrds: list[list[str]] = field(default_factory=list)
    sections: list[str] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    default: str = ""
    section: str = ""
    blocks: list[int] = field(default_factory=list)
    unmatched: int = 0
    ifs: int = 0
    outer: str = ""
    here: str = ""
    last_comment: str = ""
    ends_in_comment: bool = False
    unclosed: bool = False

    @property
    def entry(self) -> int:
        """The index of the innermost entry that is open, -1 for none."""
        return self.blocks[-1] if self.blocks else -1


def parse_menu(text: str) -> Menu:
    """Parse the text of a grub.cfg (written by grub-mkconfig or by hand)."""
    state = _State()
    words: list[str] = []
    for token in tokens(text):
        if token.sign is Sign.WORD:
            state.ends_in_comment = False
            words.append(token.text)
            continue
        if token.sign is Sign.COMMENT:
            _comment(state, token.text.strip())
            continue
        opened = _command(state, words, opens=token.sign is Sign.OPEN)
        words = []
        if token.sign is Sign.OPEN:
            state.blocks.append(opened if opened >= 0 else state.entry)
        elif token.sign is Sign.CLOSE:
            _close(state)
        state.unclosed = state.unclosed or token.sign is Sign.UNCLOSED
    _command(state, words, opens=False)
    return Menu(
        searches=tuple(state.searches),
        images=tuple(
            replace(image, initrds=tuple(initrds))
            for image, initrds in zip(state.images, state.initrds, strict=True)
        ),
        sections=tuple(state.sections),
        faults=_faults(state),
        entries=tuple(state.entries),
        default=state.default,
    )


def _faults(state: _State) -> tuple[str, ...]:
    faults = []
    if state.section:
        faults.append(f"it ends in the middle of section {state.section}")
    elif state.unclosed:
        faults.append("a quotation in it is not closed")
    elif state.blocks or state.unmatched or state.ifs:
        faults.append("a block in it is not closed")
    elif state.sections and state.ends_in_comment and _CUT_MARK.fullmatch(state.last_comment):
        faults.append("it does not end with the end of a section")
    if not state.images:
        faults.append("no entry in it starts a kernel")
    return tuple(faults)


def _comment(state: _State, text: str) -> None:
    state.last_comment, state.ends_in_comment = text, True
    if mark := _SECTION.fullmatch(text):
        state.section = mark[2] if mark[1] == "BEGIN" else ""
        if state.section:
            state.sections.append(state.section)


def _command(state: _State, words: list[str], *, opens: bool) -> int:
    """Take one command; return the index of the entry whose block it opens, -1 for none."""
    words = list(dropwhile(_KEYWORDS.__contains__, words))
    if not words:
        return -1
    name = words[0]
    state.ifs += (name == "if") - (name == "fi")
    if name in ("menuentry", "submenu") and len(words) > 1 and opens:
        return _entry(state, words)
    if name == "search" or name in _SEARCHES:
        _search(state, words)
    elif name in _LINUX and len(words) > 1:
        state.images.append(_image(state, words))
        state.initrds.append([])
    elif name in _INITRD and len(words) > 1 and state.images:
        state.initrds[-1] += [_on_root(path) for path in words[1:]]
    elif state.entry < 0:
        _assignment(state, words[1] if name == "set" and len(words) > 1 else name)
    return -1


def _assignment(state: _State, words: str) -> None:
    name, equals, value = words.partition("=")
    # An entry that was chosen for one start alone is not the one that stays.
    if equals and name == "default" and value not in ("${next_entry}", "$next_entry"):
        state.default = value


def _entry(state: _State, words: list[str]) -> int:
    pairs = dict(pairwise(words))
    # grub-mkconfig writes '$menuentry_id_option', which is '--id' in every GRUB since 2.00.
    named = pairs.get("--id", pairs.get("$menuentry_id_option", ""))
    parent = state.entry
    state.here = state.outer if parent < 0 else state.here
    state.entries.append(
        Entry(
            title=words[1],
            id=named,
            section=state.section,
            parent=parent,
            submenu=words[0] == "submenu",
            conditional=state.ifs > 0,
        )
    )
    return len(state.entries) - 1


def _close(state: _State) -> None:
    if state.blocks:
        state.blocks.pop()
    else:
        state.unmatched += 1


def _search(state: _State, words: list[str]) -> None:
    plain = [word for word in words[1:] if not word.startswith("-")]
    by = _SEARCHES.get(words[0], "")
    if by:
        value = plain[0] if plain else ""
    else:
        by = next((_OPTIONS[word] for word in words if word in _OPTIONS), "file")
        value = plain[-1] if plain else ""
    if "$" in value:  # decided while it boots
        return
    state.searches.append(Search(by=by, value=value, section=state.section, entry=state.entry))
    if by == "uuid":
        state.here = value
        state.outer = state.outer if state.entry >= 0 else value


def _image(state: _State, words: list[str]) -> Image:
    titles, at = list[str](), state.entry
    while at >= 0 and len(titles) < _DEEPEST:
        titles.append(state.entries[at].title[:_LONGEST])
        at = state.entries[at].parent
    return Image(
        title=" > ".join(reversed(titles)),
        section=state.section,
        filesystem=state.here,
        path=_on_root(words[1]),
        arguments=tuple(words[2:]),
        entry=state.entry,
    )


def _on_root(path: str) -> str:
    return re.sub(r"^\(\$\{?root\}?\)", "", path)
