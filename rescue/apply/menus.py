"""GRUB menus, replaced only where everything that the new menu starts is on the mirror.

The system changes while it is copied: a kernel may be installed between the copy of its modules
and that of the menu. What is missing is taken along; where that does not help, the menu stays.
"""

from pathlib import Path

from rescue.apply.initramfs import PREFIX, build_initramfs
from rescue.apply.started_kernels import GRUB_CFG, Started, saved_entry, started_by
from rescue.apply.step_context import TreeWork
from rescue.apply.sync import copy_again
from rescue.model.boot.menu import Menu
from rescue.model.event import Notice
from rescue.model.mirror.step import BuildInitramfs
from rescue.system.files.atomic import digest
from rescue.system.files.rooted_tree import Tree
from rescue.text.grub_cfg import parse_menu

_VFAT_SECONDS = 2.0


def keep_menu(work: TreeWork) -> bool:
    """Whether the mirror keeps its menu from the last run, which is then reported.

    Otherwise the menu to be written is stored exactly as it was judged: the source's may change
    a moment later. Raises RescueError where missing files cannot be copied, OSError.
    """
    source = Tree(root=work.site.source_root)
    why = _judge(source, work)
    if why and _take_along(source, work):
        why = _judge(source, work)
    if not why or not _boots(Tree(root=work.workspace.tree()), work):
        return False
    work.note(f"the menu of the last run stays on the mirror: {why}")
    return True


def _judge(source: Tree, work: TreeWork) -> str:
    """Say why the source's menu cannot be written to the mirror now, '' where it can."""
    try:
        if not source.is_file(GRUB_CFG):
            return "the source has none"
        data = source.locate(GRUB_CFG).read_bytes()
    except OSError:
        work.unreadable.append(GRUB_CFG)
        work.failing = True
        return "the source's cannot be read"
    work.judged[GRUB_CFG] = data
    menu = _translated(data, work)
    if menu.faults:
        return f"of the source's, {menu.faults[0]}"
    mirror = Tree(root=work.workspace.tree())
    for each in started_by(menu, saved_entry(source), work.record):
        missing = [path for path in (each.kernel, *each.initrds) if not mirror.is_file(path)]
        if each.must and missing:
            return f"the source's starts {missing[0]}, which is not there"
        if _is_outdated(each, source, mirror, work):
            return f"{each.kernel} changed on the source while it was copied"
    return ""


def _boots(mirror: Tree, work: TreeWork) -> bool:
    """Whether what the mirror's present menu starts by default is there."""
    if not mirror.is_file(GRUB_CFG):
        return False
    menu = parse_menu(mirror.text(GRUB_CFG))
    default = [each for each in started_by(menu, saved_entry(mirror), work.record) if each.must]
    files = [path for each in default for path in (each.kernel, *each.initrds)]
    return not menu.faults and bool(files) and all(map(mirror.is_file, files))


def _take_along(source: Tree, work: TreeWork) -> bool:
    """Copy kernels and modules once more; return whether there was anything to be copied.

    Nothing is deleted by it: that comes last, by the menu that is there then.
    """
    mirror = Tree(root=work.workspace.tree())
    menu = _translated(work.judged.get(GRUB_CFG, b""), work)
    late = [
        each
        for each in started_by(menu, saved_entry(source), work.record)
        if _is_outdated(each, source, mirror, work)
    ]
    if not late:
        return False
    names = ", ".join(dict.fromkeys(each.version or each.kernel for each in late))
    work.emit(Notice(message=f"kernel {names} changed while it was copied: copied once more"))
    folders = [f"/usr/lib/modules/{each.version}" for each in late if each.version]
    copy_again(("/boot", *dict.fromkeys(folders)), work)
    build_initramfs(BuildInitramfs(), work)
    return True


def _translated(data: bytes, work: TreeWork) -> Menu:
    text = data.decode("utf-8", "surrogateescape")
    return parse_menu(work.record.identifiers.translate(text))


def _is_outdated(each: Started, source: Tree, mirror: Tree, work: TreeWork) -> bool:
    """Whether a part of it is another one on the source by now than what was copied."""
    listing = f"/usr/lib/modules/{each.version}/modules.dep"
    files = (each.kernel, *([listing] if each.version else []))
    if any(
        source.is_file(path) and not _is_same(source.locate(path), mirror.locate(path))
        for path in files
    ):
        return True
    return any(_is_newer(path, source, mirror, work) for path in each.initrds)


def _is_same(one: Path, two: Path) -> bool:
    """Whether size and time agree; vfat keeps times of two seconds."""
    if not two.is_file():
        return False
    seen, copied = one.stat(), two.stat()
    close = abs(seen.st_mtime - copied.st_mtime) <= _VFAT_SECONDS
    return close and seen.st_size == copied.st_size


def _is_newer(path: str, source: Tree, mirror: Tree, work: TreeWork) -> bool:
    """Whether the source's initramfs is not the one that the mirror's was made after.

    Read for that only where it was touched since the mirror's was made. None is made of a kernel
    without modules.
    """
    if not source.is_file(path):
        return False
    image = source.locate(path)
    version = image.name.removeprefix(PREFIX)
    known = dict(work.record.initramfs_digests).get(version, "")
    if not source.is_dir(f"/usr/lib/modules/{version}"):
        return False
    if not mirror.is_file(path):
        return True
    if image.stat().st_ctime <= mirror.locate(path).stat().st_ctime:
        return False
    try:
        return digest([image]) != known
    except OSError:
        return True
