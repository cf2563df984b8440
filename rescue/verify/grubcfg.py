"""grub.cfg, read for what a boot takes from it: searches, kernels, initramfs, and its end."""

import re
import shlex
from dataclasses import dataclass, field

_SECTION = re.compile(r"### (BEGIN|END) (\S+) ###")
_LINUX = frozenset({"linux", "linux16", "linuxefi"})
_INITRD = frozenset({"initrd", "initrd16", "initrdefi"})


@dataclass(frozen=True, kw_only=True)
class Search:
    """A search for a file system: by 'uuid', 'label' or 'file', in a section of the file."""

    by: str
    value: str
    section: str


@dataclass(frozen=True, kw_only=True)
class Image:
    """A kernel that an entry starts: paths are on the file system last searched for.

    `filesystem` is that UUID, '' where nothing was searched for.
    """

    title: str
    section: str
    filesystem: str
    path: str
    arguments: tuple[str, ...]
    initrds: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Menu:
    """What grub.cfg says. `faults` are sentences on why the file cannot be whole."""

    searches: tuple[Search, ...]
    images: tuple[Image, ...]
    sections: tuple[str, ...]
    faults: tuple[str, ...]


@dataclass
class _State:
    searches: list[Search] = field(default_factory=list)
    images: list[Image] = field(default_factory=list)
    sections: list[str] = field(default_factory=list)
    open_section: str = ""
    braces: int = 0
    ifs: int = 0
    titles: list[tuple[str, int]] = field(default_factory=list)
    outer: str = ""
    here: str = ""


def parse_menu(text: str) -> Menu:
    """Given the text of a grub.cfg (as grub-mkconfig writes it, or by hand), read it."""
    state = _State()
    last = ""
    for raw in text.replace("\\\n", " ").splitlines():
        line = raw.strip()
        last = line or last
        mark = _SECTION.fullmatch(line)
        if mark:
            state.open_section = mark.group(2) if mark.group(1) == "BEGIN" else ""
            if mark.group(1) == "BEGIN":
                state.sections.append(mark.group(2))
        elif line and not line.startswith("#"):
            _command(state, _words(line))
    return Menu(
        searches=tuple(state.searches),
        images=tuple(state.images),
        sections=tuple(state.sections),
        faults=_faults(state, last),
    )


def _faults(state: _State, last: str) -> tuple[str, ...]:
    faults = []
    if state.open_section:
        faults.append(f"it ends in the middle of section {state.open_section}")
    elif state.sections and not _SECTION.fullmatch(last):
        faults.append("it does not end with the end of a section")
    elif state.braces or state.ifs:
        faults.append("a block in it is not closed")
    if not state.images:
        faults.append("no entry in it starts a kernel")
    return tuple(faults)


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line, comments=True)
    except ValueError:  # a quotation that goes on in the next line
        return line.split()


def _command(state: _State, words: list[str]) -> None:
    if not words:
        return
    name = words[0]
    if name in ("menuentry", "submenu") and len(words) > 1:
        state.titles.append((words[1], state.braces))
        state.here = state.outer if len(state.titles) == 1 else state.here
    elif name == "search" or name.startswith("search."):
        _search(state, words)
    elif name in _LINUX and len(words) > 1:
        state.images.append(_image(state, words))
    elif name in _INITRD and len(words) > 1 and state.images:
        state.images[-1] = _with_initrds(state.images[-1], tuple(words[1:]))
    state.braces += words.count("{") - words.count("}")
    plain = [word.rstrip(";") for word in words]
    state.ifs += (name == "if") - plain.count("fi")
    while state.titles and state.braces <= state.titles[-1][1]:
        state.titles.pop()


def _search(state: _State, words: list[str]) -> None:
    options, plain = words[1:], [word for word in words[1:] if not word.startswith("-")]
    kinds = {"fs_uuid": "uuid", "fs_label": "label", "file": "file"}
    by = kinds.get(words[0].partition(".")[2], "")
    if not by:
        for option, kind in (("--fs-uuid", "uuid"), ("-u", "uuid"), ("--label", "label")):
            by = kind if option in options else by
        by = by or "file"
        value = plain[-1] if plain else ""
    else:
        value = plain[0] if plain else ""
    if "$" in value:  # decided while it boots
        return
    state.searches.append(Search(by=by, value=value, section=state.open_section))
    if by == "uuid":
        state.here = value
        state.outer = state.outer if state.titles else value


def _image(state: _State, words: list[str]) -> Image:
    return Image(
        title=" > ".join(title for title, _ in state.titles),
        section=state.open_section,
        filesystem=state.here,
        path=_on_root(words[1]),
        arguments=tuple(words[2:]),
    )


def _with_initrds(image: Image, paths: tuple[str, ...]) -> Image:
    return Image(
        title=image.title,
        section=image.section,
        filesystem=image.filesystem,
        path=image.path,
        arguments=image.arguments,
        initrds=image.initrds + tuple(_on_root(path) for path in paths),
    )


def _on_root(path: str) -> str:
    return re.sub(r"^\(\$\{?root\}?\)", "", path)
